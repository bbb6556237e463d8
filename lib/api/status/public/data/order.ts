import { groupOf, isFailureShown, isUrgent, shownState, urgencyOf, type Group } from './states.js';
import type { Upstream } from './upstream.js';

/** Columns for sorting: the compared value and the initial direction. */
export const COLUMNS = {
  id: { value: ({ info }: Upstream) => info.id, start: 'ascending' },
  state: { value: (upstream: Upstream) => urgencyOf(displayState(upstream)), start: 'ascending' },
  node: { value: ({ info }: Upstream) => info.node ?? '', start: 'ascending' },
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

/** The state for display: the group, or "silent" if no data arrives. */
export function displayState({ info, silent, failure }: Upstream): string {
  if (failure !== undefined && isFailureShown(info.state)) return 'failed';
  return shownState(groupOf(info.state), silent);
}

/** True if its row has lines that say what is wrong. For a silent one, a few words are enough. */
export function isTroubled(upstream: Upstream): boolean {
  return isUrgent(displayState(upstream));
}

/** The group of an upstream in the filter. */
export function groupOfUpstream(upstream: Upstream): Group {
  const state = displayState(upstream);
  return state === 'silent' ? 'input_stalled' : groupOf(state);
}

/** What the table can be limited to. */
export type Choice = 'all' | Group;

/** Whether the upstream contains each word of `text`. @param node name; undefined: all nodes */
export function matches(upstream: Upstream, text: string, group: Choice, node?: string): boolean {
  if (node !== undefined && upstream.info.node !== node) return false;
  if (group !== 'all' && groupOfUpstream(upstream) !== group) return false;
  return text
    .toLowerCase()
    .split(/\s+/)
    .every((word) => upstream.searchText.includes(word));
}

const collator = new Intl.Collator('en', { numeric: true });

/** Sorts in place. Equal values are sorted by id, so the order is stable. */
export function sort(upstreams: Upstream[], { column, direction }: Sorting): Upstream[] {
  const { value } = COLUMNS[column];
  const sign = direction === 'ascending' ? 1 : -1;
  return upstreams.sort((a, b) => {
    const [x, y] = [value(a), value(b)];
    const order = typeof x === 'number' && typeof y === 'number' ? x - y : collator.compare(String(x), String(y));
    return order * sign || collator.compare(a.info.id, b.info.id) || a.key - b.key;
  });
}
