import type { Clock } from './clock.js';

/**
 * Waits for a promise, but not longer than `ms`.
 *
 * @param ms 0 or more
 * @throws what the promise rejects with before that; a later rejection is ignored
 */
export function within(clock: Clock, ms: number, promise: Promise<unknown>): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = clock.after(ms, resolve);
    void promise.then(() => resolve(), reject).finally(() => timer.cancel());
  });
}
