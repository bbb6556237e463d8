/** A packet of a track, and its place among the bytes of the track. */
export interface LoggedPacket {
  readonly kind: 'mediaInfo' | 'frame' | 'end';
  readonly bytes: Buffer;
  /** Offset of its first byte and of the byte behind its last. */
  readonly start: number;
  readonly end: number;
}

/** The packets of a track that some upstream may still need: one stream of bytes, as nginx-kmp-out keeps it. */
export class PacketLog {
  private packets: LoggedPacket[] = [];
  /** Bytes of the track so far. */
  written = 0;

  /** Offset of the oldest byte that is kept. */
  get start(): number {
    return this.packets[0]?.start ?? this.written;
  }

  /** Bytes that are kept. */
  get size(): number {
    return this.written - this.start;
  }

  push(kind: LoggedPacket['kind'], bytes: Buffer): void {
    const start = this.written;
    this.written += bytes.length;
    this.packets.push({ kind, bytes, start, end: this.written });
  }

  /** The packet that begins at `offset`. */
  at(offset: number): LoggedPacket | undefined {
    return this.packets.find(({ start }) => start === offset);
  }

  /** The bytes from one offset to another; they may begin and end inside a packet. */
  bytes(from: number, to: number): Buffer {
    const parts = this.packets
      .filter(({ start, end }) => start < to && end > from)
      .map(({ bytes, start }) => bytes.subarray(Math.max(0, from - start), to - start));
    return Buffer.concat(parts);
  }

  /** Forgets the packets that end at or before `offset`. */
  release(offset: number): void {
    this.packets = this.packets.filter(({ end }) => end > offset);
  }
}
