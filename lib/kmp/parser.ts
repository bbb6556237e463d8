import { Frame } from '../media/frame.js';
import type { MediaInfo } from '../media/media-info.js';
import { Cursor } from './cursor.js';
import { KmpError } from './error.js';
import type { ConnectFields, MediaInfoFields } from './fields.js';
import { readConnectFields, readI64, readMediaInfoFields } from './fields.js';
import { Gather, rehome } from './gather.js';
import { checkSizes, clientHeaderSize, unknownType } from './header.js';
import type { EndPacket, KmpPacket, NullPacket } from './packet.js';
import { HeaderSize, MAX_DATA_SIZE, PACKET_HEADER_SIZE, packetTypeName, PacketType } from './packet.js';

/** Options of {@link KmpParser} and of `KmpDecoder`. */
export interface KmpParserOptions {
  /** The most data one packet may claim, in bytes: 0 to 16 MiB, which is the default. */
  readonly maxDataSize?: number;
  /**
   * Whether the first packet must be `cnct`, as on a connection. Default true; false for dumps that start behind it. A
   * `cnct` anywhere but first is an error either way.
   */
  readonly connectRequired?: boolean;
}

/** A packet of which only a part has come. */
export interface UnfinishedPacket {
  /** Byte of the connection at which it starts. */
  readonly offset: number;
  /** Its four letters; empty if not even the 16 bytes of its header are complete. */
  readonly packetType: string;
  /** Bytes of it that have come. */
  readonly received: number;
  /** Bytes it will have as far as is known: 16 while its header is not complete. */
  readonly expected: number;
}

const nullPacket: NullPacket = Object.freeze({ kind: 'null' });
const endPacket: EndPacket = Object.freeze({ kind: 'end' });
const noParts: readonly Buffer[] = Object.freeze([]);

/** What the next byte belongs to: the 16 bytes of every packet, the type's own fields, what a newer sender adds ... */
const Stage = { header: 0, fields: 1, extra: 2, data: 3, ended: 4 } as const;

/**
 * KMP bytes to packets: what a client sends (docs/protocol/kmp.md, Packet). Takes its input cut in any way. Payloads are slices of what
 * was fed in, so a chunk must not be written to again; what lives long (connect data, private data) is copied.
 *
 * What it holds is never more than has been fed in, and at most one packet's data: nothing is allocated because a packet
 * says so. The rules for frames (key frames, media info first ...) are not applied here.
 */
export class KmpParser {
  private readonly maxDataSize: number;
  private readonly connectRequired: boolean;
  private readonly cursor = new Cursor(HeaderSize.connect - PACKET_HEADER_SIZE);
  private readonly gather = new Gather();
  private stage: (typeof Stage)[keyof typeof Stage] = Stage.header;
  private received = 0;
  private failure: KmpError | undefined;
  private isFirst = true;
  /** Bytes of the chunk that packets, and what was gathered of the next one, refer to. */
  private kept = 0;
  /** True if nothing refers to the chunk of the last {@link feed} any more: what was kept of it was little, and copied. */
  released = true;

  // The packet being read.
  private offset = 0;
  private type = 0;
  private headerSize = 0;
  private dataSize = 0;
  /** Bytes of the present stage that are still to come. */
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
  }

  /** All bytes fed in, those behind the end of the track included. */
  get bytesReceived(): number {
    return this.received;
  }

  /** Bytes held of an unfinished packet; skipped ones are not held. */
  get heldBytes(): number {
    return this.cursor.held + this.gather.size;
  }

  /** What broke the input, if anything did. */
  get error(): KmpError | undefined {
    return this.failure;
  }

  /** True once `eost` has come: all further bytes are ignored. */
  get ended(): boolean {
    return this.stage === Stage.ended;
  }

  /** The packet that has begun and not ended, if there is one: input that stops now is truncated. */
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
   * Takes the next bytes, and gives the packets that they complete. If a packet is found to be wrong, the ones before it
   * are given nevertheless, however the input was cut: look at {@link error} after each call.
   *
   * @param chunk kept by reference: never to be written to again
   * @throws KmpError the {@link error} of an earlier call: broken input is not read on
   */
  feed(chunk: Buffer): KmpPacket[] {
    if (this.failure !== undefined) throw this.failure;
    const packets: KmpPacket[] = [];
    this.cursor.open(chunk);
    this.kept = 0;
    try {
      while (this.step(packets));
    } catch (error) {
      if (!(error instanceof KmpError)) throw error;
      this.failure = error;
    }
    this.cursor.close();
    this.received += chunk.length;
    this.released = rehome(chunk, this.kept, packets, this.gather);
    return packets;
  }

  /** Goes on by one stage; false when the chunk is used up. */
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
        this.offset = this.received + cursor.pos;
        return true;
      }
      case Stage.ended:
        return false;
    }
  }

  /** Reads and checks the 16 bytes of every packet; the least header_size of its type. */
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
      throw new KmpError('KMP_SECOND_CONNECT', place, 'only the first packet of a connection may be cnct');
    }
    if (this.connectRequired) {
      throw new KmpError('KMP_CONNECT_EXPECTED', place, 'the first packet of a connection must be cnct');
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

  /** Takes what there is of the data; the packet, once that is complete. */
  private readData(): KmpPacket | undefined {
    const { cursor, dataSize } = this;
    if (this.type === PacketType.null || this.type === PacketType.end) {
      this.left -= cursor.skip(this.left);
      if (this.left > 0) return undefined;
      return this.type === PacketType.null ? nullPacket : endPacket;
    }
    if (this.type === PacketType.frame && this.left === dataSize && cursor.rest >= dataSize) {
      // The whole payload is here: the usual way.
      if (dataSize === 0) return this.frame(noParts, 0);
      this.kept += dataSize;
      const start = cursor.pass(dataSize);
      return this.frame(cursor.chunk, start);
    }
    const piece = cursor.slice(this.left);
    this.left -= piece.length;
    this.kept += piece.length;
    if (piece.length > 0) this.gather.add(piece, this.left);
    if (this.left > 0) return undefined;
    if (this.type === PacketType.frame) return this.frame(this.gather.take(), 0);
    const data = this.gather.takeCopy();
    // Copied, so the chunk's part of it is no longer referred to.
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
