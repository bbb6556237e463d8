import { Frame } from '../media/frame.js';
import type { FramePool } from '../media/frame-pool.js';
import type { FrameRing } from '../media/frame-ring.js';
import type { MediaInfo } from '../media/media-info.js';
import { Cursor } from './cursor.js';
import { KmpError } from './error.js';
import type { ConnectFields, MediaInfoFields } from './fields.js';
import { readConnectFields, readI64, readMediaInfoFields } from './fields.js';
import { PayloadAssembler, detachFromChunk } from './payload-assembler.js';
import { checkSizes, clientHeaderSize, unknownType } from './header.js';
import type { EndPacket, KmpPacket, NullPacket } from './packet.js';
import { readWholeFrames } from './whole-frames.js';
import {
  HeaderSize,
  MAX_DATA_SIZE,
  MAX_HEADER_SIZE,
  PACKET_HEADER_SIZE,
  packetTypeName,
  PacketType,
} from './packet.js';

/** Options of {@link KmpParser} and of `KmpDecoder`. */
export interface KmpParserOptions {
  /** Largest data_size of a packet, bytes: 0 to 16 MiB, which is the default. */
  readonly maxDataSize?: number;
  /**
   * True if the first packet must be `cnct`, as on a connection. Default true; false for dumps that begin behind it.
   * A `cnct` at any other place is an error in both cases.
   */
  readonly connectRequired?: boolean;
  /**
   * Where frames come from. Only for an owner that gives them back when nothing refers to them any more. Default: each
   * frame is a new object.
   *
   * @internal
   */
  readonly pool?: FramePool | undefined;
}

/** An incomplete packet. */
export interface UnfinishedPacket {
  /** Offset at which it begins, bytes from the start of the connection. */
  readonly offset: number;
  /** Four letters of its type; empty if its first 16 bytes are incomplete. */
  readonly packetType: string;
  /** Bytes received of it. */
  readonly received: number;
  /** Size of the packet, bytes, as far as it is known: 16 while its header is incomplete. */
  readonly expected: number;
}

const nullPacket: NullPacket = Object.freeze({ kind: 'null' });
const endPacket: EndPacket = Object.freeze({ kind: 'end' });
const noParts: readonly Buffer[] = Object.freeze([]);

/**
 * The part of a packet that the next byte belongs to: the first 16 bytes, the fields of the type, additional header
 * bytes of a newer sender, or data.
 */
const Stage = { header: 0, fields: 1, extra: 2, data: 3, ended: 4 } as const;

/**
 * Parses KMP bytes, cut anywhere, into packets of a client (docs/protocol/kmp.md, Packet). Payloads are slices of the
 * input, so a chunk must not be written to again. Connect data and private data, which live long, are copied.
 *
 * The parser never holds more than was fed, and at most the data of one packet: nothing is allocated because a packet
 * claims a size. The rules for frames (key frames, media info first and so on) are not applied here.
 */
export class KmpParser {
  private readonly maxDataSize: number;
  private readonly connectRequired: boolean;
  private readonly pool: FramePool | undefined;
  private readonly cursor = new Cursor(HeaderSize.connect - PACKET_HEADER_SIZE);
  private readonly assembler = new PayloadAssembler();
  private stage: (typeof Stage)[keyof typeof Stage] = Stage.header;
  private received = 0;
  /** Offset of the connection at which the buffer of the chunk would begin. */
  private base = 0;
  private failure: KmpError | undefined;
  private isFirst = true;
  /** Bytes of the chunk that the packets, and the assembler, refer to. */
  private kept = 0;
  /**
   * True if nothing refers to the chunk of the last {@link feed} any more: little of it was kept, and that was
   * copied.
   */
  released = true;

  // The packet being read.
  private offset = 0;
  private type = 0;
  private headerSize = 0;
  private dataSize = 0;
  /** Missing bytes of the current stage. */
  private left = 0;
  private created = 0;
  private dts = 0;
  private flags = 0;
  private ptsDelay = 0;
  private connect: ConnectFields | undefined;
  private mediaInfo: MediaInfoFields | undefined;

  constructor(options: KmpParserOptions = {}) {
    this.maxDataSize = Math.min(options.maxDataSize ?? MAX_DATA_SIZE, MAX_DATA_SIZE);
    this.connectRequired = options.connectRequired ?? true;
    this.pool = options.pool;
  }

  /** All bytes fed, including those behind the end of the track. */
  get bytesReceived(): number {
    return this.received;
  }

  /** Bytes held of an incomplete packet; skipped bytes are not held. */
  get heldBytes(): number {
    return this.cursor.held + this.assembler.size;
  }

  /** The error that ended the parsing, if any. */
  get error(): KmpError | undefined {
    return this.failure;
  }

  /** True once `eost` was read: all further bytes are ignored. */
  get ended(): boolean {
    return this.stage === Stage.ended;
  }

  /** The incomplete packet, if there is one: input that ends now is truncated. */
  get unfinished(): UnfinishedPacket | undefined {
    if (this.ended || this.failure !== undefined || this.received === this.offset) return undefined;
    const known = this.stage !== Stage.header;
    return {
      offset: this.offset,
      packetType: known ? packetTypeName(this.type) : '',
      received: this.received - this.offset,
      expected: known ? this.headerSize + this.dataSize : PACKET_HEADER_SIZE,
    };
  }

  /**
   * Takes the next bytes, and returns the packets that they complete. The packets before an invalid one are returned
   * as well, however the input was cut: check {@link error} after each call.
   *
   * @param chunk kept by reference: must not be written to again
   * @param start where the bytes begin in `chunk`; default 0
   * @param end where they end; default: at its end
   * @throws KmpError the {@link error} of an earlier call
   */
  feed(chunk: Buffer, start = 0, end = chunk.length): KmpPacket[] {
    if (this.failure !== undefined) throw this.failure;
    const packets: KmpPacket[] = [];
    this.cursor.open(chunk, start, end);
    this.kept = 0;
    this.base = this.received - start;
    try {
      while (this.wholeFrame(packets) || this.step(packets));
    } catch (error) {
      if (!(error instanceof KmpError)) throw error;
      this.failure = error;
    }
    this.cursor.close();
    this.received += end - start;
    this.released = detachFromChunk(chunk, start, end, this.kept, packets, this.assembler);
    return packets;
  }

  /**
   * Adds the whole frames at the beginning of `bytes`, from `start` to `end`, to `ring`. They count as read once {@link
   * pass} is called with their bytes. Returns where they end in `bytes`: at `start` if something else comes first.
   *
   * @internal
   */
  peekFrames(bytes: DataView, start: number, end: number, ring: FrameRing): number {
    const isAtPacket = this.stage === Stage.header && this.cursor.held === 0 && !this.isFirst;
    if (!isAtPacket || this.failure !== undefined) return start;
    return readWholeFrames(bytes, start, end, this.maxDataSize, ring);
  }

  /**
   * The next `bytes` are whole packets that {@link peekFrames} has read.
   *
   * @internal
   */
  pass(bytes: number): void {
    this.received += bytes;
    this.offset = this.received;
  }

  /**
   * Reads a frame of which the chunk has all bytes, without the stages: the usual case. Returns false if the next bytes
   * are anything else, or if something is wrong with them: the stages find out what.
   */
  private wholeFrame(packets: KmpPacket[]): boolean {
    const { cursor } = this;
    const { chunk, pos, end } = cursor;
    if (this.stage !== Stage.header || cursor.held > 0 || this.isFirst || end - pos < HeaderSize.frame) return false;
    if (chunk.readUInt32LE(pos) !== PacketType.frame) return false;
    const headerSize = chunk.readUInt32LE(pos + 4);
    const dataSize = chunk.readUInt32LE(pos + 8);
    if (headerSize < HeaderSize.frame || headerSize > MAX_HEADER_SIZE || dataSize > this.maxDataSize) return false;
    const start = pos + headerSize;
    const next = start + dataSize;
    if (next > end || dataSize === 0) return false;
    const at = pos + PACKET_HEADER_SIZE;
    if (this.pool === undefined) {
      const flags = chunk.readUInt32LE(at + 16);
      const delay = chunk.readInt32LE(at + 20);
      packets.push(new Frame(readI64(chunk, at), readI64(chunk, at + 8), flags, delay, dataSize, chunk, start));
    } else {
      const frame = this.pool.take(dataSize, chunk, start);
      const { fields } = frame;
      fields.created = readI64(chunk, at);
      fields.dts = readI64(chunk, at + 8);
      fields.flags = chunk.readUInt32LE(at + 16);
      fields.ptsDelay = chunk.readInt32LE(at + 20);
      packets.push(frame);
    }
    this.kept += dataSize;
    cursor.pos = next;
    this.offset = this.base + next;
    return true;
  }

  /** Executes one stage; false when the chunk is used up. */
  private step(packets: KmpPacket[]): boolean {
    const { cursor } = this;
    switch (this.stage) {
      case Stage.header:
        if (!cursor.take(PACKET_HEADER_SIZE)) return false;
        this.left = this.readHeader() - PACKET_HEADER_SIZE;
        this.stage = Stage.fields;
        return true;
      case Stage.fields:
        if (this.left > 0) {
          if (!cursor.take(this.left)) return false;
          this.readFields();
        }
        this.left = this.headerSize - PACKET_HEADER_SIZE - this.left;
        this.stage = Stage.extra;
        return true;
      case Stage.extra:
        this.left -= cursor.skip(this.left);
        if (this.left > 0) return false;
        this.left = this.dataSize;
        this.stage = Stage.data;
        return true;
      case Stage.data: {
        const packet = this.readData();
        if (packet === undefined) return false;
        packets.push(packet);
        this.stage = packet === endPacket ? Stage.ended : Stage.header;
        this.offset = this.base + cursor.pos;
        return true;
      }
      case Stage.ended:
        return false;
    }
  }

  /** Reads and checks the first 16 bytes of a packet; returns the smallest header_size of its type. */
  private readHeader(): number {
    const { window, windowAt } = this.cursor;
    this.type = window.readUInt32LE(windowAt);
    this.headerSize = window.readUInt32LE(windowAt + 4);
    this.dataSize = window.readUInt32LE(windowAt + 8);
    const least = clientHeaderSize(this.type);
    if (least === 0) throw unknownType(this.type, this.offset);
    if (this.isFirst !== (this.type === PacketType.connect)) this.checkOrder();
    checkSizes(this.type, this.headerSize, this.dataSize, least, this.maxDataSize, this.offset);
    this.isFirst = false;
    return least;
  }

  private checkOrder(): void {
    const packetType = packetTypeName(this.type);
    const place = { field: 'type', value: packetType, packetType, offset: this.offset };
    if (!this.isFirst) {
      throw new KmpError('kmp_second_connect', place, 'only the first packet of a connection may be cnct');
    }
    if (this.connectRequired) {
      throw new KmpError('kmp_connect_expected', place, 'the first packet of a connection must be cnct');
    }
  }

  private readFields(): void {
    const { window, windowAt } = this.cursor;
    if (this.type === PacketType.frame) {
      this.created = readI64(window, windowAt);
      this.dts = readI64(window, windowAt + 8);
      this.flags = window.readUInt32LE(windowAt + 16);
      this.ptsDelay = window.readInt32LE(windowAt + 20);
    } else if (this.type === PacketType.connect) {
      this.connect = readConnectFields(window, windowAt, this.offset);
    } else {
      this.mediaInfo = readMediaInfoFields(window, windowAt, this.offset);
    }
  }

  /** Takes the available data; returns the packet once its data is complete. */
  private readData(): KmpPacket | undefined {
    const { cursor, dataSize } = this;
    if (this.type === PacketType.null || this.type === PacketType.end) {
      this.left -= cursor.skip(this.left);
      if (this.left > 0) return undefined;
      return this.type === PacketType.null ? nullPacket : endPacket;
    }
    if (this.type === PacketType.frame && this.left === dataSize && cursor.rest >= dataSize) {
      // The whole payload is available: the usual case.
      if (dataSize === 0) return this.frame(noParts, 0);
      this.kept += dataSize;
      const start = cursor.pass(dataSize);
      return this.frame(cursor.chunk, start);
    }
    const piece = cursor.slice(this.left);
    this.left -= piece.length;
    this.kept += piece.length;
    if (piece.length > 0) this.assembler.add(piece, this.left);
    if (this.left > 0) return undefined;
    if (this.type === PacketType.frame) return this.frame(this.assembler.take(), 0);
    const data = this.assembler.takeCopy();
    // It was copied, so its part of the chunk is not referred to.
    this.kept = Math.max(0, this.kept - data.length);
    if (this.connect === undefined) {
      return { kind: 'mediaInfo', info: { ...this.mediaInfo, extraData: data } as MediaInfo };
    }
    const packet: KmpPacket = { kind: 'connect', ...this.connect, data };
    this.connect = undefined;
    return packet;
  }

  private frame(payload: Buffer | readonly Buffer[], start: number): Frame {
    return new Frame(this.created, this.dts, this.flags, this.ptsDelay, this.dataSize, payload, start);
  }
}
