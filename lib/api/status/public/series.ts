// Rates of counters, and their past: what the charts draw.

/** Points that a chart shows: two minutes at one a second. */
export const POINTS = 120;

/** Over how many messages a rate is taken: frames leave in bursts, and a single second would tremble. */
const WINDOW = 4;

/** What a counter grew by a second, over the last few messages. */
export class Rate {
  private readonly times: number[] = [];
  private readonly values: number[] = [];
  /** Per second; 0 until two messages are there. */
  value = 0;

  /** Whether there is a rate. */
  get known(): boolean {
    return this.values.length > 1;
  }

  /** @param t ms */
  add(t: number, counter: number): number {
    const { times, values } = this;
    // A counter that went back began anew, with its connection.
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

/** A line of a chart: as many points as the times that it belongs to; null where there was nothing. */
export type Line = (number | null)[];

/** Times in s since 1970, one for each message, for all charts of the page. */
export class Times {
  readonly values: number[] = [];

  add(seconds: number): void {
    this.values.push(seconds);
    if (this.values.length > POINTS) this.values.shift();
  }

  /** A new line that begins now. */
  line(): Line {
    return this.values.map(() => null);
  }
}

/** Adds the point that belongs to the time added last. */
export function extend(line: Line, value: number | null): void {
  line.push(value);
  if (line.length > POINTS) line.shift();
}
