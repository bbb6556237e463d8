import type { MediaSettings } from '../../../config/settings.js';
import type { MediaType } from '../../../media/codec.js';
import type { AckedBytes } from '../../../rtmp/chunk/acked-bytes.js';
import type { Ledger } from '../../tracks/ledger.js';
import type { Kept } from '../../tracks/retention.js';
import type { Track } from '../../tracks/track.js';
import type { RtmpConnection } from '../rtmp-connection.js';

/** Written frames are not kept while more than this share of the memory limit is used. */
const KEEP_SHARE = 0.5;

/**
 * Decides how long frames are kept after the kernel has taken them, so that they can be written again on another
 * connection. Until the server has accepted connect, all frames are kept. After that, if a broken connection may be
 * opened again, only frames that may be lost when the connection breaks are kept. If the server acknowledges what it
 * reads, its acknowledgements decide. Otherwise, or before the first acknowledgement, the frames of the last
 * `kmp_rtmp_out_resend` ms are in doubt.
 *
 * Video is kept from the key frame before the first frame in doubt, because a decoder cannot start elsewhere. Audio is
 * kept from the time of that key frame on, even if the server has read it: a server that is killed loses what it has
 * read and not written (SRS: a fifth of a second), and a recording that begins with these pictures needs their sound.
 */
export class ResendPolicy {
  /**
   * @param canReconnect whether a broken connection may be opened again, there or at a backup
   * @param now monotonic ms
   */
  constructor(
    private readonly settings: Pick<MediaSettings, 'outResend' | 'outTimeout'>,
    private readonly canReconnect: boolean,
    private readonly ledger: Ledger,
    private readonly now: () => number,
  ) {}

  /** The server has accepted connect, or counts as one that never answers. */
  connectAnswered(connection: RtmpConnection, tracks: Iterable<Track>): void {
    connection.encoder.keepWritten = this.canReconnect;
    for (const track of tracks) this.sent(track, connection);
  }

  /** The kernel has taken frames of `track`, which is on `connection`. */
  sent(track: Track, connection: RtmpConnection): void {
    if (track.retained.length === 0) return;
    const { settings, ledger } = this;
    const answered = connection.isSettled;
    const useless = track.isGone || !connection.encoder.keepWritten || (answered && settings.outResend === 0);
    if (useless || ledger.used > ledger.limit * KEEP_SHARE) {
      track.forgetRetained(() => true);
      return;
    }
    if (answered) forgetDone(track.stream.tracks, this.now() - settings.outResend);
  }

  /**
   * `connection` is closed. Frames of `tracks` that its server has acknowledged are forgotten. Time does not count
   * here, because the connection may have been broken for an unknown time.
   */
  connectionLost(connection: RtmpConnection, tracks: Iterable<Track>): void {
    if (!connection.isSettled) return;
    for (const track of tracks) forgetDone(track.stream.tracks, -Infinity);
  }

  /** Monotonic ms until which frames of `track` may have to be written again; Infinity: not known yet; 0: none. */
  doubtUntil({ retained }: Track, connection: RtmpConnection | undefined): number {
    const { outResend, outTimeout } = this.settings;
    if (!this.canReconnect || outResend === 0 || connection === undefined || retained.length === 0) return 0;
    return connection.isSettled ? retained.doubtUntil(outResend, outTimeout) : Infinity;
  }

  /**
   * Frames of `track` that the connection of `acked` has not sent will never be sent there. If the track has ended,
   * they are not needed any more. Frames that another connection still sends are not changed.
   */
  framesLost(track: Track, acked: AckedBytes): void {
    if (!track.isGone) return;
    for (const frame of track.retained.takeUnsent(acked)) track.memory.release(frame);
    track.forgetRetained(() => true);
  }
}

/** @param safe monotonic ms; frames sent by then count as arrived, if only time decides */
function forgetDone({ video, audio }: Readonly<Partial<Record<MediaType, Track>>>, safe: number): void {
  const behind = [video, audio].map((track) => track?.retained.behindAt(safe)).filter((acked) => acked !== undefined);
  // If a server acknowledges, but has not acknowledged these frames in time, it may not have read them.
  const old = (kept: Kept): boolean => {
    const isBehind = kept.acked !== undefined && behind.includes(kept.acked);
    return kept.isSent && kept.sentAt <= safe && !isBehind;
  };
  const done = (kept: Kept): boolean => kept.isAcked || old(kept);
  const from = video?.retained.lastBeginning(done);
  if (video !== undefined && from !== undefined) video.forgetRetained(({ seq }) => seq !== from.seq);
  if (audio === undefined) return;
  const ahead = (kept: Kept): boolean => video === undefined || (from !== undefined && kept.ms < from.ms);
  audio.forgetRetained((kept) => done(kept) && ahead(kept));
}
