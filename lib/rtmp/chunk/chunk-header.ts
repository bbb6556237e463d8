/** A chunk header as read. Fields that its format lacks keep their values. */
export interface ChunkHeader {
  /** 0: all fields; 1: no message stream id; 2: only the time; 3: none. */
  format: number;
  chunkStreamId: number;
  /** Absolute time (format 0) or difference (1, 2), ms; from the extended timestamp if there is one. */
  time: number;
  /** True if the time came as an extended timestamp. */
  extended: boolean;
  /** Message length, bytes. */
  length: number;
  type: number;
  streamId: number;
  /** Bytes of the header, including the extended timestamp of formats 0 to 2. */
  size: number;
}

/**
 * An empty header, to be filled by {@link parseChunkHeader} repeatedly.
 */
export function emptyHeader(): ChunkHeader {
  return { format: 0, chunkStreamId: 0, time: 0, extended: false, length: 0, type: 0, streamId: 0, size: 0 };
}

/** The value of the 24-bit time field that announces an extended timestamp. */
const EXTENDED_TIME = 0xffffff;

/** Bytes of the message header behind the basic header, by format. */
const SIZES = [11, 7, 3, 0] as const;

/**
 * Reads a chunk header at `at` into `header`; false if it is incomplete. Every sequence of bytes is a header:
 * contradictions show in the state of the chunk stream (chunk-stream.ts). Layout: docs/protocol/rtmp.md, Chunks.
 */
export function parseChunkHeader(bytes: Buffer, at: number, header: ChunkHeader): boolean {
  const first = bytes[at];
  if (first === undefined) return false;
  const format = first >>> 6;
  const field = first & 63;
  const basic = field === 0 ? 2 : field === 1 ? 3 : 1;
  let size = basic + (SIZES[format] ?? 0);
  if (bytes.length - at < size) return false;

  header.format = format;
  if (field === 0) header.chunkStreamId = 64 + bytes.readUInt8(at + 1);
  else if (field === 1) header.chunkStreamId = 64 + bytes.readUInt16LE(at + 1);
  else header.chunkStreamId = field;
  const message = at + basic;
  if (format <= 2) {
    header.time = bytes.readUIntBE(message, 3);
    header.extended = header.time === EXTENDED_TIME;
    if (header.extended) {
      if (bytes.length - at < size + 4) return false;
      header.time = bytes.readUInt32BE(at + size);
      size += 4;
    }
  }
  if (format <= 1) {
    header.length = bytes.readUIntBE(message + 3, 3);
    header.type = bytes.readUInt8(message + 6);
  }
  if (format === 0) header.streamId = bytes.readUInt32LE(message + 7);
  header.size = size;
  return true;
}
