import type { MediaSettings } from '../../config/settings.js';
import type { MediaType } from '../../media/codec.js';
import type { AckedBytes } from '../../rtmp/acked-bytes.js';
import { frameCharge, type Ledger } from '../tracks/ledger.js';
import type { Line } from './rtmp-connection.js';
import type { Kept } from '../tracks/retention.js';
import type { Track } from '../tracks/track.js';

/** Above this part of the memory limit frames are no longer kept for being sent again. */
const RETAIN_SHARE = 0.5;

/**
 * Decides how long frames that the kernel has taken are kept, so that they can be written once more on another connection:
 * all of them until the server has let us in, then (with `kmp_rtmp_out_reconnects`) those that may be lost when the
 * connection breaks. Where the server acknowledges what it reads, that says which they are; else, and where it says
 * nothing of them yet, those of the last `kmp_rtmp_out_resend` ms count as doubtful.
 *
 * Video is kept from the key frame before the first doubtful frame: a decoder cannot begin elsewhere. Audio that has been
 * read is not: sound that is heard twice is worse than pictures without, and the pictures are those seen already.
 */
export class Resend {
  constructor(
    private readonly settings: Pick<MediaSettings, 'outReconnects' | 'outResend' | 'outTimeout'>,
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
    this.forgetDone(track.stream.tracks, this.now() - settings.outResend);
  }

  /**
   * `line` is no more: of what `tracks` have written to it, that is forgotten which its server has acknowledged since the
   * last call of {@link sent}. By time nothing is: nobody knows for how long it had been broken.
   */
  broken(line: Line, tracks: Iterable<Track>): void {
    if (!line.settled) return;
    for (const track of tracks) this.forgetDone(track.stream.tracks, -Infinity);
  }

  /** Monotonic ms until which `track` may have to write something again; Infinity: not known yet. */
  doubtUntil({ retained, stream: { line } }: Track): number {
    const { outReconnects, outResend, outTimeout } = this.settings;
    if (outReconnects === 0 || outResend === 0 || line === undefined || retained.length === 0) return 0;
    return line.settled ? retained.doubtUntil(outResend, outTimeout) : Infinity;
  }

  /**
   * What the connection of `acked` had not sent of `track` will never be: a track that has ended has no use for it any more.
   * What another one still sends of it is left alone.
   */
  lost(track: Track, acked: AckedBytes): void {
    if (!track.isGone) return;
    const frames = track.retained.takeUnsent(acked);
    for (const frame of frames) frame.release();
    this.give(
      track,
      frames.reduce((sum, frame) => sum + frameCharge(frame), 0),
    );
    this.forget(track, () => true);
  }

  /** @param safe monotonic ms: what has left by then has arrived, as far as time can tell */
  private forgetDone({ video, audio }: Partial<Record<MediaType, Track>>, safe: number): void {
    const behind = [video, audio]
      .map((track) => track?.retained.lastSentUntil(safe))
      .filter((kept) => kept?.isBehind === true)
      .map((kept) => kept?.acked);
    // A server that acknowledges and has not come so far, although there was time, may not have read these either.
    const old = (kept: Kept): boolean => kept.isSent && kept.frame.sentAt <= safe && !behind.includes(kept.acked);
    const done = (kept: Kept): boolean => kept.isAcked || old(kept);
    const from = video?.retained.lastBeginning(done);
    if (video !== undefined && from !== undefined) this.forget(video, ({ frame }) => frame !== from);
    if (audio === undefined) return;
    const ahead = (kept: Kept): boolean => video === undefined || (from !== undefined && kept.frame.ms < from.ms);
    this.forget(audio, (kept) => kept.isAcked || (old(kept) && ahead(kept)));
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
