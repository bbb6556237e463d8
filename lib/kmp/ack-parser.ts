import { KmpError } from './error.js';
import { checkSizes } from './header.js';
import { HeaderSize, MAX_DATA_SIZE, packetTypeName, PacketType } from './packet.js';

/** An `ackf` packet as the sender receives it (docs/protocol/kmp.md, Ack packet). */
export interface Ack {
  /** The id of the next frame that the server expects: all frames with lower ids are done. */
  readonly frameId: bigint;
  readonly upstreamFrameId: bigint;
  /** Bytes of the frame at `upstreamFrameId`, for servers that acknowledge parts. */
  readonly offset: number;
}

/** Parses what a KMP server sends back, cut anywhere. Holds at most 40 bytes. */
export class AckParser {
  private readonly header = Buffer.allocUnsafeSlow(HeaderSize.ack);
  private filled = 0;
  /** Bytes of a longer header, or of data, that have to be skipped. */
  private skip = 0;
  private received = 0;
  private failure: KmpError | undefined;

  /**
   * Takes the next bytes, and returns the acks that they complete, oldest first. Only the last one matters.
   *
   * @throws KmpError kmp_wrong_direction, kmp_bad_header_size, kmp_bad_data_size; each later call throws it again
   */
  feed(chunk: Buffer): Ack[] {
    if (this.failure !== undefined) throw this.failure;
    const acks: Ack[] = [];
    let pos = 0;
    while (pos < chunk.length) {
      const skipped = Math.min(this.skip, chunk.length - pos);
      this.skip -= skipped;
      const taken = chunk.copy(this.header, this.filled, pos + skipped);
      pos += skipped + taken;
      this.filled += taken;
      if (this.filled === HeaderSize.ack) acks.push(this.take(this.received + pos - HeaderSize.ack));
    }
    this.received += chunk.length;
    return acks;
  }

  private take(offset: number): Ack {
    const { header } = this;
    const type = header.readUInt32LE(0);
    const headerSize = header.readUInt32LE(4);
    const dataSize = header.readUInt32LE(8);
    try {
      if (type !== PacketType.ack) {
        const name = packetTypeName(type);
        const place = { field: 'type', value: name, packetType: name, offset };
        throw new KmpError('kmp_wrong_direction', place, 'a server sends nothing but ackf: check the address');
      }
      checkSizes(type, headerSize, dataSize, HeaderSize.ack, MAX_DATA_SIZE, offset);
    } catch (error) {
      if (error instanceof KmpError) this.failure = error;
      throw error;
    }
    this.filled = 0;
    this.skip = headerSize - HeaderSize.ack + dataSize;
    return {
      frameId: header.readBigUInt64LE(16),
      upstreamFrameId: header.readBigUInt64LE(24),
      offset: header.readUInt32LE(32),
    };
  }
}
