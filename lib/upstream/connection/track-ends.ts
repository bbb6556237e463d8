import type { Clock, Timer } from '../../time/clock.js';
import type { Track } from '../tracks/track.js';

/**
 * The end of tracks whose inputs have left (spec/behaviour.md, Lives). Such a track goes through two phases, and this is the
 * only place that decides about them:
 *
 * 1. draining: it still has frames in its queue;
 * 2. confirming: everything is written, but with reconnects on some of it may have to be written again. Only this service
 *    can do that, because the sender has its acknowledgement. A sender that reconnects meanwhile finds its track.
 *
 * Then it ends.
 */
export class TrackEnds {
  /** Tracks in phase 2, with a timer where time alone will confirm them. */
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

  /** To be called when the input of the track has left, or when its last frame was written. */
  check(track: Track): void {
    this.forget(track);
    // A track with an input goes on. One with frames in its queue is checked again when they are written.
    if (!track.ended || track.length > 0 || track.isGone) return;
    const wait = this.doubtUntil(track) - this.clock.now();
    if (wait > 0)
      this.confirming.set(track, wait === Infinity ? undefined : this.clock.after(wait, () => this.check(track)));
    else this.onEnd(track);
  }

  /** To be called when more is known of what has arrived: frames were sent or acknowledged, or a connection was lost. */
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
