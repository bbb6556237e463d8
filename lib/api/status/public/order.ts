import type { Upstream } from './upstream.js';

/** Columns that can be sorted by: what they compare, and which way they start. */
export const COLUMNS = {
  id: { value: ({ info }: Upstream) => info.id, start: 'ascending' },
  state: { value: (upstream: Upstream) => RANKS.indexOf(lookOf(upstream)), start: 'ascending' },
  bitrateIn: { value: ({ bitrateIn }: Upstream) => bitrateIn, start: 'descending' },
  bitrateOut: { value: ({ bitrateOut }: Upstream) => bitrateOut, start: 'descending' },
  frames: { value: ({ frames }: Upstream) => frames, start: 'descending' },
  delay: { value: ({ delay }: Upstream) => delay, start: 'descending' },
  memory: { value: ({ memShare }: Upstream) => memShare, start: 'descending' },
  dropped: { value: ({ dropped }: Upstream) => dropped, start: 'descending' },
  reconnects: { value: ({ info }: Upstream) => info.reconnects, start: 'descending' },
  uptime: { value: ({ uptime }: Upstream) => uptime, start: 'descending' },
} as const satisfies Record<string, { value: (upstream: Upstream) => string | number; start: Direction }>;

export type Column = keyof typeof COLUMNS;
export type Direction = 'ascending' | 'descending';

export interface Sorting {
  readonly column: Column;
  readonly direction: Direction;
}

/** Groups of states, as the filter offers them. */
export type Group = 'all' | 'publishing' | 'connecting' | 'reconnecting' | 'closing';

/** Those that may want somebody's eye come first. */
const RANKS = ['reconnecting', 'connecting', 'silent', 'closing', 'publishing'];

/** How an upstream is to be shown: by its group, or as one that nothing comes in for. */
export function lookOf({ info, silent }: Upstream): string {
  return silent ? 'silent' : groupOf(info.state);
}

export function groupOf(state: string): Exclude<Group, 'all'> {
  switch (state) {
    case 'publishing':
    case 'reconnecting':
    case 'closing':
      return state;
    default:
      return 'connecting';
  }
}

/** Whether each word of `text` is somewhere in what is known of the upstream. */
export function matches(upstream: Upstream, text: string, group: Group): boolean {
  if (group !== 'all' && groupOf(upstream.info.state) !== group) return false;
  return text
    .toLowerCase()
    .split(/\s+/)
    .every((word) => upstream.searchText.includes(word));
}

const collator = new Intl.Collator('en', { numeric: true });

/** Sorts in place; equals by id, so that they keep their places. */
export function sort(upstreams: Upstream[], { column, direction }: Sorting): Upstream[] {
  const { value } = COLUMNS[column];
  const sign = direction === 'ascending' ? 1 : -1;
  return upstreams.sort((a, b) => {
    const [x, y] = [value(a), value(b)];
    const order = typeof x === 'number' && typeof y === 'number' ? x - y : collator.compare(String(x), String(y));
    return order * sign || collator.compare(a.info.id, b.info.id) || a.key - b.key;
  });
}
