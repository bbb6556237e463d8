import type { KmpError } from '../kmp/error.js';
import { HeaderSize, MAX_DATA_SIZE, MAX_HEADER_SIZE, PACKET_HEADER_SIZE, PacketType } from '../kmp/packet.js';
import type { KmpPacket } from '../kmp/packet.js';
import { KmpParser, type UnfinishedPacket } from '../kmp/parser.js';

/** A packet and its place in the dump, bytes. */
export interface LocatedPacket {
  readonly packet: KmpPacket;
  readonly offset: number;
  readonly headerSize: number;
  readonly dataSize: number;
}

/** A place where the dump is not valid KMP. */
export interface Damage {
  /** The error. Its own offset counts from the place where reading last resumed, not from the start of the dump. */
  readonly error: KmpError;
  /** Offset of the invalid packet. */
  readonly offset: number;
}

/** Reading resumes at `resyncAt`, after `skipped` unreadable bytes. */
export interface Resync {
  readonly resyncAt: number;
  readonly skipped: number;
}

export type KmpEvent = LocatedPacket | Damage | Resync;

const minHeaderSizes = new Map<number, number>([
  [PacketType.connect, HeaderSize.connect],
  [PacketType.mediaInfo, HeaderSize.mediaInfo],
  [PacketType.frame, HeaderSize.frame],
  [PacketType.null, HeaderSize.null],
  [PacketType.end, HeaderSize.end],
]);

/** True if the 16 bytes at `at` are certainly a packet header. */
export function isPacketHeader(bytes: Buffer, at: number): boolean {
  const minSize = minHeaderSizes.get(bytes.readUInt32LE(at));
  if (minSize === undefined) return false;
  const headerSize = bytes.readUInt32LE(at + 4);
  const fits = headerSize >= minSize && headerSize <= MAX_HEADER_SIZE;
  return fits && bytes.readUInt32LE(at + 8) <= MAX_DATA_SIZE && bytes.readUInt32LE(at + 12) === 0;
}

/**
 * Reads a dump packet by packet, with the place of each. After a damaged packet, it searches for the next certain
 * packet header, and resumes there.
 */
export class KmpPackets {
  private parser = new KmpParser({ connectRequired: false });
  private readonly head = Buffer.alloc(PACKET_HEADER_SIZE);
  /** Filled bytes of `head`. */
  private filled = 0;
  /** Start and end of the current packet, once its header is complete. */
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

  /** The incomplete packet at the end of the dump, if any. Its offset is that in the dump. */
  get unfinished(): UnfinishedPacket | undefined {
    const cut = this.lostAt === undefined ? this.parser.unfinished : undefined;
    return cut === undefined ? undefined : { ...cut, offset: this.start };
  }

  /** Bytes at the end without a further packet; 0 if the dump could be read to its end. */
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

  /** Feeds the available part of the current packet to the parser; returns the offset in the chunk to continue at. */
  private read(chunk: Buffer, at: number, events: KmpEvent[]): number {
    const from = at;
    if (this.filled < PACKET_HEADER_SIZE) {
      const taken = chunk.copy(this.head, this.filled, at);
      this.filled += taken;
      at += taken;
      if (this.filled === PACKET_HEADER_SIZE) {
        // A header size below 16 is an error, which the parser finds once it has 16 bytes.
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
      // The search excludes the refused header, but any byte behind its four letters may begin another one.
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

  /**
   * The parser may have read far behind the header of the invalid packet: these bytes are searched too. Returns their
   * number.
   */
  private rewind(fed: number): number {
    const back = Math.min(fed, this.received - this.start - PACKET_HEADER_SIZE);
    this.received -= back;
    return back;
  }

  /** Searches for a packet header, across the boundaries of chunks. */
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
      // The header may begin in an earlier chunk: its first bytes are fed again.
      const again = this.tail.subarray(Math.min(i, this.tail.length));
      if (again.length > 0) this.read(again, 0, events);
      return at + Math.max(0, i - this.tail.length);
    }
    this.tail = Buffer.from(bytes.subarray(Math.max(0, bytes.length - PACKET_HEADER_SIZE + 1)));
    return chunk.length;
  }
}
