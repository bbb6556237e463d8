import type { Clock, Timer } from '../../../time/clock.js';
import type { Track } from '../../tracks/track.js';

/**
 * Ends tracks after their inputs have left (docs/protocol/behaviour.md, Lifetimes). All decisions about this are made
 * here. The track goes through two phases before it ends:
 *
 * - draining: it still has frames in its queue;
 * - confirming: everything is written, but with reconnects some frames may have to be written again. Only this service
 *   can do that, because the sender has its acknowledgement. A sender that reconnects meanwhile finds its track.
 */
export class TrackEnds {
  /** Tracks that are confirming, with a timer if only time will confirm them. */
  private readonly confirming = new Map<Track, Timer | undefined>();

  /**
   * @param doubtUntil monotonic ms until which frames of a track may have to be written again; Infinity: not known yet
   * @param onEnd called once for each track
   */
  constructor(
    private readonly clock: Clock,
    private readonly doubtUntil: (track: Track) => number,
    private readonly onEnd: (track: Track) => void,
  ) {}

  /** Call it when the input of the track has left, or when its last frame was written. */
  check(track: Track): void {
    this.forget(track);
    // A track with an input continues. A track with queued frames is checked again when they are written.
    if (!track.ended || track.length > 0 || track.isGone) return;
    const wait = this.doubtUntil(track) - this.clock.now();
    if (wait > 0)
      this.confirming.set(track, wait === Infinity ? undefined : this.clock.after(wait, () => this.check(track)));
    else this.onEnd(track);
  }

  /** Call it when frames were sent or acknowledged, or a connection was lost. */
  deliveryChanged(): void {
    if (this.confirming.size === 0) return;
    for (const track of [...this.confirming.keys()]) this.check(track);
  }

  stop(): void {
    for (const track of [...this.confirming.keys()]) this.forget(track);
  }

  private forget(track: Track): void {
    this.confirming.get(track)?.cancel();
    this.confirming.delete(track);
  }
}
