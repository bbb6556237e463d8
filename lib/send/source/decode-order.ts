/** What {@link decodeTimes} needs of a packet. */
export interface Timed {
  /** Presentation time, in any unit. */
  readonly pts: number;
}

/**
 * The least number of packets that decode times must lag behind for no packet to be shown before it is decoded:
 * the most packets that are decoded ahead of one and shown after it.
 */
export function reorderDepth(pts: readonly number[]): number {
  let depth = 0;
  const ahead: number[] = [];
  for (const time of pts) {
    // `ahead` stays sorted, and every entry behind `time` is one that waits for it.
    let at = ahead.length;
    while (at > 0 && (ahead[at - 1] ?? 0) > time) at--;
    depth = Math.max(depth, ahead.length - at);
    ahead.splice(at, 0, time);
    if (ahead.length > MAX_DEPTH) ahead.shift();
  }
  return Math.min(depth, MAX_DEPTH);
}

/** H.264 and H.265 allow no picture to be held back by more than 16 others. */
export const MAX_DEPTH = 16;

/**
 * Gives packets, which come in decode order and with presentation times only, the decode times that their encoder gave
 * them: packet n is decoded at the n-th lowest presentation time, `depth` places back. The first `depth` packets have no
 * such place; they start as much before the first presentation time as the reordering takes. (x264, x265 and ffmpeg's
 * muxers use the same rule.)
 *
 * The decode times never go back. Memory: twice `depth`, and one packet.
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
    // The lowest depth + 1 times are certain only when as many packets more are here.
    if (sorted.length > (shift === undefined ? 2 * depth : depth)) yield* release(false);
  }
  yield* release(true);
}
