import type { KmpError } from '../kmp/error.js';
import { HeaderSize, MAX_DATA_SIZE, MAX_HEADER_SIZE, PACKET_HEADER_SIZE, PacketType } from '../kmp/packet.js';
import type { KmpPacket } from '../kmp/packet.js';
import { KmpParser, type UnfinishedPacket } from '../kmp/parser.js';

/** A packet and the bytes of the dump that it takes. */
export interface LocatedPacket {
  readonly packet: KmpPacket;
  readonly offset: number;
  readonly headerSize: number;
  readonly dataSize: number;
}

/** A place where the dump is no KMP. */
export interface Damage {
  /** Its own offset does not count from the start of the dump, but from the last place where reading began anew. */
  readonly error: KmpError;
  /** Where the packet begins that was found to be wrong. */
  readonly offset: number;
}

/** The dump goes on at `offset`, after `skipped` bytes that could not be read. */
export interface Resync {
  readonly resyncAt: number;
  readonly skipped: number;
}

export type KmpEvent = LocatedPacket | Damage | Resync;

const leastSizes = new Map<number, number>([
  [PacketType.connect, HeaderSize.connect],
  [PacketType.mediaInfo, HeaderSize.mediaInfo],
  [PacketType.frame, HeaderSize.frame],
  [PacketType.null, HeaderSize.null],
  [PacketType.end, HeaderSize.end],
]);

/** Whether the 16 bytes at `at` are the header of a packet beyond reasonable doubt. */
export function isPacketHeader(bytes: Buffer, at: number): boolean {
  const least = leastSizes.get(bytes.readUInt32LE(at));
  if (least === undefined) return false;
  const headerSize = bytes.readUInt32LE(at + 4);
  const fits = headerSize >= least && headerSize <= MAX_HEADER_SIZE;
  return fits && bytes.readUInt32LE(at + 8) <= MAX_DATA_SIZE && bytes.readUInt32LE(at + 12) === 0;
}

/**
 * Reads a dump packet by packet, with the place of each. Behind a damaged one it looks for what can only be the next
 * packet's header, and goes on from there.
 */
export class KmpPackets {
  private parser = new KmpParser({ connectRequired: false });
  private readonly head = Buffer.alloc(PACKET_HEADER_SIZE);
  /** Bytes of `head` that are in. */
  private filled = 0;
  /** Where the present packet starts and ends, once its header is in. */
  private start = 0;
  private end = 0;
  private received = 0;
  /** Where the search for a header began; undefined while packets are read. */
  private lostAt: number | undefined;
  private tail = Buffer.alloc(0);

  /** Bytes of the dump so far. */
  get bytesReceived(): number {
    return this.received;
  }

  /** The packet that the dump ends within, if it does. Its offset is that in the dump. */
  get unfinished(): UnfinishedPacket | undefined {
    const cut = this.lostAt === undefined ? this.parser.unfinished : undefined;
    return cut === undefined ? undefined : { ...cut, offset: this.start };
  }

  /** Bytes at the end in which no further packet was found; 0 if the dump could be read to its end. */
  get lostBytes(): number {
    return this.lostAt === undefined ? 0 : this.received - this.lostAt;
  }

  /** Bytes behind the end of the track. */
  get bytesBehindEnd(): number {
    return this.parser.ended ? this.received - this.start : 0;
  }

  feed(chunk: Buffer): KmpEvent[] {
    const events: KmpEvent[] = [];
    let at = 0;
    while (at < chunk.length && !this.parser.ended) {
      at = this.lostAt === undefined ? this.read(chunk, at, events) : this.search(chunk, at, events);
    }
    this.received += chunk.length - at;
    return events;
  }

  /** Gives the parser what is here of the present packet; where in the chunk to go on. */
  private read(chunk: Buffer, at: number, events: KmpEvent[]): number {
    const from = at;
    if (this.filled < PACKET_HEADER_SIZE) {
      const taken = chunk.copy(this.head, this.filled, at);
      this.filled += taken;
      at += taken;
      if (this.filled === PACKET_HEADER_SIZE) {
        // A header size below 16 is an error, which the parser finds when it has the 16 bytes.
        this.end = this.start + Math.max(PACKET_HEADER_SIZE, this.head.readUInt32LE(4)) + this.head.readUInt32LE(8);
      }
    }
    if (this.filled === PACKET_HEADER_SIZE) {
      at = Math.min(chunk.length, at + this.end - (this.received + at - from));
    }
    const [packet] = this.parser.feed(chunk.subarray(from, at));
    this.received += at - from;
    const { error } = this.parser;
    if (error !== undefined) {
      events.push({ error, offset: this.start });
      this.lostAt = this.start;
      const back = this.rewind(at - from);
      // Not the header that was refused, but anything behind its letters may begin one.
      const atHead = this.received === this.start + PACKET_HEADER_SIZE;
      this.tail = Buffer.from(this.head.subarray(atHead ? 4 : PACKET_HEADER_SIZE));
      return at - back;
    }
    if (packet !== undefined) {
      const headerSize = this.head.readUInt32LE(4);
      events.push({ packet, offset: this.start, headerSize, dataSize: this.head.readUInt32LE(8) });
      this.start = this.end;
      this.filled = 0;
    }
    return at;
  }

  /** A wrong packet may have been given to the parser with much behind its header: that is to be searched too. */
  private rewind(fed: number): number {
    const back = Math.min(fed, this.received - this.start - PACKET_HEADER_SIZE);
    this.received -= back;
    return back;
  }

  /** Looks for a packet's header, across the cuts between chunks. */
  private search(chunk: Buffer, at: number, events: KmpEvent[]): number {
    const rest = chunk.subarray(at);
    const bytes = Buffer.concat([this.tail, rest]);
    const tailStart = this.received - this.tail.length;
    this.received += rest.length;
    for (let i = 0; i + PACKET_HEADER_SIZE <= bytes.length; i++) {
      if (!isPacketHeader(bytes, i)) continue;
      this.start = tailStart + i;
      events.push({ resyncAt: this.start, skipped: this.start - (this.lostAt ?? this.start) });
      this.lostAt = undefined;
      this.parser = new KmpParser({ connectRequired: false });
      this.filled = 0;
      this.received = this.start;
      // The header may begin in an earlier chunk: its first bytes are given again.
      const again = this.tail.subarray(Math.min(i, this.tail.length));
      if (again.length > 0) this.read(again, 0, events);
      return at + Math.max(0, i - this.tail.length);
    }
    this.tail = Buffer.from(bytes.subarray(Math.max(0, bytes.length - PACKET_HEADER_SIZE + 1)));
    return chunk.length;
  }
}
