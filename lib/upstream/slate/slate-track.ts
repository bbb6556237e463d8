import { Frame, KEY_FRAME, SLATE_FRAME } from '../../media/frame.js';
import { sameMediaInfo, type MediaInfo } from '../../media/media-info.js';
import { toMs } from '../../media/timescale.js';
import { frameCharge } from '../tracks/ledger.js';
import type { Track } from '../tracks/track.js';
import type { TrackSlate } from '../tracks/track-slate.js';
import type { FrozenPicture, SlateSource } from './slate-source.js';

/** Frames that may wait. The rest waits for a slow server. */
const MOST_WAITING = 1_000;

/** The key frame that a frozen track shows. */
interface KeptKey {
  readonly picture: FrozenPicture;
  readonly info: MediaInfo;
}

/**
 * Fills the gaps of one track with the frames of a slate (docs/protocol/behaviour.md, Slates). They go through the
 * queue of the track, so that they are in order with the frames of the other one.
 */
export class SlateTrack implements TrackSlate {
  shown: TrackSlate['shown'];
  private source: SlateSource | undefined;
  private active = false;
  /** Time of the next frame, ms, with a fraction. */
  private nextMs = 0;
  private lastDuration = 0;
  /** Time of the last frame of the sender, ms. */
  private realMs = -Infinity;
  private kept: KeptKey | undefined;

  /** @param wall ms since 1970 */
  constructor(
    private readonly track: Track,
    private readonly wall: () => number,
  ) {}

  get isActive(): boolean {
    return this.active;
  }

  /** Time of the next frame, ms. */
  get sentUntil(): number {
    return this.nextMs;
  }

  get floorMs(): number | undefined {
    if (!this.active) return undefined;
    const { writtenMs } = this.track;
    return writtenMs > this.realMs ? this.endOf(writtenMs) : this.realMs;
  }

  /** The last key frame, if what is written now is the media that it belongs to. */
  get picture(): FrozenPicture | undefined {
    const { kept, track } = this;
    return kept !== undefined && sameMediaInfo(kept.info, track.infoOfLastFrame) ? kept.picture : undefined;
  }

  keyFrame(frame: Frame, info: MediaInfo): void {
    this.kept = undefined;
    if (!this.track.memory.setKept(frame.size)) return;
    // A copy, because the block of the frame is used again.
    const data = Buffer.concat(frame.parts, frame.size);
    const ctsMs = toMs(frame.dts + frame.ptsDelay, info.timescale) - toMs(frame.dts, info.timescale);
    this.kept = { picture: { data, ctsMs }, info };
  }

  /** Begins. Its first frame follows the last one of the sender. */
  start(source: SlateSource): void {
    this.source = source;
    this.active = true;
    this.realMs = this.track.lastMs;
    this.nextMs = source.begin(this.realMs);
  }

  /** Leaves out the frames before `ms`. */
  skipTo(ms: number): void {
    if (this.source !== undefined && this.nextMs < ms) this.nextMs = this.source.begin(ms);
  }

  /**
   * Sends the frames up to the time `until`, ms.
   *
   * @param now monotonic ms, of their arrival
   * @param seq the sequence number of the next frame of the sender
   */
  fill(now: number, until: number, seq = this.track.ids.next): void {
    const { track, source } = this;
    if (source === undefined) return;
    const frames: Frame[] = [];
    let bytes = 0;
    while (this.nextMs <= until && track.length + frames.length < MOST_WAITING) {
      const part = source.next();
      if (part === undefined) break;
      const { isKey, ctsMs, data, durationMs } = part;
      const ms = Math.round(this.nextMs);
      const { timescale } = source.shown?.info ?? track.info;
      const units = (ms: number): number => Math.round((ms * timescale) / 1000);
      const frame = new Frame(units(this.wall()), units(ms), isKey ? KEY_FRAME : 0, units(ctsMs), data.length, data);
      bytes += frameCharge(frame);
      this.lastDuration = durationMs;
      this.nextMs += durationMs;
      if (!track.memory.hasRoom(bytes)) {
        // The server is slow. The source continues at a frame that can be decoded without the one that is left out.
        this.nextMs = source.begin(ms);
        break;
      }
      frame.ms = ms;
      frame.arrivedAt = Math.floor(now);
      frame.seq = seq;
      frame.sentAt = SLATE_FRAME;
      frames.push(frame);
    }
    if (frames.length === 0 || track.memory.admit(frames) !== undefined) return;
    track.stream.outlet?.write(track, frames);
  }

  switchTo(slate: boolean): boolean {
    const before = this.shown;
    this.shown = slate ? this.source?.shown : undefined;
    return this.shown !== before;
  }

  end(frame: Frame): void {
    const { track } = this;
    if (!this.active) return;
    // Up to the frame of the sender: players stop at a gap in the sound.
    this.fill(frame.arrivedAt, frame.ms - this.lastDuration, frame.seq);
    this.active = false;
    const overlaps = track.removeUnless((one) => one.sentAt !== SLATE_FRAME || this.endOf(one.ms) <= frame.ms);
    for (const one of overlaps) track.drop(one);
  }

  close(): void {
    this.active = false;
    this.kept = undefined;
    this.track.memory.setKept(0);
  }

  /** The lowest time of a frame behind the one at `ms`. */
  private endOf(ms: number): number {
    // Pictures may follow each other as closely as they like.
    return this.track.mediaType === 'video' ? ms + 1 : ms + Math.floor(this.lastDuration);
  }
}
