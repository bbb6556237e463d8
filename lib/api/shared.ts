import { setImmediate } from 'node:timers/promises';

/**
 * `make`, done once for all who ask at the same time: it may be dear, and what it gives large. One is made at a time, and
 * begins in the next turn of the event loop; who asks later waits for the one after it, so that nothing is older than the
 * question. Results must not be changed.
 */
export function shared<T>(make: () => Promise<T>): () => Promise<T> {
  /** Not begun yet. */
  let next: Promise<T> | undefined;
  let last: Promise<unknown> = Promise.resolve();
  const begin = async (before: Promise<unknown>): Promise<T> => {
    await before;
    await setImmediate();
    next = undefined;
    return make();
  };
  return () => {
    if (next === undefined) {
      next = begin(last);
      last = next.catch(() => {});
    }
    return next;
  };
}
