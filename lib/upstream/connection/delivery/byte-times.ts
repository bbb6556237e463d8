/** Most entries. Above that, two neighbours become one. */
const MOST = 512;

/** Entries at the beginning. */
const FIRST = 8;

/** The numbers of an entry: see {@link ByteTimes.push}. */
const FIELDS = 4;

/**
 * When the bytes of a connection arrived at this service, as frames: the age of the byte at which the server is. It has
 * one entry for each batch, not for each frame; in between, bytes and time are taken as proportional. An entry is four
 * numbers in one array, so that batches leave no garbage.
 */
export class ByteTimes {
  private numbers = new Float64Array(FIRST * FIELDS);
  /** Places of the first entry and behind the last one. */
  private first = 0;
  private next = 0;

  /**
   * Bytes follow the ones before.
   *
   * @param start position of the first byte
   * @param end position behind the last one
   * @param first monotonic ms at which the first frame in them arrived
   * @param last the same of the last frame
   */
  push(start: number, end: number, first: number, last: number): void {
    if ((this.next + 1) * FIELDS > this.numbers.length) this.makeRoom();
    const { numbers } = this;
    const at = this.next++ * FIELDS;
    numbers[at] = start;
    numbers[at + 1] = end;
    numbers[at + 2] = first;
    numbers[at + 3] = last;
  }

  /** Forgets bytes before `position`. */
  forget(position: number): void {
    while (this.first < this.next && this.number(this.first, 1) <= position) this.first++;
    if (this.first < this.next) return;
    this.first = this.next = 0;
    // A server that was slow once does not keep the memory.
    if (this.numbers.length > FIRST * FIELDS) this.numbers = new Float64Array(FIRST * FIELDS);
  }

  /** Monotonic ms at which the byte at `position` arrived; undefined if there is none at or after it. */
  arrivalOf(position: number): number | undefined {
    for (let i = this.first; i < this.next; i++) {
      const end = this.number(i, 1);
      if (end <= position) continue;
      const start = this.number(i, 0);
      const first = this.number(i, 2);
      const share = Math.max(0, position - start) / (end - start);
      return first + share * (this.number(i, 3) - first);
    }
    return undefined;
  }

  private number(i: number, field: number): number {
    return this.numbers[i * FIELDS + field] ?? 0;
  }

  private makeRoom(): void {
    const { numbers, first } = this;
    const count = this.next - first;
    if (count >= MOST) this.halve();
    const isFull = this.next - this.first > numbers.length / FIELDS / 2;
    const room = isFull ? new Float64Array(Math.min(numbers.length * 2, (MOST + 1) * FIELDS)) : numbers;
    room.set(numbers.subarray(this.first * FIELDS, this.next * FIELDS));
    this.next -= this.first;
    this.first = 0;
    this.numbers = room;
  }

  /** Joins each two neighbours. */
  private halve(): void {
    const { numbers } = this;
    let to = this.first;
    for (let i = this.first; i < this.next; i += 2, to++) {
      const last = Math.min(i + 1, this.next - 1);
      numbers[to * FIELDS] = this.number(i, 0);
      numbers[to * FIELDS + 1] = this.number(last, 1);
      numbers[to * FIELDS + 2] = this.number(i, 2);
      numbers[to * FIELDS + 3] = this.number(last, 3);
    }
    this.next = to;
  }
}
