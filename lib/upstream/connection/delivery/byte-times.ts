/** Most entries. Above that, two neighbours become one. */
const MOST = 512;

/** Bytes of a connection, and when the frames in them had arrived. */
interface Span {
  /** Position of the first byte, and of the first one behind it, among all bytes of the connection. */
  readonly start: number;
  readonly end: number;
  /** Monotonic ms at which its first and its last frame arrived. */
  readonly first: number;
  readonly last: number;
}

/**
 * When the bytes of a connection arrived at this service, as frames: the age of the byte at which the server is. It has
 * one entry for each batch, not for each frame; in between, bytes and time are taken as proportional.
 */
export class ByteTimes {
  private spans: Span[] = [];

  /**
   * Bytes follow the ones before.
   *
   * @param start position of the first byte
   * @param end position behind the last one
   * @param first monotonic ms at which the first frame in them arrived
   * @param last the same of the last frame
   */
  push(start: number, end: number, first: number, last: number): void {
    this.spans.push({ start, end, first, last });
    if (this.spans.length > MOST) this.spans = halved(this.spans);
  }

  /** Forgets bytes before `position`. */
  forget(position: number): void {
    let n = 0;
    while (n < this.spans.length && (this.spans[n]?.end ?? 0) <= position) n++;
    if (n > 0) this.spans.splice(0, n);
  }

  /** Monotonic ms at which the byte at `position` arrived; undefined if there is none at or after it. */
  arrivalOf(position: number): number | undefined {
    for (const { start, end, first, last } of this.spans) {
      if (end <= position) continue;
      const share = Math.max(0, position - start) / (end - start);
      return first + share * (last - first);
    }
    return undefined;
  }
}

function halved(spans: readonly Span[]): Span[] {
  const out: Span[] = [];
  for (let i = 0; i < spans.length; i += 2) {
    const [one, two = one] = [spans[i], spans[i + 1]];
    if (one !== undefined && two !== undefined) out.push({ ...one, end: two.end, last: two.last });
  }
  return out;
}
