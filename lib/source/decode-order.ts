/** What {@link decodeTimes} needs to know of a packet. */
export interface Timed {
  /** Presentation time, in any unit. */
  readonly pts: number;
}

/**
 * How many packets decode times must be late, at least, so that no packet is displayed before it is decoded: the
 * largest number of packets that are decoded before one packet and displayed after it.
 */
export function reorderDepth(pts: readonly number[]): number {
  let depth = 0;
  const ahead: number[] = [];
  for (const time of pts) {
    // `ahead` is sorted; every entry after `time` waits for it.
    let at = ahead.length;
    while (at > 0 && (ahead[at - 1] ?? 0) > time) at--;
    depth = Math.max(depth, ahead.length - at);
    ahead.splice(at, 0, time);
    if (ahead.length > MAX_DEPTH) ahead.shift();
  }
  return Math.min(depth, MAX_DEPTH);
}

/** In H.264 and H.265, at most 16 pictures may be decoded before a picture and displayed after it. */
export const MAX_DEPTH = 16;

/**
 * Computes decode times for packets that come in decode order and have presentation times only. Packet n is decoded at
 * the n-th lowest presentation time, `depth` packets earlier. The first `depth` packets have no such time: they start
 * before the first presentation time, by the time that the reordering takes. x264, x265 and ffmpeg's muxers use the
 * same rule.
 *
 * Decode times never go back. Memory: twice `depth` packets, and one.
 *
 * @param depth 0 .. {@link MAX_DEPTH}
 */
export async function* decodeTimes<T extends Timed>(
  packets: AsyncIterable<T>,
  depth: number,
): AsyncGenerator<{ readonly packet: T; readonly dts: number }> {
  const waiting: T[] = [];
  const sorted: number[] = [];
  let last = -Infinity;
  let shift: number | undefined;

  function* release(all: boolean): Generator<{ packet: T; dts: number }> {
    if (shift === undefined) {
      const first = sorted[0] ?? 0;
      shift = (sorted[Math.min(depth, sorted.length - 1)] ?? first) - first;
      for (const time of sorted.slice(0, depth)) {
        const packet = waiting.shift();
        if (packet === undefined) break;
        last = Math.max(last, time - shift);
        yield { packet, dts: last };
      }
    }
    while (waiting.length > 0 && (all || sorted.length > depth)) {
      const packet = waiting.shift();
      if (packet === undefined) break;
      last = Math.max(last, sorted.shift() ?? last);
      yield { packet, dts: last };
    }
  }

  for await (const packet of packets) {
    waiting.push(packet);
    let at = sorted.length;
    while (at > 0 && (sorted[at - 1] ?? 0) > packet.pts) at--;
    sorted.splice(at, 0, packet.pts);
    // The lowest depth + 1 times are known only after as many more packets have been read.
    if (sorted.length > (shift === undefined ? 2 * depth : depth)) yield* release(false);
  }
  yield* release(true);
}
