/** Draws the bars of a bench from its JSON: an SVG that reads on a light and on a dark page. */
import { ratioToRelay, shortfall, type Results, type Row } from './result.js';

export interface Bar {
  readonly label: string;
  readonly value: number;
  /** A second, paler bar goes on to here. */
  readonly upTo?: number;
  /** What is written at the bar's end. */
  readonly text: string;
  /** Which of the colours. */
  readonly kind: Row['target'];
}

interface Panel {
  readonly title: string;
  readonly bars: readonly Bar[];
}

const WIDTH = 760;
const LABEL = 270;
const NOTE = 130;
const BAR = 18;
const STEP = 24;
const TITLE = 40;

const STYLE = `
  text { font: 13px system-ui, sans-serif; fill: #24292f }
  .title { font-weight: 600; font-size: 15px }
  .note { fill: #57606a; font-size: 12px }
  .service { fill: #0969da } .relay { fill: #9aa4af } .floor { fill: #2da44e } .pale { opacity: 0.35 }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 } .note { fill: #9da7b1 }
    .service { fill: #58a6ff } .relay { fill: #6e7681 } .floor { fill: #3fb950 }
  }`;

export function chart(results: Results): string {
  const panels = panelsOf(results.rows.filter((row) => shortfall(row.median) === undefined)).filter(
    (panel) => panel.bars.length > 0,
  );
  const parts: string[] = [];
  let y = 8;
  for (const panel of panels) {
    parts.push(`<text class="title" x="8" y="${y + 22}">${escape(panel.title)}</text>`);
    y += TITLE;
    const most = Math.max(...panel.bars.map((bar) => bar.upTo ?? bar.value), 0);
    for (const bar of panel.bars) {
      parts.push(...drawn(bar, y, most === 0 ? 0 : (WIDTH - LABEL - NOTE) / most));
      y += STEP;
    }
    y += 10;
  }
  const { date, commit, node, cpu, cores } = results;
  const footer = `${date.slice(0, 10)}, commit ${commit}, node ${node}, ${cores} x ${cpu}`;
  parts.push(`<text class="note" x="8" y="${y + 12}">${escape(footer)}</text>`);
  const height = y + 24;
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" viewBox="0 0 ${WIDTH} ${height}" role="img">\n` +
    `<title>${escape(`kmp-rtmp bench, ${footer}`)}</title>\n<style>${STYLE}\n</style>\n${parts.join('\n')}\n</svg>\n`
  );
}

function drawn(bar: Bar, y: number, scale: number): string[] {
  const rect = (className: string, value: number): string =>
    `<rect class="${className}" x="${LABEL}" y="${y}" width="${Math.max(1, value * scale).toFixed(1)}" height="${BAR}" rx="2"/>`;
  const end = LABEL + (bar.upTo ?? bar.value) * scale;
  return [
    `<text x="${LABEL - 8}" y="${y + 14}" text-anchor="end">${escape(bar.label)}</text>`,
    ...(bar.upTo === undefined ? [] : [rect(`${bar.kind} pale`, bar.upTo)]),
    rect(bar.kind, bar.value),
    `<text class="note" x="${(end + 6).toFixed(1)}" y="${y + 14}">${escape(bar.text)}</text>`,
  ];
}

function panelsOf(rows: readonly Row[]): Panel[] {
  const inCase = (name: string, target: Row['target']): Row | undefined =>
    rows.find((row) => row.case === name && row.target === target);
  const compared = rows.flatMap((row) => {
    const others = row.target === 'service' ? [inCase(row.case, 'relay'), inCase(row.case, 'floor')] : [];
    const found = others.filter((other) => other !== undefined);
    return found.length === 0 ? [] : [row, ...found];
  });
  const growth = rows.filter((row) => row.target === 'service' && row.case.startsWith('growth-'));
  const workers = rows.filter((row) => row.case.startsWith('workers-'));
  const service = rows.filter((row) => row.target === 'service' && row.upstreams > 0);
  return [
    { title: 'CPU, % of a core (lower is better)', bars: compared.map((row) => cpuBar(row, rows)) },
    {
      title: 'CPU of one upstream, ms a second (flat is right)',
      bars: growth.map((row) => bar(row.title, row.median.cpuMsPerUpstreamSecond, 2, ' ms', 'service')),
    },
    {
      title: 'CPU of the busiest process, % of a core',
      bars: workers.map((row) => bar(row.title, row.median.busiestPercent, 1, ' %', 'service')),
    },
    {
      title: 'Delay from sender to ingest, p50 and p99',
      bars: service.map((row) => delayBar(row)),
    },
    {
      title: 'Memory (RSS)',
      bars: service.map((row) => bar(row.title, row.median.rssMb, 0, ' MB', 'service')),
    },
  ];
}

function cpuBar(row: Row, rows: readonly Row[]): Bar {
  const { target } = row;
  const label = target === 'service' ? row.title : target === 'relay' ? 'plain relay' : 'floor';
  const ratio = target === 'relay' ? undefined : ratioToRelay(rows, row.case, target);
  const share = ratio === undefined ? '' : ` (${ratio.toFixed(2)} of relay)`;
  return bar(label, row.median.cpuPercent, 1, ` %${share}`, target);
}

function delayBar({ title, median }: Row): Bar {
  const { p50, p99 } = median.delayMs;
  return { label: title, value: p50, upTo: p99, text: `${p50.toFixed(0)} / ${p99.toFixed(0)} ms`, kind: 'service' };
}

function bar(label: string, value: number, digits: number, unit: string, kind: Bar['kind']): Bar {
  return { label, value, text: `${value.toFixed(digits)}${unit}`, kind };
}

const escape = (text: string): string =>
  text.replace(/[&<>"]/g, (char) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' })[char] ?? char);
