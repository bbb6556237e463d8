/** The table of a bench, for a terminal and for Markdown alike. */
import { ratioToRelay, type Results, type Row, type Run } from './result.js';

const COLUMNS = (
  'case|target|CPU %|of relay|busiest %|ms/upstream|us/frame|RSS MB|p50|p99|max ms|' +
  'lost|bad|frames/s|load %|ingest %|load late ms'
).split('|');

/** A generator later than this at p99 measures itself. */
const LATE_MS = 50;

export function table(results: Results): string {
  const cells = [[...COLUMNS], ...results.rows.map((row) => cellsOf(row, results.rows))];
  const widths = COLUMNS.map((_, i) => Math.max(...cells.map((row) => row[i]?.length ?? 0)));
  const line = (row: readonly string[]): string =>
    `| ${row.map((cell, i) => (i < 2 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0))).join(' | ')} |`;
  const rule = line(widths.map((width, i) => (i < 2 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`)));
  const [head = [], ...body] = cells;
  return [line(head), rule, ...body.map(line), '', ...remarks(results)].join('\n');
}

function cellsOf(row: Row, rows: readonly Row[]): string[] {
  const { median: run } = row;
  const ratio = row.target === 'service' ? ratioToRelay(rows, row.case) : undefined;
  return [
    row.title,
    row.target,
    run.cpuPercent.toFixed(1),
    ratio === undefined ? '' : ratio.toFixed(2),
    run.busiestPercent.toFixed(1),
    run.cpuMsPerUpstreamSecond.toFixed(2),
    run.cpuUsPerFrame.toFixed(1),
    run.rssMb.toFixed(0),
    run.delayMs.p50.toFixed(0),
    run.delayMs.p99.toFixed(0),
    run.delayMs.max.toFixed(0),
    String(run.lost),
    String(run.bad),
    run.framesPerSecond.toFixed(0),
    run.loadCpuPercent.toFixed(0),
    run.ingestCpuPercent.toFixed(0),
    run.loadLateMs.toFixed(1),
  ];
}

function remarks(results: Results): string[] {
  const { date, commit, node, cpu, cores, seconds, command, directives } = results;
  const lines = [`${date.slice(0, 10)}, commit ${commit}, node ${node}, ${cores} x ${cpu}; counted over ${seconds} s.`];
  if (results.rows.some((row) => row.target === 'service')) lines.push(`Service: ${command}${extra(directives)}`);
  lines.push(...startUp(results.rows));
  for (const row of results.rows) {
    const { median: run } = row;
    lines.push(...course(row));
    if (run.loadLateMs > LATE_MS)
      lines.push(`${row.title} (${row.target}): the load was late; do not trust the figures.`);
    if (run.lostConnections > 0) lines.push(`${row.title} (${row.target}): ${run.lostConnections} connections lost.`);
    lines.push(...run.faults.map((fault) => `${row.title} (${row.target}): ${fault}`));
  }
  return lines;
}

const extra = (directives: readonly string[]): string =>
  directives.length > 0 ? `, with ${directives.join(' ')}` : '';

function startUp(rows: readonly Row[]): string[] {
  const times = rows.filter((row) => row.target === 'service').flatMap((row) => row.runs.map((run) => run.startMs));
  if (times.length === 0) return [];
  return [`Start-up of the service: ${Math.min(...times).toFixed(0)} to ${Math.max(...times).toFixed(0)} ms.`];
}

/** A soak is judged by whether its end looks like its beginning. */
const SOAK_SAMPLES = 30;

function course({ title, target, median }: Row): string[] {
  const { samples } = median;
  if (samples.length < SOAK_SAMPLES) return [];
  const third = Math.floor(samples.length / 3);
  const mean = (part: Run['samples'], field: 'rssMb' | 'cpuPercent'): string =>
    (part.reduce((sum, sample) => sum + sample[field], 0) / part.length).toFixed(1);
  const [first, last] = [samples.slice(0, third), samples.slice(-third)];
  return [
    `${title} (${target}), first and last third of the time: RSS ${mean(first, 'rssMb')} and ${mean(last, 'rssMb')} MB, ` +
      `CPU ${mean(first, 'cpuPercent')} and ${mean(last, 'cpuPercent')} %.`,
  ];
}
