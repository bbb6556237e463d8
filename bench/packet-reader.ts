/** Bytes of a packet that are kept: the packet header, the frame header, and a stamp. */
const KEPT = 16 + 24 + 24;
const PACKET_HEADER = 16;

/** Reads KMP packets where they lie (docs/protocol/kmp.md, Packet), for the end of the plain relay. */
export class PacketReader {
  private readonly head = Buffer.alloc(KEPT);
  private got = 0;
  private total = PACKET_HEADER;

  /** @param onFrame called with the payload's first bytes and its size. Read them at once. */
  constructor(private readonly onFrame: (head: Buffer, size: number) => void) {}

  feed(bytes: Buffer, start: number, end: number): void {
    let at = start;
    while (at < end) {
      const wanted = this.got < PACKET_HEADER ? PACKET_HEADER : this.total;
      const take = Math.min(wanted - this.got, end - at);
      if (this.got < KEPT) bytes.copy(this.head, this.got, at, at + Math.min(take, KEPT - this.got));
      this.got += take;
      at += take;
      if (this.got === PACKET_HEADER) this.total = this.head.readUInt32LE(4) + this.head.readUInt32LE(8);
      if (this.got >= PACKET_HEADER && this.got === this.total) this.finish();
    }
  }

  private finish(): void {
    this.got = 0;
    if (this.head.readUInt32LE(0) !== FRAM) return;
    this.onFrame(this.head.subarray(this.head.readUInt32LE(4)), this.head.readUInt32LE(8));
  }
}

const FRAM = Buffer.from('fram', 'latin1').readUInt32LE(0);
