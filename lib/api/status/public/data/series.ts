// Rates of counters and their history, for the charts.

/** Number of points in a chart: two minutes, one point per second. */
export const POINTS = 120;

/** Number of messages for a rate. Frames are sent in bursts, so the rate of a single second would fluctuate. */
const WINDOW = 4;

/** The increase of a counter per second, over the last few messages. */
export class Rate {
  private readonly times: number[] = [];
  private readonly values: number[] = [];
  /** Per second; 0 before the second message. */
  value = 0;

  /** Whether there are enough messages for a rate. */
  get known(): boolean {
    return this.values.length > 1;
  }

  /** @param t ms */
  add(t: number, counter: number): number {
    const { times, values } = this;
    // A counter that went back has restarted with a new connection.
    if (counter < (values.at(-1) ?? 0)) times.length = values.length = 0;
    times.push(t);
    values.push(counter);
    if (times.length > WINDOW) {
      times.shift();
      values.shift();
    }
    const span = t - (times[0] ?? t);
    this.value = span > 0 ? ((counter - (values[0] ?? counter)) * 1000) / span : 0;
    return this.value;
  }
}

/** A line of a chart, with one point for each time; null: no value. */
export type Line = (number | null)[];

/** Times in s since 1970-01-01, one for each message, for all charts of the page. */
export class Times {
  readonly values: number[] = [];

  add(seconds: number): void {
    this.values.push(seconds);
    if (this.values.length > POINTS) this.values.shift();
  }

  /** A new line, with no values for earlier times. */
  line(): Line {
    return this.values.map(() => null);
  }
}

/** Adds the point for the last time. */
export function extend(line: Line, value: number | null): void {
  line.push(value);
  if (line.length > POINTS) line.shift();
}
