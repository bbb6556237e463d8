import { createHash } from 'node:crypto';
import type { IngestMessage } from '../ingest/ingest-stream.js';
import type { MediaType } from '../media/codec.js';
import { toMs } from '../media/timescale.js';
import type { OutFrame } from '../send/client-options.js';
import { parseAudioBody, parseVideoBody } from '../send/source/flv-body.js';

/** What went in and came out of one track. */
export interface ArrivalReport {
  readonly framesIn: number;
  readonly bytesIn: number;
  readonly framesOut: number;
  readonly bytesOut: number;
  /** Sent, and never seen again. */
  readonly lost: number;
  /** Seen, and never sent so: damaged, twice, in the wrong order or at another time. */
  readonly wrong: number;
  /** ms from sent to received, sorted. */
  readonly delays: readonly number[];
}

interface Sent {
  readonly key: string;
  readonly at: number;
}

/** Compares the frames that a track was sent with those that came out of it: content, time and order. */
export class Arrivals {
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

  /** Frames that came out, right or wrong. */
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

  /** A message came out of the RTMP side; sequence headers and the like do not count. */
  came({ payload, timestamp }: IngestMessage, at: number): void {
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
    // What stands before it was passed over; should it come later, it is in the wrong order.
    this.skipped += index;
    this.waiting.splice(0, index + 1);
    this.delays.push(at - found.at);
  }

  report(): ArrivalReport {
    const { framesIn, bytesIn, framesOut, bytesOut, wrong } = this;
    const delays = [...this.delays].sort((a, b) => a - b);
    return { framesIn, bytesIn, framesOut, bytesOut, wrong, lost: this.skipped + this.waiting.length, delays };
  }
}

/** The value that `part` (0 .. 1) of all are at or below; undefined for none. */
export function percentile(sorted: readonly number[], part: number): number | undefined {
  return sorted[Math.max(0, Math.ceil(sorted.length * part) - 1)];
}

function keyOf(data: Buffer, dts: number, cts: number): string {
  return `${createHash('sha1').update(data).digest('base64')} ${dts} ${cts}`;
}
