import { KmpError } from './error.js';
import type { KmpPacket } from './packet.js';
import { KmpParser } from './parser.js';

/** A dump file, read as far as it goes. */
export interface Dump {
  readonly packets: readonly KmpPacket[];
  /** Where and how it broke: bad input, or KMP_TRUNCATED if it ends within a packet; undefined if it is whole. */
  readonly error: KmpError | undefined;
}

/**
 * Reads a dump in one go: what a KMP connection brought, as `kmp_rtmp_in_dump_folder` writes it, or the same without the
 * connect packet. Never throws for a damaged one: what precedes the damage is there.
 *
 * @param bytes the whole dump; the payloads of the packets are slices of it
 */
export function parseDump(bytes: Buffer): Dump {
  const parser = new KmpParser({ connectRequired: false });
  const packets = parser.feed(bytes);
  return { packets, error: parser.error ?? truncation(parser) };
}

/**
 * As {@link parseDump}, for dumps that are too large to hold: packets come as they are read.
 *
 * @param source chunks of the dump in order, e.g. `fs.createReadStream(path)`
 * @throws KmpError where the dump is damaged or cut off, after all packets before that
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
  return new KmpError('KMP_TRUNCATED', place, `the dump ends here, though the packet needs ${cut.expected} bytes`);
}
