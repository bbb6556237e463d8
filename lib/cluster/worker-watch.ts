import type { Clock, Timer } from '../time/clock.js';

/** ms between two signs of life that are asked for. */
const INTERVAL = 1_000;
/** Signs of life in sequence that may be missing. After that the worker hangs, and is killed. */
const MISSING = 5;
/** From so many missing signs of life on, the worker counts as silent: it may hang. */
const SILENT = 2;

/**
 * Notices that a worker hangs: its process lives, but does nothing. Missing signs of life are counted, not time. A
 * primary that was held up itself, or a machine that was asleep, has asked only once meanwhile.
 */
export class WorkerWatch {
  private timer: Timer | undefined;
  private missing = 0;
  private stopped = false;

  /**
   * @param ask requests a sign of life
   * @param onHang called once
   */
  constructor(
    private readonly clock: Clock,
    private readonly ask: () => void,
    private readonly onHang: () => void,
  ) {
    this.next();
  }

  /** True while signs of life are missing. */
  get isSilent(): boolean {
    return this.missing > SILENT;
  }

  /** The worker has sent something. */
  heard(): void {
    this.missing = 0;
  }

  stop(): void {
    this.stopped = true;
    this.timer?.cancel();
  }

  private next(): void {
    this.timer = this.clock.after(INTERVAL, () => this.check(), false);
  }

  private check(): void {
    if (++this.missing > MISSING) {
      this.stop();
      this.onHang();
      return;
    }
    this.ask();
    // Only after the event loop has read what workers have sent.
    setImmediate(() => {
      if (!this.stopped) this.next();
    });
  }
}
