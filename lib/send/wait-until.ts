import type { Clock } from '../time/clock.js';

/** Resolves at the monotonic time `due` or when the signal is aborted, whichever comes first. */
export function waitUntil(clock: Clock, due: number, signal?: AbortSignal): Promise<void> {
  const wait = due - clock.now();
  if (wait <= 0 || signal?.aborted === true) return Promise.resolve();
  return new Promise((resolve) => {
    const finish = (): void => {
      timer.cancel();
      signal?.removeEventListener('abort', finish);
      resolve();
    };
    const timer = clock.after(wait, finish);
    signal?.addEventListener('abort', finish, { once: true });
  });
}
