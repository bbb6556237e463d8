import { setImmediate } from 'node:timers/promises';

/**
 * Wraps `make` so that simultaneous callers share one result, which may be expensive and large. Only one call of `make`
 * runs at a time. It begins in the next turn of the event loop. A caller that arrives after the beginning gets the next
 * result, so no result is older than its request. Callers must not modify the results.
 */
export function coalesce<T>(make: () => Promise<T>): () => Promise<T> {
  /** The next result, whose creation has not begun. */
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
      // Without its value: a large result is not kept until the next request.
      last = next.then(
        () => {},
        () => {},
      );
    }
    return next;
  };
}
