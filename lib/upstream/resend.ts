import type { MediaSettings } from '../config/settings.js';
import type { Ledger } from './ledger.js';
import type { Line } from './line.js';
import type { Track } from './track.js';

/** Above this part of the memory limit frames are no longer kept for being sent again. */
const RETAIN_SHARE = 0.5;

/**
 * Decides how long frames that the kernel has taken are kept, so that they can be written once more on another connection:
 * all of them until the server has let us in, then (with `kmp_rtmp_out_reconnects`) those that may be lost when the
 * connection breaks: `kmp_rtmp_out_resend` ms of them, from the key frame before.
 */
export class Resend {
  constructor(
    private readonly settings: Pick<MediaSettings, 'outReconnects' | 'outResend'>,
    private readonly ledger: Ledger,
    private readonly now: () => number,
  ) {}

  /** The server has let us in, or does not answer at all. */
  settled(line: Line, tracks: Iterable<Track>): void {
    line.settled = true;
    line.sink.retain = this.settings.outReconnects > 0;
    for (const track of tracks) this.sent(track, line);
  }

  /** The kernel has taken frames of `track`, which goes by `line`. */
  sent(track: Track, line: Line): void {
    if (track.retained.length === 0) return;
    const { settings, ledger } = this;
    const useless = track.isGone || !line.sink.retain || (line.settled && settings.outResend === 0);
    if (useless || ledger.used > ledger.limit * RETAIN_SHARE) {
      this.forget(track, () => true);
      return;
    }
    if (!line.settled) return;
    const safe = this.now() - settings.outResend;
    const { video, audio } = track.stream.tracks;
    if (video === undefined) {
      if (audio !== undefined) this.forget(audio, (frame) => frame.sentAt <= safe);
      return;
    }
    const from = video.retained.lastKeyUntil(safe);
    if (from === undefined) return;
    this.forget(video, (frame) => frame !== from);
    if (audio !== undefined) this.forget(audio, (frame) => frame.ms < from.ms && frame.sentAt <= safe);
  }

  /** What the kernel had not taken of `track` will never be: a track that has ended has no use for it any more. */
  lost(track: Track): void {
    if (!track.isGone) return;
    this.give(track, track.retained.clear());
  }

  private forget(track: Track, done: Parameters<Track['retained']['trim']>[0]): void {
    this.give(track, track.retained.trim(done));
  }

  private give(track: Track, bytes: number): void {
    this.ledger.release(bytes);
    track.memUsed -= bytes;
    // What a track that has left was charged for besides its frames was given back when it left.
    if (track.isGone) return;
    const infos = track.forgetInfos();
    this.ledger.release(infos);
    track.fixedCharge -= infos;
  }
}
