import { Histogram, type Quantiles } from './histogram.js';
import type { StampFields } from './stamp.js';
import { machineMs } from './time.js';

/** Frames as they come out: each once, in order, whole; and how long each was under way. */
export class FrameCheck {
  received = 0;
  /** Frames that were out of order, twice there, of the wrong size, or in the wrong place. */
  bad = 0;
  /** The first few faults, in words. */
  readonly faults: string[] = [];
  private readonly next = new Map<number, number>();
  private readonly delays = new Histogram();
  private countFrom = Infinity;

  /** Delays count from here on: only frames that were sent after this call. */
  mark(): void {
    this.delays.clear();
    this.countFrom = machineMs();
  }

  /**
   * @param bytes the payload's size as received
   * @param where the connection and the place on it, for the report
   */
  frame(stamp: StampFields, bytes: number, audio: boolean, where: string): void {
    this.received += 1;
    const expected = this.next.get(stamp.track) ?? 0;
    this.next.set(stamp.track, stamp.number + 1);
    if (stamp.number !== expected || stamp.size !== bytes || stamp.audio !== audio) {
      this.fault(
        `${where}: frame ${stamp.number} of track ${stamp.track} (${stamp.size} bytes), ` +
          `where ${expected} was due; ${bytes} bytes came as ${audio ? 'audio' : 'video'}`,
      );
    }
    if (stamp.sentAt >= this.countFrom) this.delays.add(machineMs() - stamp.sentAt);
  }

  fault(text: string): void {
    this.bad += 1;
    if (this.faults.length < 5) this.faults.push(text);
  }

  delay(): Quantiles {
    return this.delays.quantiles();
  }
}
