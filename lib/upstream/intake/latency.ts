import type { LatencyStatus } from '../report/status.js';

/**
 * Server clock minus `created`, over all frames of an input. Frames from the future do not count (docs/protocol/kmp.md,
 * Input counters).
 */
export class Latency {
  private min = Infinity;
  private max = 0;
  private sum = 0;
  private count = 0;

  /** @param value timescale units */
  add(value: number): void {
    if (!(value >= 0)) return;
    if (value < this.min) this.min = value;
    if (value > this.max) this.max = value;
    this.sum += value;
    this.count++;
  }

  status(): LatencyStatus | null {
    if (this.count === 0) return null;
    return { min: Math.floor(this.min), max: Math.floor(this.max), avg: Math.floor(this.sum / this.count) };
  }
}
