/**
 * Reads RTMP chunks (docs/protocol/rtmp.md, Chunks) where they lie: nothing of a message is kept but its first bytes,
 * so that the ingest costs little beside what it measures. Chunks may be cut anywhere between two reads.
 */

/** Bytes of a message that are kept: a tag header and a stamp. */
export const HEAD_BYTES = 32;
const LONGEST_HEADER = 3 + 11 + 4;
const EXTENDED = 0xffffff;
const SET_CHUNK_SIZE = 1;
const MESSAGE_HEADER_SIZES = [11, 7, 3, 0] as const;

/** What is remembered of a chunk stream: its last message header, and the message under way. */
export class ChunkStream {
  length = 0;
  type = 0;
  got = 0;
  extended = false;
  readonly head = Buffer.alloc(HEAD_BYTES);

  constructor(readonly id: number) {}
}

export class ChunkReader {
  private chunkSize = 128;
  private readonly streams = new Map<number, ChunkStream>();
  private readonly header = Buffer.alloc(LONGEST_HEADER);
  private headerBytes = 0;
  private current: ChunkStream | undefined;
  private left = 0;

  /** @param onMessage called with each whole message; `stream` holds type, length and head. Read it at once. */
  constructor(private readonly onMessage: (stream: ChunkStream) => void) {}

  /** @throws RangeError when the bytes cannot be RTMP chunks. */
  feed(bytes: Buffer, start: number, end: number): void {
    let at = start;
    while (at < end) {
      if (this.left > 0) {
        at += this.payload(bytes, at, end);
      } else if (this.headerBytes === 0) {
        const used = this.readHeader(bytes, at, end);
        if (used === 0) {
          this.headerBytes = bytes.copy(this.header, 0, at, end);
          return;
        }
        at += used;
      } else {
        this.header[this.headerBytes++] = bytes[at++] ?? 0;
        if (this.readHeader(this.header, 0, this.headerBytes) > 0) this.headerBytes = 0;
      }
    }
  }

  private payload(bytes: Buffer, at: number, end: number): number {
    const stream = this.current as ChunkStream;
    const take = Math.min(this.left, end - at);
    if (stream.got < HEAD_BYTES) bytes.copy(stream.head, stream.got, at, at + Math.min(take, HEAD_BYTES - stream.got));
    stream.got += take;
    this.left -= take;
    if (stream.got === stream.length) this.finish(stream);
    return take;
  }

  private finish(stream: ChunkStream): void {
    stream.got = 0;
    if (stream.type === SET_CHUNK_SIZE) this.chunkSize = stream.head.readUInt32BE(0);
    this.onMessage(stream);
  }

  /** @returns the header's bytes, or 0 when it is not all there. */
  private readHeader(bytes: Buffer, start: number, end: number): number {
    const first = bytes[start] ?? 0;
    const basic = (first & 63) === 0 ? 2 : (first & 63) === 1 ? 3 : 1;
    const at = start + basic;
    const size = MESSAGE_HEADER_SIZES[(first >> 6) as 0 | 1 | 2 | 3];
    if (end < at + size) return 0;
    const id =
      basic === 1 ? first & 63 : basic === 2 ? 64 + (bytes[start + 1] ?? 0) : 64 + bytes.readUInt16LE(start + 1);
    const stream = this.streams.get(id) ?? this.add(id, size);
    const extended = size === 0 ? stream.extended : bytes.readUIntBE(at, 3) === EXTENDED;
    if (extended && end < at + size + 4) return 0;
    stream.extended = extended;
    if (size >= 7) {
      stream.length = bytes.readUIntBE(at + 3, 3);
      stream.type = bytes[at + 6] ?? 0;
    }
    this.current = stream;
    this.left = Math.min(stream.length - stream.got, this.chunkSize);
    if (stream.length === 0) this.finish(stream);
    return basic + size + (extended ? 4 : 0);
  }

  private add(id: number, headerSize: number): ChunkStream {
    if (headerSize < 7) throw new RangeError(`chunk stream ${id} begins without a message length`);
    const stream = new ChunkStream(id);
    this.streams.set(id, stream);
    return stream;
  }
}
