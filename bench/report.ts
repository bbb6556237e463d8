/** The table of a bench, for a terminal and for Markdown alike. */
import { ratioToRelay, shortfall, type Results, type Row, type Run } from './result.js';

const COLUMNS = (
  'case|target|CPU %|of relay|busiest %|ms/upstream|us/frame|RSS MB|p50|p99|max ms|' +
  'lost|bad|frames/s|load %|ingest %|load late ms'
).split('|');

/** A generator later than this at p99 measures itself. */
const LATE_MS = 50;

/** Below this share of what is sent, frames pile up. */
const KEEPS_UP = 0.97;

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
  const ratio = row.target === 'relay' ? undefined : ratioToRelay(rows, row.case, row.target);
  const load = [
    run.framesPerSecond.toFixed(0),
    run.loadCpuPercent.toFixed(0),
    run.ingestCpuPercent.toFixed(0),
    run.loadLateMs.toFixed(1),
  ];
  // The figures of a smaller load must not be taken for those of this case.
  if (shortfall(run) !== undefined) return [row.title, row.target, ...COLUMNS.slice(2, -4).map(() => '-'), ...load];
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
    ...load,
  ];
}

function remarks(results: Results): string[] {
  const { date, commit, node, cpu, cores, seconds, command, directives } = results;
  const lines = [`${date.slice(0, 10)}, commit ${commit}, node ${node}, ${cores} x ${cpu}; counted over ${seconds} s.`];
  if (results.rows.some((row) => row.target === 'service')) lines.push(`Service: ${command}${extra(directives)}`);
  lines.push(...startUp(results.rows));
  for (const row of results.rows) {
    const { median: run } = row;
    const short = shortfall(run);
    if (short !== undefined) lines.push(`${row.title} (${row.target}): ${short}`);
    else if (run.framesPerSecond < run.sentFramesPerSecond * KEEPS_UP && run.connectSeconds === undefined)
      lines.push(`${row.title} (${row.target}): falls behind the load.`);
    lines.push(...coldStart(row), ...course(row), ...heapOf(row));
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

function coldStart({ title, target, median }: Row): string[] {
  const { samples, connectSeconds, delayMs } = median;
  if (connectSeconds === undefined) return [];
  const [connecting = '', ...seconds] = samples.map(({ cpuPercent }) => cpuPercent.toFixed(0));
  return [
    `${title} (${target}), CPU % of each second once all are connected: ${seconds.join(' ')} ` +
      `(before that, in ${connectSeconds.toFixed(1)} s: ${connecting}); largest delay ${delayMs.max.toFixed(0)} ms.`,
  ];
}

function heapOf({ title, target, median: { heap } }: Row): string[] {
  if (heap === undefined) return [];
  const most = heap.most.length > 0 ? `; most: ${heap.most.join(', ')}` : '';
  return [`${title} (${target}): ${heap.mbPerSecond.toFixed(2)} MB a second allocated on the heap${most}.`];
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
