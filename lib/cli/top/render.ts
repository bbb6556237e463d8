import { printable } from '../../inspect/printable.js';
import { bitrate, size } from '../../inspect/units.js';
import type { Row } from './rows.js';
import type { ServiceSample } from './status.js';
import { displayWidth, fit } from './width.js';

interface Column {
  readonly head: string;
  readonly right?: boolean;
  /** The caller must make untrusted text printable. */
  cell(row: Row): string;
}

function optional(value: number | undefined, show: (value: number) => string): string {
  return value === undefined ? '-' : show(value);
}

const NODE: Column = { head: 'NODE', cell: ({ node = '-' }) => node };

const COLUMNS: readonly Column[] = [
  { head: 'UPSTREAM', cell: ({ id }) => id },
  { head: 'STATE', cell: ({ state }) => (state === '' ? '-' : state) },
  { head: 'TRACKS', right: true, cell: ({ tracks }) => String(tracks) },
  { head: 'IN', right: true, cell: ({ bitsIn }) => optional(bitsIn, bitrate) },
  { head: 'OUT', right: true, cell: ({ bitsOut }) => optional(bitsOut, bitrate) },
  { head: 'FPS', right: true, cell: ({ framesPerSecond }) => optional(framesPerSecond, (fps) => fps.toFixed(1)) },
  { head: 'DELAY', right: true, cell: ({ delay }) => optional(delay, (ms) => `${Math.round(ms)} ms`) },
  { head: 'MEMORY', right: true, cell: memory },
  { head: 'DROPS', right: true, cell: ({ dropped }) => String(dropped) },
  { head: 'RECONN', right: true, cell: ({ reconnects }) => String(reconnects) },
  { head: 'LAST STATUS', cell: ({ lastStatus }) => lastStatus },
];

function memory({ memUsed, memLimit }: Row): string {
  if (memLimit === 0) return size(memUsed);
  return `${size(memUsed)} ${Math.round((memUsed / memLimit) * 100)}%`;
}

/** Longest id that is shown in full, and the share of the last column. */
const WIDEST_ID = 40;

/**
 * Heading and rows in columns. Each line has exactly `width` columns, or its natural length if `width` is infinite.
 * Text from senders and servers is made printable.
 */
export function tableLines(rows: readonly Row[], width = Infinity): string[] {
  // Without a fleet, no row has a node.
  const [id, ...others] = COLUMNS;
  const isFleet = id !== undefined && rows.some(({ node }) => node !== undefined);
  const columns = isFleet ? [id, NODE, ...others] : COLUMNS;
  const cells = rows.map((row) => columns.map(({ cell }) => printable(cell(row))));
  const lines = [columns.map(({ head }) => head), ...cells];
  const widths = columns.map((_, n) => Math.max(...lines.map((line) => displayWidth(line[n] ?? ''))));
  widths[0] = Math.min(widths[0] ?? 0, WIDEST_ID);
  return lines.map((line) => {
    const text = line
      .map((cell, n) => (n === line.length - 1 ? cell : fit(cell, widths[n] ?? 0, columns[n]?.right === true)))
      .join('  ');
    return width === Infinity ? text.trimEnd() : fit(text, width);
  });
}

/** What the answer of the API lacks, as a line; undefined if it lacks nothing. */
export function lackLine({ failedUnknown, missing = [] }: ServiceSample): string | undefined {
  const texts = [
    ...(missing.length === 0 ? [] : [`missing, and so are their upstreams: ${missing.join('; ')}`]),
    ...(failedUnknown === undefined ? [] : [`the failed upstreams are not known: ${failedUnknown}`]),
  ];
  return texts.length === 0 ? undefined : printable(texts.join('; '));
}

/** The line above the table. */
export function headLine({ version, pid, uptime, upstreams }: ServiceSample, rows: readonly Row[]): string {
  const sum = (read: (row: Row) => number | undefined): string =>
    rows.some((row) => read(row) !== undefined)
      ? bitrate(rows.reduce((total, row) => total + (read(row) ?? 0), 0))
      : '-';
  const bits = `in ${sum(({ bitsIn }) => bitsIn)}  out ${sum(({ bitsOut }) => bitsOut)}`;
  const count = `${upstreams.size} upstream${upstreams.size === 1 ? '' : 's'}${troubles(rows)}`;
  return printable(`kmp-rtmp ${version}  pid ${pid}  up ${duration(uptime)}  ${count}  ${bits}`);
}

/** ` (2 reconnecting, 1 without input)`: the upstreams that need attention. */
function troubles(rows: readonly Row[]): string {
  const counts = new Map<string, number>();
  for (const { state, silent } of rows) {
    const what = silent ? 'without input' : state;
    if (what !== 'publishing' && what !== '') counts.set(what, (counts.get(what) ?? 0) + 1);
  }
  return counts.size === 0 ? '' : ` (${[...counts].map(([what, count]) => `${count} ${what}`).join(', ')})`;
}

/** Seconds as `3d 4h`, `4h 05m`, `5m 06s`, `7s`. */
function duration(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds));
  const [d, h, m, s] = [
    Math.floor(whole / 86400),
    Math.floor(whole / 3600) % 24,
    Math.floor(whole / 60) % 60,
    whole % 60,
  ];
  const two = (value: number): string => String(value).padStart(2, '0');
  if (d > 0) return `${d}d ${h}h`;
  if (h > 0) return `${h}h ${two(m)}m`;
  return m > 0 ? `${m}m ${two(s)}s` : `${s}s`;
}
