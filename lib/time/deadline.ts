import type { Clock, Timer } from './clock.js';

/** ms by which a timer may be late before the process counts as held up. */
const HELD_UP = 50;

/**
 * Calls `fn` once, when an answer has not arrived within `ms`, unless it is cancelled first.
 *
 * A busy process runs the timer before it reads the answer, although the answer has arrived in time. So the event loop
 * first reads what has arrived. If the timer itself is late, the process was held up: then the other side gets that
 * time in addition, but no more than `ms`.
 *
 * @param ms 0 or more
 * @param keepAlive whether the wait keeps the process alive
 */
export function deadline(clock: Clock, ms: number, fn: () => void, keepAlive = false): Timer {
  let cancelled = false;
  const end = (): void => void setImmediate(() => !cancelled && fn());
  const due = clock.now() + ms;
  let timer = clock.after(
    ms,
    () => {
      const late = clock.now() - due;
      if (late <= HELD_UP) end();
      else timer = clock.after(Math.min(late, ms), end, keepAlive);
    },
    keepAlive,
  );
  return {
    cancel() {
      cancelled = true;
      timer.cancel();
    },
  };
}
