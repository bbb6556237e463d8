import type { Clock, Timer } from '../../time/clock.js';
import type { BooksOwner } from './books.js';
import type { Resend } from './resend-policy.js';
import type { Track } from '../tracks/track.js';

/**
 * Tracks without a sender that have written all they had, and may have to write some of it again: nobody else would, since
 * their senders were told that it is done. They end when that is over (spec/behaviour.md, Lives, with reconnects on); until
 * then a sender that comes back finds its track.
 */
export class Endings {
  private readonly waiting = new Map<Track, Timer | undefined>();

  constructor(
    private readonly clock: Clock,
    private readonly resend: Resend,
    private readonly owner: Pick<BooksOwner, 'drained'>,
  ) {}

  /** True if `track` must not end yet; it is told when it may. */
  waitsFor(track: Track): boolean {
    this.forget(track);
    const wait = this.resend.doubtUntil(track) - this.clock.now();
    if (wait <= 0) return false;
    this.waiting.set(track, wait === Infinity ? undefined : this.clock.after(wait, () => this.look()));
    return true;
  }

  /** More is known of what has arrived. */
  look(): void {
    for (const track of [...this.waiting.keys()]) {
      this.forget(track);
      // One that has a sender again, or something to write, comes back when it has not.
      if (track.ended && track.length === 0) this.owner.drained(track);
    }
  }

  stop(): void {
    for (const track of [...this.waiting.keys()]) this.forget(track);
  }

  private forget(track: Track): void {
    this.waiting.get(track)?.cancel();
    this.waiting.delete(track);
  }
}
