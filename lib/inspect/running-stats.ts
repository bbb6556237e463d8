/** Minimum, maximum and mean of numbers. */
export interface StatsSummary {
  readonly min: number;
  readonly max: number;
  readonly avg: number;
}

/** Collects numbers; keeps their extremes and their sum. */
export class RunningStats {
  count = 0;
  private min = Infinity;
  private max = -Infinity;
  private sum = 0;

  add(value: number): void {
    this.count++;
    this.sum += value;
    this.min = Math.min(this.min, value);
    this.max = Math.max(this.max, value);
  }

  /** undefined if there are no numbers. */
  summary(): StatsSummary | undefined {
    if (this.count === 0) return undefined;
    return { min: round(this.min), max: round(this.max), avg: round(this.sum / this.count) };
  }
}

/** Rounds to thousandths: finer digits are noise of the division. */
export function round(value: number): number {
  return Math.round(value * 1000) / 1000;
}
