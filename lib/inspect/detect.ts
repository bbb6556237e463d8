import { KmpRtmpError } from '../base/errors.js';
import { clientHeaderSize } from '../kmp/header.js';
import { PACKET_HEADER_SIZE } from '../kmp/packet.js';
import { isPacketHeader } from './kmp-packets.js';

/** The format of a dump, and where its content begins. */
export interface Detected {
  readonly format: 'kmp' | 'rtmp';
  /** RTMP: true if a handshake comes first. */
  readonly handshake: boolean;
  /** Bytes before that: the `header` of the connect data precedes the chunks. */
  readonly skip: number;
}

/** The file is not a dump of a known format. */
export class UnknownDumpError extends KmpRtmpError {
  constructor(bytes: Buffer) {
    const start = bytes.length === 0 ? 'it is empty' : `it begins with ${bytes.toString('hex', 0, 16)}`;
    super('dump_unknown', `neither a KMP nor an RTMP dump: ${start}; use --type kmp or --type rtmp if it is damaged`);
  }
}

/** Bytes that are needed for the detection; a shorter dump is detected by fewer. */
export const DETECT_SIZE = 16384;

/** `connect` in AMF0: the beginning of the first message of a publisher. */
const CONNECT = Buffer.from('\u0002\u0000\u0007connect', 'latin1');
/** Size of a chunk header of format 0 with a basic header of one byte. */
const CHUNK_HEADER = 12;
const RTMP_VERSION = 3;
const MESSAGE_TYPES = new Set([1, 2, 3, 4, 5, 6, 8, 9, 15, 16, 17, 18, 19, 20, 22]);

/**
 * Detects the format of a dump by its first bytes: KMP by its packet types, RTMP by its version byte (S0 or C0), or
 * by a chunk that can only be the first one of a connection. A dump with a damaged or missing beginning is KMP if a
 * packet header follows.
 *
 * @param bytes the first {@link DETECT_SIZE} bytes of the dump
 * @param type the format that the user has given
 * @throws UnknownDumpError
 */
export function detect(bytes: Buffer, type?: 'kmp' | 'rtmp'): Detected {
  if (type === 'kmp') return { format: 'kmp', handshake: false, skip: 0 };
  if (type === undefined && bytes.length >= 4 && clientHeaderSize(bytes.readUInt32LE(0)) > 0) {
    return { format: 'kmp', handshake: false, skip: 0 };
  }
  if (isFirstChunk(bytes)) return { format: 'rtmp', handshake: false, skip: 0 };
  if (bytes[0] === RTMP_VERSION) return { format: 'rtmp', handshake: true, skip: 0 };
  const connect = bytes.indexOf(CONNECT) - CHUNK_HEADER;
  if (connect > 0 && isFirstChunk(bytes.subarray(connect))) return { format: 'rtmp', handshake: false, skip: connect };
  if (type === 'rtmp') return { format: 'rtmp', handshake: false, skip: 0 };
  if (holdsPacketHeader(bytes)) return { format: 'kmp', handshake: false, skip: 0 };
  throw new UnknownDumpError(bytes);
}

function holdsPacketHeader(bytes: Buffer): boolean {
  for (let at = 0; at + PACKET_HEADER_SIZE <= bytes.length; at++) if (isPacketHeader(bytes, at)) return true;
  return false;
}

/**
 * True for a complete header of a known message type, on no message stream yet; a command must begin with a string.
 */
function isFirstChunk(bytes: Buffer): boolean {
  if (bytes.length <= CHUNK_HEADER) return false;
  const chunkStreamId = bytes.readUInt8(0);
  const type = bytes.readUInt8(7);
  if (chunkStreamId < 2 || chunkStreamId > 63 || !MESSAGE_TYPES.has(type) || bytes.readUInt32LE(8) !== 0) return false;
  // A handshake begins with 3 as well; its time would have to be exactly these bytes.
  return chunkStreamId === 2 ? type <= 6 : type === 20 && bytes.readUInt8(CHUNK_HEADER) === CONNECT[0];
}
