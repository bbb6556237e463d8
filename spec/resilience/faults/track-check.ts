import { damage, readStamp } from './stamp.js';

/** Why a connection was made: the one before it broke, or it belongs to another upstream than that, in order. */
export type Cause = 'break' | 'upstream';

/**
 * What came out of one track, over all its connections: each frame at least once, whole, in order on its connection.
 */
export class TrackCheck {
  /** Frames that came, repetitions included. */
  received = 0;
  /** Frames that had come before, by why the connection was made on which they came again. */
  readonly repeated: Record<Cause, number> = { break: 0, upstream: 0 };
  /** Damaged, of another track, or behind one with a higher number on the same connection. */
  readonly wrong: string[] = [];
  private readonly seen = new Set<number>();
  private connection = -1;
  private last = -1;

  constructor(
    readonly track: number,
    readonly name: string,
  ) {}

  frame(payload: Buffer, connection: number, cause: Cause): void {
    this.received++;
    const stamp = readStamp(payload);
    if (stamp?.track !== this.track) {
      const what = stamp === undefined ? `damaged: ${damage(payload)}` : `a frame of track ${stamp.track}`;
      this.wrong.push(`${this.name}, connection ${connection}, behind ${this.last}: ${what}`);
      return;
    }
    if (connection !== this.connection) this.last = -1;
    this.connection = connection;
    if (stamp.number <= this.last) this.wrong.push(`${this.name}: frame ${stamp.number} behind ${this.last}`);
    this.last = stamp.number;
    if (this.seen.has(stamp.number)) this.repeated[cause]++;
    this.seen.add(stamp.number);
  }

  /** How many different frames came. */
  get different(): number {
    return this.seen.size;
  }

  /** Numbers below `sent` that never came. */
  missing(sent: number): number[] {
    return Array.from({ length: sent }, (_, number) => number).filter((number) => !this.seen.has(number));
  }
}
