import type { OrderAnswer } from '../upstream/report/orders.js';
import { isRefusal } from '../upstream/report/orders.js';
import type { UpstreamStatus } from '../upstream/report/status.js';

/** What several workers or nodes have answered. */
export interface Answers<Key, T> {
  /** In the order in which they were asked. */
  readonly answers: readonly (readonly [key: Key, answer: T])[];
  /** Those that have not answered, each with the reason. */
  readonly missing: readonly (readonly [key: Key, reason: unknown])[];
}

/** Asks all at the same time. Never rejects: those that fail are named. */
export async function askAll<Key, Member, T>(
  members: Iterable<readonly [key: Key, member: Member]>,
  ask: (member: Member, key: Key) => Promise<T>,
): Promise<Answers<Key, T>> {
  const asked = [...members];
  const results = await Promise.allSettled(asked.map(([key, member]) => ask(member, key)));
  const answers: [Key, T][] = [];
  const missing: [Key, unknown][] = [];
  for (const [n, [key]] of asked.entries()) {
    const result = results[n];
    if (result?.status === 'fulfilled') answers.push([key, result.value]);
    else missing.push([key, result?.reason]);
  }
  return { answers, missing };
}

/** An object whose keys are ids. It has no prototype, so that an id such as `__proto__` is an ordinary key. */
export function byId<T>(): Record<string, T> {
  return Object.create(null) as Record<string, T>;
}

/** The upstreams with these ids, in their order, without those that do not exist. */
export function inOrder(
  ids: readonly string[],
  all: Readonly<Record<string, UpstreamStatus>>,
): Record<string, UpstreamStatus> {
  const upstreams = byId<UpstreamStatus>();
  for (const id of ids) if (all[id] !== undefined) upstreams[id] = all[id];
  return upstreams;
}

/**
 * The answer to an order that several were given: the first refusal, or the number of upstreams that it concerns
 * together; undefined if none of them has such an upstream.
 */
export function sumOfOrders(answers: readonly OrderAnswer[]): OrderAnswer {
  const refusal = answers.find(isRefusal);
  if (refusal !== undefined) return refusal;
  const counts = answers.filter((answer) => typeof answer === 'number');
  return counts.length === 0 ? undefined : counts.reduce((sum, count) => sum + count, 0);
}
