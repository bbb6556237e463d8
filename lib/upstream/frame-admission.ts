import type { Clock } from '../time/clock.js';
import type { MediaSettings } from '../config/settings.js';
import type { Frame } from '../media/frame.js';
import type { MediaInfo } from '../media/media-info.js';
import type { CloseReason } from './report/close-reason.js';
import { MemoryGuard, type GuardedUpstream } from './memory-guard.js';
import { frameCharge, infoCharge } from './tracks/ledger.js';
import type { Overload } from './tracks/overload.js';
import { ADMITTED } from './tracks/track-memory.js';
import type { Track } from './tracks/track.js';

/** What is needed from the upstream. */
export interface AdmissionOwner extends GuardedUpstream {
  /** Ends the upstream at once. */
  fail(reason: CloseReason, message: string): void;
}

/** Decides which received frames an upstream takes, and charges their memory; see `kmp_rtmp_out_overload`. */
export class FrameAdmission {
  private readonly mayDrop: boolean;
  private readonly guard: MemoryGuard;
  // Asked for only if frames are dropped, which is rare: not for each frame.
  private readonly allTracks = (): Track[] => [...this.owner.allTracks()];
  private readonly waitingTracks = (): Track[] =>
    this.allTracks().filter((one) => one.stream.outlet?.isWaiting === true);

  constructor(
    private readonly owner: AdmissionOwner,
    private readonly overload: Overload,
    private readonly clock: Clock,
    settings: MediaSettings,
  ) {
    this.mayDrop = settings.outOverload === 'drop_frames';
    this.guard = new MemoryGuard(owner, settings, clock);
  }

  /**
   * Whether a received frame is admitted, or dropped because memory runs out. While the upstream waits for a server,
   * nothing can take its frames: they are dropped without that directive, too.
   */
  admits(track: Track, frame: Frame): boolean {
    const { overload } = this;
    // A frame that is dropped has arrived, too: its sender is not silent.
    track.receivedAt = frame.arrivedAt;
    if (this.drops(track)) this.guard.thin(frameCharge(frame));
    if (track.stream.outlet?.isWaiting === true) return overload.admitsWaiting(track, frame, this.waitingTracks);
    if (this.mayDrop) return overload.admits(track, frame, this.allTracks);
    return overload.endsGroup(track, frame);
  }

  /** True if the frames of a track are all admitted, as long as there is room for them. */
  isPlain(track: Track): boolean {
    const { mayDrop, guard } = this;
    return !mayDrop && !guard.isWatching && track.dropping === undefined && track.stream.outlet?.isWaiting !== true;
  }

  /**
   * Charges the bytes of an unfinished packet.
   *
   * @param isFirst the track holds nothing else so far
   */
  partial(track: Track, held: number, isFirst: boolean): void {
    const { owner, guard } = this;
    // What has been charged for this packet is replaced.
    const more = held - track.memory.partialBytes;
    if (more > 0 && guard.isWatching) guard.check(track, more, this.drops(track));
    if (track.isGone || track.memory.setPartial(held)) return;
    if (this.makesRoom(held) && track.memory.setPartial(held)) return;
    owner.fail(
      isFirst ? 'mem_limit_exceeded' : 'get_buf_failed',
      `the memory limit of ${owner.ledger.limit} bytes was reached by an incomplete packet, of which ${held} bytes have arrived`,
    );
  }

  /** A media info of a track has arrived: disconnects its sender if it uses too much memory. */
  infoArrived(track: Track, info: MediaInfo): void {
    if (this.guard.isWatching) this.guard.check(track, infoCharge(info), this.drops(track));
  }

  /** Whether frames are dropped when the memory runs out. */
  private drops(track: Track): boolean {
    return this.mayDrop || track.stream.outlet?.isWaiting === true;
  }

  /** Makes room for `bytes`, if frames may be dropped for that. Returns false if there is none. */
  private makesRoom(bytes: number): boolean {
    const { owner } = this;
    return owner.ledger.left >= bytes || (this.mayDrop && this.overload.free(bytes, this.allTracks));
  }

  /** Takes numbered frames: counts their memory and passes them to the merger. */
  accept(track: Track, frames: readonly Frame[]): void {
    const { owner, guard } = this;
    if (guard.isWatching) {
      guard.check(
        track,
        frames.reduce((sum, frame) => sum + frameCharge(frame), 0),
        this.drops(track),
      );
      if (track.isGone) {
        for (const frame of frames) frame.release();
        return;
      }
    }
    if (this.mayDrop && !this.overload.takes(track, frames, this.allTracks)) return;
    const failure = track.memory.admit(frames);
    if (failure !== undefined) {
      owner.fail(failure, `the memory limit of ${owner.ledger.limit} bytes was reached by ${ADMITTED[failure]}`);
      return;
    }
    // A whole number: V8 makes an object for any other number in this field.
    track.receivedAt = Math.floor(this.clock.now());
    track.stream.outlet?.write(track, frames);
  }
}
