import type { PacketBatch } from '../kmp/decoder.js';
import type { KmpPacket } from '../kmp/packet.js';
import { asError } from '../base/errors.js';
import { Frame } from '../media/frame.js';
import type { MediaInfo } from '../media/media-info.js';
import { toMs } from '../media/timescale.js';
import { Writable } from '../base/streams.js';
import type { FrameRules } from '../upstream/intake/frame-rules.js';
import { checkSize } from '../upstream/intake/input-error.js';
import type { StreamTrack } from './stream-track.js';

/** What the writer of a track needs of its merger. */
export interface TrackOwner {
  /** The track has its first media info. @throws KmpRtmpError if it cannot join */
  announced(track: StreamTrack, info: MediaInfo): void;
  enqueue(track: StreamTrack, frames: readonly Frame[]): void;
  process(): void;
  /** The track has no more frames. */
  ended(track: StreamTrack): void;
}

/**
 * The input of a {@link StreamMerger} for one track: takes what a `KmpDecoder` gives. Connect packets and keep-alives
 * are ignored. Media infos and frames follow the rules of the service's inputs (docs/protocol/kmp.md, Rules of the
 * input, 3 to 5).
 */
export class TrackWriter extends Writable {
  /** Frames that were skipped. */
  skippedFrames = 0;
  private hasEnded = false;
  /** True once the end of the stream has come: what follows is ignored. */
  private ended = false;
  private resume: (() => void) | undefined;

  /** @param maxPending bytes of waiting frames above which writers are held back, until half of them is gone */
  constructor(
    private readonly track: StreamTrack,
    private readonly owner: TrackOwner,
    private readonly rules: FrameRules,
    maxPending: number,
  ) {
    super({ objectMode: true, highWaterMark: 1 });
    track.onTaken = () => {
      if (this.resume !== undefined && track.pendingBytes <= maxPending / 2) this.resume();
    };
    this.isFull = () => track.pendingBytes > maxPending;
  }

  private readonly isFull: () => boolean;

  override _write(batch: PacketBatch, _encoding: BufferEncoding, callback: (error?: Error | null) => void): void {
    try {
      this.take(batch);
    } catch (error) {
      callback(asError(error));
      return;
    }
    this.owner.process();
    if (!this.isFull()) {
      callback();
      return;
    }
    this.resume = () => {
      this.resume = undefined;
      callback();
    };
  }

  override _final(callback: (error?: Error | null) => void): void {
    this.endTrack();
    callback();
  }

  override _destroy(error: Error | null, callback: (error: Error | null) => void): void {
    this.endTrack();
    callback(error);
  }

  private take(batch: PacketBatch): void {
    let frames: Frame[] = [];
    for (const packet of batch.packets) {
      if (packet instanceof Frame) {
        if (this.accepts(packet)) frames.push(packet);
        continue;
      }
      // A media info applies to the frames after it.
      this.owner.enqueue(this.track, frames);
      frames = [];
      this.control(packet);
    }
    this.owner.enqueue(this.track, frames);
  }

  private accepts(frame: Frame): boolean {
    checkSize('fram', frame.size);
    const { info } = this.rules;
    if (this.ended || info === undefined || this.rules.skips(frame) !== undefined) {
      this.skippedFrames++;
      return false;
    }
    frame.ms = toMs(frame.dts, info.timescale);
    return true;
  }

  private control(packet: Exclude<KmpPacket, Frame>): void {
    if (packet.kind === 'end') this.ended = true;
    if (packet.kind !== 'mediaInfo' || this.ended) return;
    this.rules.mediaInfo(packet.info);
    if (this.track.announce(packet.info)) this.owner.announced(this.track, packet.info);
  }

  private endTrack(): void {
    if (this.hasEnded) return;
    this.hasEnded = true;
    this.resume = undefined;
    this.owner.ended(this.track);
  }
}
