import { Arena } from './arena.js';
import { readNow, writeNow } from './descriptor.js';

/** Bytes of a `fram` packet before its payload (docs/protocol/kmp.md, Packet). */
const FRAME_HEADER = 40;
const FRAM = Buffer.from('fram', 'latin1').readInt32LE(0);
const CHUNK_SIZE = 65_536;

/** Numbers of a frame in the ring of frames. */
const OFFSET = 0;
const SIZE = 1;
const MS = 2;
const ARRIVED = 3;
const FLAGS = 4;
const PTS_DELAY = 5;
const FIELDS = 6;
/** Frames that a track can hold. More of them stay unparsed in the ring of bytes. */
const FRAMES = 256;

/** `kack` with the number of frames so far. All tracks use the same bytes. */
const ACK = Buffer.alloc(36);
ACK.write('kack', 0, 'latin1');
ACK.writeUInt32LE(ACK.length, 4);

/** One track: a ring of bytes as they came from the socket, and a ring of numbers for the frames in it. */
export class Track {
  /** False when the sender has ended. */
  open = true;
  private readonly mask: number;
  /** Positions in the stream of bytes: read to, parsed to, free below. */
  private read = 0;
  private parsed = 0;
  private tail = 0;
  private readonly frames = new Int32Array(FRAMES * FIELDS);
  private queued = 0;
  private written = 0;
  private acked = 0;
  private lastMs = 0;
  private lastArrived = -1;
  private emptyAt = 0;

  /**
   * @param base where the ring begins in the arena
   * @param size of the ring, a power of two
   */
  constructor(
    private readonly fd: number,
    readonly video: boolean,
    private readonly arena: Arena,
    private readonly base: number,
    private readonly size: number,
  ) {
    this.mask = size - 1;
  }

  /** Bytes that came before the ring was there. */
  preload(bytes: Buffer): void {
    bytes.copy(this.arena.bytes, this.base);
    this.read = bytes.length;
  }

  /** Reads all that is there into the ring, and notes the frames. A full ring is not read. */
  fill(now: number): void {
    for (;;) {
      const at = this.read & this.mask;
      const room = Math.min(this.size - at, this.size - (this.read - this.tail));
      if (room === 0) break;
      const got = readNow(this.fd, this.arena.bytes, this.base + at, room);
      if (got === 0) this.open = false;
      if (got <= 0) break;
      this.read += got;
      if (got < room) break;
    }
    this.parse(now);
    this.emptyAt = now;
  }

  get waiting(): boolean {
    return this.written < this.queued;
  }

  get headMs(): number {
    return this.head(MS);
  }

  get headArrived(): number {
    return this.head(ARRIVED);
  }

  get headSize(): number {
    return this.head(SIZE);
  }

  /**
   * Writes the first frame as an RTMP message to the arena.
   *
   * @param delta ms since the message before; undefined: the message carries its own time and the message stream id
   * @returns the end of the message
   */
  encode(start: number, csid: number, msid: number, delta: number | undefined): number {
    const { bytes, view } = this.arena;
    const size = this.head(SIZE);
    const tag = this.video ? 5 : 2;
    const time = delta ?? this.head(MS);
    let at = start;
    bytes[at++] = (delta === undefined ? 0 : 0x40) | csid;
    // 24 bits of time, 24 bits of length, the type.
    view.setUint32(at, (time << 8) | ((size + tag) >>> 16));
    view.setUint32(at + 4, ((size + tag) << 16) | ((this.video ? 9 : 8) << 8));
    at += 7;
    if (delta === undefined) {
      view.setUint32(at, msid, true);
      at += 4;
    }
    if (this.video) {
      bytes[at++] = this.head(FLAGS) & 1 ? 0x17 : 0x27;
      view.setUint32(at, 0x0100_0000 | (Math.floor(this.head(PTS_DELAY) / 90) & 0xffffff));
      at += 4;
    } else {
      bytes[at++] = 0xaf;
      bytes[at++] = 1;
    }
    at = this.payload(at, csid, CHUNK_SIZE - tag);
    this.written++;
    return at;
  }

  /** What is written may be overwritten, and the sender may forget it. */
  release(): void {
    if (this.waiting) this.tail += (this.head(OFFSET) - FRAME_HEADER - this.tail) & this.mask;
    else this.tail = this.parsed;
    if (this.acked === this.written || !this.open) return;
    this.acked = this.written;
    ACK.writeUInt32LE(this.written, 16);
    writeNow(this.fd, ACK, 0, ACK.length);
  }

  private head(field: number): number {
    return this.frames[(this.written % FRAMES) * FIELDS + field] ?? 0;
  }

  private payload(start: number, csid: number, firstRoom: number): number {
    const { bytes } = this.arena;
    let at = start;
    let from = this.head(OFFSET);
    let left = this.head(SIZE);
    let room = firstRoom;
    while (left > 0) {
      if (room === 0) {
        bytes[at++] = 0xc0 | csid;
        room = CHUNK_SIZE;
      }
      const length = Math.min(left, room, this.size - from);
      bytes.copyWithin(at, this.base + from, this.base + from + length);
      at += length;
      left -= length;
      room -= length;
      from = (from + length) & this.mask;
    }
    return at;
  }

  private parse(now: number): void {
    const { view } = this.arena;
    while (this.read - this.parsed >= FRAME_HEADER && this.queued - this.written < FRAMES) {
      const header = this.headerAt(this.parsed & this.mask);
      const headerSize = view.getInt32(header + 4, true);
      const size = view.getInt32(header + 8, true);
      if (headerSize + size > this.size) throw new Error(`a packet of ${size} bytes in a ring of ${this.size}`);
      if (this.read - this.parsed < headerSize + size) break;
      if (view.getInt32(header, true) === FRAM) this.note(header, (this.parsed + headerSize) & this.mask, size, now);
      this.parsed += headerSize + size;
    }
    if (!this.waiting) this.tail = this.parsed;
  }

  private headerAt(at: number): number {
    const first = this.size - at;
    if (first >= FRAME_HEADER) return this.base + at;
    const { bytes } = this.arena;
    bytes.copyWithin(Arena.spare, this.base + at, this.base + this.size);
    bytes.copyWithin(Arena.spare + first, this.base, this.base + FRAME_HEADER - first);
    return Arena.spare;
  }

  private note(header: number, offset: number, size: number, now: number): void {
    const { view } = this.arena;
    const dts = view.getInt32(header + 28, true) * 0x1_0000_0000 + view.getUint32(header + 24, true);
    const ms = Math.floor(dts / 90);
    // A frame came when its time says, but not before the last read that emptied the kernel, and not after this one.
    const expected = this.lastArrived < 0 ? now : this.lastArrived + ms - this.lastMs;
    const arrived = Math.min(now, Math.max(expected, this.emptyAt));
    this.lastMs = ms;
    this.lastArrived = arrived;
    const at = (this.queued++ % FRAMES) * FIELDS;
    this.frames[at + OFFSET] = offset;
    this.frames[at + SIZE] = size;
    this.frames[at + MS] = ms;
    this.frames[at + ARRIVED] = arrived;
    this.frames[at + FLAGS] = view.getInt32(header + 32, true);
    this.frames[at + PTS_DELAY] = view.getInt32(header + 36, true);
  }
}
