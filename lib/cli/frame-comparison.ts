import { createHash } from 'node:crypto';
import type { IngestMessage } from '../ingest/ingest-stream.js';
import type { MediaType } from '../media/codec.js';
import { toMs } from '../media/timescale.js';
import type { OutFrame } from '../send/client-options.js';
import { parseAudioBody, parseVideoBody } from '../source/flv/flv-body.js';

/** What was sent and received of one track. */
export interface ComparisonReport {
  readonly framesIn: number;
  readonly bytesIn: number;
  readonly framesOut: number;
  readonly bytesOut: number;
  /** Frames that were sent and not received. */
  readonly lost: number;
  /** Frames that were received but not sent like that: damaged, repeated, in the wrong order or at another time. */
  readonly wrong: number;
  /** ms from sent to received, sorted. */
  readonly delays: readonly number[];
}

interface Sent {
  readonly key: string;
  readonly at: number;
}

/** Compares the frames of a track that were sent with those that were received: content, time and order. */
export class FrameComparison {
  private readonly waiting: Sent[] = [];
  private readonly delays: number[] = [];
  private framesIn = 0;
  private bytesIn = 0;
  private framesOut = 0;
  private bytesOut = 0;
  private skipped = 0;
  private wrong = 0;

  /** @param timescale of the frames that are sent */
  constructor(
    private readonly type: MediaType,
    private readonly timescale: number,
  ) {}

  /** Frames that were received, correct or wrong. */
  get received(): number {
    return this.framesOut;
  }

  /** A frame was sent at the monotonic time `at`, ms. */
  sent(frame: OutFrame, at: number): void {
    const dts = toMs(frame.dts, this.timescale);
    const cts = toMs(frame.dts + frame.ptsDelay, this.timescale) - dts;
    this.waiting.push({ key: keyOf(frame.data, dts, cts), at });
    this.framesIn++;
    this.bytesIn += frame.data.length;
  }

  /** A message was received from the service; sequence headers and other messages do not count. */
  frameReceived({ payload, timestamp }: IngestMessage, at: number): void {
    const body = this.type === 'video' ? parseVideoBody(payload) : parseAudioBody(payload);
    if (body.kind !== 'frame') return;
    this.framesOut++;
    this.bytesOut += body.data.length;
    const key = keyOf(body.data, timestamp, body.cts);
    const index = this.waiting.findIndex((sent) => sent.key === key);
    const found = this.waiting[index];
    if (found === undefined) {
      this.wrong++;
      return;
    }
    // The frames before it were skipped. If they arrive later, they are in the wrong order.
    this.skipped += index;
    this.waiting.splice(0, index + 1);
    this.delays.push(at - found.at);
  }

  report(): ComparisonReport {
    const { framesIn, bytesIn, framesOut, bytesOut, wrong } = this;
    const delays = [...this.delays].sort((a, b) => a - b);
    return { framesIn, bytesIn, framesOut, bytesOut, wrong, lost: this.skipped + this.waiting.length, delays };
  }
}

/** The value that a share `part` (0 to 1) of the values does not exceed; undefined if there are none. */
export function percentile(sorted: readonly number[], part: number): number | undefined {
  return sorted[Math.max(0, Math.ceil(sorted.length * part) - 1)];
}

function keyOf(data: Buffer, dts: number, cts: number): string {
  return `${createHash('sha1').update(data).digest('base64')} ${dts} ${cts}`;
}
