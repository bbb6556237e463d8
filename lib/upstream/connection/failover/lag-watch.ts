import type { Clock, Timer } from '../../../time/clock.js';

/** ms between two looks at the lag. */
const INTERVAL = 500;

/** Notices that a destination takes media, but lags (`kmp_rtmp_out_failover_lag`). */
export class LagWatch {
  private timer: Timer | undefined;

  /**
   * @param limit ms; Infinity: the lag is not watched
   * @param lag the present lag, ms
   * @param onLag called once for each {@link start}, with the lag
   */
  constructor(
    private readonly clock: Clock,
    private readonly limit: number,
    private readonly lag: () => number,
    private readonly onLag: (lag: number) => void,
  ) {}

  /** A destination is in use. It has as long as the limit to catch up with what was sent before. */
  start(): void {
    if (this.limit !== Infinity) this.check(this.limit);
  }

  stop(): void {
    this.timer?.cancel();
  }

  private check(wait: number): void {
    this.stop();
    this.timer = this.clock.after(
      wait,
      () => {
        const lag = Math.round(this.lag());
        if (lag > this.limit) this.onLag(lag);
        else this.check(INTERVAL);
      },
      false,
    );
  }
}
