import type { MediaSettings } from '../config/settings.js';
import type { Clock } from '../time/clock.js';
import type { Ledger } from './tracks/ledger.js';
import { SenderRejected } from './tracks/track-refused.js';
import type { Track } from './tracks/track.js';

/** What is needed from the upstream. */
export interface GuardedUpstream {
  readonly ledger: Ledger;
  allTracks(): Iterable<Track>;
  /** Ends a track at once, with its connection. */
  rejectTrack(track: Track, error: SenderRejected): void;
}

/** Share of the memory above which a sender that floods is disconnected. The rest is for encoding. */
const NEARLY_ALL = 0.9;
/** Share of what a track holds that may have arrived before the time that frames wait anyway. */
const OLD_SHARE = 0.25;
/** Share above which its queue is emptied, where video would be dropped otherwise. */
const MUCH = 0.7;

type Settings = Pick<
  MediaSettings,
  'outTrackMemLimit' | 'outMaxProcessDelay' | 'outFlushTimeout' | 'outWriteMetaTimeout'
>;

/**
 * Keeps one track from using the memory of all tracks of its upstream. A sender floods if the memory runs out although
 * the server is in time: most of what the track holds has arrived within the time that frames wait anyway. If the
 * server is behind, much of it is older, and `kmp_rtmp_out_overload` decides. The age of the first frame alone says
 * nothing: a flood can begin with a small frame that waits for its second track, or for the server.
 */
export class MemoryGuard {
  private readonly trackLimit: number;
  private readonly isOff: boolean;
  /** ms for which a frame waits if the server takes everything. */
  private readonly ordinaryWait: number;
  /** ms that are added to this before the metadata of its stream is written. */
  private readonly metaWait: number;

  constructor(
    private readonly owner: GuardedUpstream,
    { outTrackMemLimit: limit, outMaxProcessDelay, outFlushTimeout, outWriteMetaTimeout }: Settings,
    private readonly clock: Clock,
  ) {
    this.trackLimit = typeof limit === 'number' ? limit : Infinity;
    this.isOff = limit === 'off';
    this.ordinaryWait = outMaxProcessDelay + outFlushTimeout;
    this.metaWait = outWriteMetaTimeout;
  }

  /** Whether it is worth knowing how many bytes will be charged. */
  get isWatching(): boolean {
    const { left, limit } = this.owner.ledger;
    return this.trackLimit !== Infinity || (!this.isOff && left < limit / 2);
  }

  /**
   * Call it before `bytes` more are charged for a track. Disconnects the track if it is above its own limit, or else
   * the senders that flood, if there are any.
   *
   * @param drops whether frames are dropped when the memory runs out
   */
  check(track: Track, bytes: number, drops: boolean): void {
    const { ledger } = this.owner;
    if (track.memory.total + bytes > this.trackLimit) {
      this.reject(track, `the track may use ${this.trackLimit} bytes`);
      return;
    }
    if (drops) this.thin(bytes);
    while (!this.isOff && ledger.used + bytes > ledger.limit * NEARLY_ALL) {
      const flooder = this.flooder(drops);
      if (flooder === undefined) return;
      this.reject(flooder, `the track uses ${flooder.memory.total} of the ${ledger.limit} bytes of its upstream`);
    }
  }

  /**
   * Empties the queue of a sender that floods, so that no frames of the others are dropped. Call it before a frame may
   * be dropped.
   *
   * @param bytes that will be charged
   */
  thin(bytes: number): void {
    const { ledger } = this.owner;
    if (this.isOff || ledger.used + bytes <= ledger.limit * MUCH) return;
    const flooder = this.flooder(true);
    if (flooder === undefined || flooder.length === 0) return;
    const frames = flooder.removeUnless(() => false);
    flooder.discardAll(frames, 'slow');
    flooder.dropping = flooder.mediaType === 'video' ? 'slow' : undefined;
  }

  /**
   * The largest track of the address that uses most memory, if it floods and there are other tracks.
   *
   * @param fromElsewhere only if there are tracks of other addresses: one sender shares its memory as
   *   `kmp_rtmp_out_overload` says
   */
  private flooder(fromElsewhere: boolean): Track | undefined {
    if (!this.hasSeveral(fromElsewhere)) return undefined;
    const tracks = [...this.owner.allTracks()];
    const sums = new Map<string, number>();
    for (const track of tracks) {
      sums.set(addressOf(track), (sums.get(addressOf(track)) ?? 0) + track.memory.total);
    }
    const weight = (track: Track): number => sums.get(addressOf(track)) ?? 0;
    const [largest] = tracks.sort((a, b) => weight(b) - weight(a) || b.memory.total - a.memory.total);
    if (largest?.input === undefined) return undefined;
    const { partialBytes, total } = largest.memory;
    if (partialBytes > total / 2) return largest;
    // Without queued frames, it holds frames that are being sent.
    return largest.length > 0 && this.isRecent(largest) ? largest : undefined;
  }

  /** Whether most of what a track holds has arrived within the time that frames wait anyway. */
  private isRecent(track: Track): boolean {
    const before = this.clock.now() - this.ordinaryWait - (track.ready ? 0 : this.metaWait);
    const most = track.memory.total * OLD_SHARE;
    let old = 0;
    for (let i = 0; i < track.length; i++) {
      const frame = track.at(i);
      if (frame === undefined || frame.arrivedAt > before) break;
      old += frame.charge;
      if (old > most) return false;
    }
    return true;
  }

  /** Whether there are several tracks, or tracks of several addresses. Called for each frame if memory runs out. */
  private hasSeveral(addresses: boolean): boolean {
    let first: string | undefined;
    for (const track of this.owner.allTracks()) {
      const address = addressOf(track);
      if (first !== undefined && (!addresses || address !== first)) return true;
      first = address;
    }
    return false;
  }

  private reject(track: Track, why: string): void {
    const message = `memory: ${why} (kmp_rtmp_out_track_mem_limit)`;
    this.owner.rejectTrack(track, new SenderRejected('track_memory', message));
  }
}

function addressOf({ input }: Track): string {
  return input?.address ?? '';
}
