import { KmpError } from './error.js';
import type { KmpPacket } from './packet.js';
import { KmpParser } from './parser.js';

/** The content of a dump file, as far as it could be read. */
export interface Dump {
  readonly packets: readonly KmpPacket[];
  /**
   * Where and why reading stopped: invalid input, or kmp_truncated if the dump ends within a packet. undefined if the
   * dump is complete.
   */
  readonly error: KmpError | undefined;
}

/**
 * Parses a complete dump: the bytes of a KMP connection, as `kmp_rtmp_in_dump_folder` writes them, with or without
 * the connect packet. It does not throw for a damaged dump: the packets before the damage are returned.
 *
 * @param bytes the whole dump; the payloads of the packets are slices of it
 */
export function parseDump(bytes: Buffer): Dump {
  const parser = new KmpParser({ connectRequired: false });
  const packets = parser.feed(bytes);
  return { packets, error: parser.error ?? truncation(parser) };
}

/**
 * Like {@link parseDump}, for dumps too large to hold: returns packets as they are read.
 *
 * @param source chunks of the dump in order, e.g. `fs.createReadStream(path)`
 * @throws KmpError where the dump is damaged or truncated, after all packets before that place
 */
export async function* readDump(source: AsyncIterable<Buffer> | Iterable<Buffer>): AsyncGenerator<KmpPacket, void> {
  const parser = new KmpParser({ connectRequired: false });
  for await (const chunk of source) {
    yield* parser.feed(chunk);
    if (parser.error !== undefined) throw parser.error;
  }
  const error = truncation(parser);
  if (error !== undefined) throw error;
}

/** The error of a dump that ends inside a packet; undefined if it is whole. */
export function truncation(parser: KmpParser): KmpError | undefined {
  const cut = parser.unfinished;
  if (cut === undefined) return undefined;
  const place = { field: 'size', value: cut.received, packetType: cut.packetType, offset: cut.offset };
  return new KmpError('kmp_truncated', place, `the dump ends here, though the packet needs ${cut.expected} bytes`);
}
