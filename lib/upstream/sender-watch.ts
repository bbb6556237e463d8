import type { Clock, Timer } from '../time/clock.js';

/**
 * ms without a sender after which a broken connection is not opened again. A sender that reconnects later sends again
 * what was not acknowledged.
 */
const DESERTED_AFTER = 60_000;

/** The same if nothing was ever published, ms: long enough for a sender that reconnects. */
const UNPUBLISHED_DESERTED_AFTER = 10_000;

/** What the watch needs from its upstream. */
export interface WatchedUpstream {
  readonly ended: boolean;
  /** True if a track has a sender. */
  readonly hasInput: boolean;
  /** True if its destination was tried in vain, and never took anything: it is given up earlier. */
  readonly wasInVain: boolean;
  /** There has been no sender for so long that none is likely to return. */
  deserted(): void;
}

/** Notices that an upstream has had no sender for so long that none is likely to return. */
export class SenderWatch {
  /** Monotonic ms at which the last input left. */
  private inputLeftAt = Infinity;
  private timer: Timer | undefined;

  constructor(
    private readonly upstream: WatchedUpstream,
    private readonly clock: Clock,
    /** ms for which tracks wait for their senders (`kmp_rtmp_out_linger`). */
    private readonly linger: number,
  ) {}

  get isDeserted(): boolean {
    return !this.upstream.hasInput && this.clock.now() - this.inputLeftAt >= this.desertedAfter;
  }

  /** An input has left. */
  inputLeft(): void {
    this.inputLeftAt = this.clock.now();
  }

  /**
   * Begins to wait, if there is no sender. Call it whenever that, or {@link WatchedUpstream.wasInVain}, may have
   * changed.
   */
  update(): void {
    this.stop();
    const { upstream, clock } = this;
    if (upstream.ended || upstream.hasInput) return;
    const check = (): void => {
      if (upstream.ended || upstream.hasInput) return;
      if (this.isDeserted) upstream.deserted();
      else this.update();
    };
    const wait = Math.max(0, this.inputLeftAt + this.desertedAfter - clock.now());
    this.timer = clock.after(wait, check, false);
  }

  stop(): void {
    this.timer?.cancel();
  }

  private get desertedAfter(): number {
    return this.upstream.wasInVain ? UNPUBLISHED_DESERTED_AFTER : Math.max(DESERTED_AFTER, this.linger);
  }
}
