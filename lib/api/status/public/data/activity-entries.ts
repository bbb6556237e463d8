// What the activity list says about changes.
import type { NewEnd } from './closed-book.js';
import { count } from './format.js';
import { isDown } from './states.js';
import type { Upstream } from './upstream.js';
import type { ClosedInfo, Ended } from './wire.js';

/** A change of an upstream. */
export interface ActivityEntry {
  /** ms since 1970 */
  readonly at: number;
  readonly id: string;
  readonly what: string;
  readonly kind: 'good' | 'bad' | 'plain';
}

/** Reasons that are not failures. */
const EXPECTED_REASONS: ReadonlySet<string> = new Set(['done', 'api_delete', 'shutdown', 'fleet_moved']);

/** The number of failures in `ended`. */
export function failed(ended: Ended): number {
  const counts = Object.entries(ended).map(([reason, number]) => (EXPECTED_REASONS.has(reason) ? 0 : number));
  return counts.reduce((sum, number) => sum + number, 0);
}

/**
 * New failures of which there is no record. They include upstreams that ended between two messages, for example at a
 * destination that refuses connections.
 */
export function unrecorded(before: Ended, after: Ended, recorded: readonly NewEnd[], at: number): ActivityEntry[] {
  return Object.entries(after).flatMap(([reason, number]) => {
    if (EXPECTED_REASONS.has(reason)) return [];
    const known = recorded.filter(({ record }) => record.reason === reason).reduce((sum, { more }) => sum + more, 0);
    const more = number - (before[reason] ?? 0) - known;
    if (more <= 0) return [];
    const id = more === 1 ? 'An upstream' : `${more} upstreams`;
    return [{ at, id, what: `failed: ${reason}`, kind: 'bad' as const }];
  });
}

/** The end of an upstream, by its record. */
export function recordedEnd({ id, reason, message, failed: bad, count: times, closedAt }: ClosedInfo): ActivityEntry {
  const again = times > 1 ? ` (${count(times)} times in a row)` : '';
  const what = bad ? `failed: ${reason}: ${message}${again}` : `ended: ${reason}`;
  return { at: Date.parse(closedAt), id, what, kind: bad ? 'bad' : 'plain' };
}

/** The end of an upstream of which there is no record. */
export function unrecordedEnd({ info }: Upstream, at: number): ActivityEntry {
  const last = info.lastStatus;
  const what = last === null ? 'ended' : `ended; last message of the server: ${last.code || last.description}`;
  return { at, id: info.id, what, kind: last?.level === 'error' ? 'bad' : 'plain' };
}

export function silenceChange({ info: { id, state }, silent }: Upstream, at: number): ActivityEntry[] {
  if (silent) return [{ at, id, what: 'receives nothing from its senders', kind: 'bad' }];
  // If the state has changed, the change of state is reported instead.
  return state === 'publishing' ? [{ at, id, what: 'receives media again', kind: 'good' }] : [];
}

export function changed({ info }: Upstream, before: Upstream['info'], at: number): ActivityEntry[] {
  const { id } = info;
  const happened: ActivityEntry[] = [];
  if (info.state !== before.state) {
    const bad = isDown(info.state) || (info.trouble ?? '') !== '';
    const kind = info.state === 'publishing' ? 'good' : bad ? 'bad' : 'plain';
    const reason = isDown(info.state) ? info.lastError : info.trouble;
    const why = (reason ?? '') === '' ? '' : `: ${reason}`;
    happened.push({ at, id, what: `is ${info.state.replace('_', ' ')}${why}`, kind });
  }
  const last = info.lastStatus;
  if (last !== null && last.code !== before.lastStatus?.code) {
    const kind = last.level === 'error' ? 'bad' : 'plain';
    happened.push({ at, id, what: `server: ${last.code}: ${last.description}`, kind });
  }
  return happened;
}
