import type { Frame } from '../../media/frame.js';
import type { MediaInfo } from '../../media/media-info.js';
import { Latency } from './latency.js';
import type { InputStatus } from '../report/status.js';
import type { Sums } from '../report/totals.js';

/** The counters of a KMP connection (docs/protocol/kmp.md, Input counters). */
export class InputCounters {
  bytes = 0;
  frames = 0;
  /** `created` of the last accepted frame, timescale units. */
  lastCreated = 0;
  readonly skipped = { duplicate: 0, empty: 0, empty_duration: 0, no_media_info: 0, no_key: 0 };
  private dataBytes = 0;
  private keyFrames = 0;
  private readonly latency = new Latency();

  /** Counts an accepted frame. @param wall ms since 1970 */
  frame(frame: Frame, wall: number, timescale: number): void {
    this.frameOf(frame.size, frame.isKey, frame.created, (wall / 1000) * timescale);
  }

  /** The same for a frame in numbers. @param now the present time in the same units as `created` */
  frameOf(size: number, isKey: boolean, created: number, now: number): void {
    this.frames++;
    if (isKey) this.keyFrames++;
    this.dataBytes += size;
    this.lastCreated = created;
    this.latency.add(now - created);
  }

  status(): Omit<InputStatus, 'connection' | 'remote_addr' | 'channel_id' | 'track_id' | 'uptime'> {
    return {
      received_bytes: this.bytes,
      received_data_bytes: this.dataBytes,
      received_frames: this.frames,
      received_key_frames: this.keyFrames,
      last_created: this.lastCreated,
      skipped_frames: { ...this.skipped },
      latency: this.latency.status(),
    };
  }

  addTo(sums: Sums, info: MediaInfo | undefined): void {
    sums.input_bytes += this.bytes;
    if (info === undefined) return;
    const frames = sums.frames[info.mediaType];
    frames.received += this.frames;
    for (const skipped of Object.values(this.skipped)) frames.skipped += skipped;
  }
}
