/** The same bytes as they may come from a socket: whole, byte by byte, and cut in two at every offset. */
export function* everyCut(bytes: Buffer): Iterable<{ readonly name: string; readonly chunks: Buffer[] }> {
  yield { name: 'whole', chunks: [Buffer.from(bytes)] };
  yield { name: 'byte by byte', chunks: Array.from(bytes, (byte) => Buffer.of(byte)) };
  for (let at = 0; at <= bytes.length; at++) {
    // Copies: a parser must not be helped by both parts lying side by side in memory.
    const chunks = [Buffer.from(bytes.subarray(0, at)), Buffer.from(bytes.subarray(at))];
    yield { name: `cut at ${at}`, chunks };
  }
}

/** Pieces of `size` bytes, the last one perhaps shorter. */
export function* pieces(bytes: Buffer, size: number): Iterable<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield Buffer.from(bytes.subarray(at, at + size));
}
