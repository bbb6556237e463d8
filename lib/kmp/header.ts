import { KmpError } from './error.js';
import { HeaderSize, MAX_HEADER_SIZE, PacketType, packetTypeName } from './packet.js';

/** Smallest header_size of the types that a client sends; 0 for all other types. */
export function clientHeaderSize(type: number): number {
  // Most frequent first.
  if (type === PacketType.frame) return HeaderSize.frame;
  if (type === PacketType.null) return HeaderSize.null;
  if (type === PacketType.mediaInfo) return HeaderSize.mediaInfo;
  if (type === PacketType.connect) return HeaderSize.connect;
  if (type === PacketType.end) return HeaderSize.end;
  return 0;
}

/**
 * Rejects sizes out of range (docs/protocol/kmp.md, Packet), before they are used.
 *
 * @param minHeaderSize smallest header_size of the type
 * @param maxDataSize largest data_size, bytes
 * @throws KmpError kmp_bad_header_size, kmp_bad_data_size
 */
export function checkSizes(
  type: number,
  headerSize: number,
  dataSize: number,
  minHeaderSize: number,
  maxDataSize: number,
  offset: number,
): void {
  if (headerSize < minHeaderSize || headerSize > MAX_HEADER_SIZE) {
    const place = { field: 'header_size', value: headerSize, packetType: packetTypeName(type), offset };
    throw new KmpError('kmp_bad_header_size', place, `this type needs ${minHeaderSize} to ${MAX_HEADER_SIZE} bytes`);
  }
  if (dataSize > maxDataSize) {
    const place = { field: 'data_size', value: dataSize, packetType: packetTypeName(type), offset };
    throw new KmpError('kmp_bad_data_size', place, `at most ${maxDataSize} bytes are allowed`);
  }
}

/** The error for a type that a client must not send, with a guess at the protocol that the peer speaks. */
export function unknownType(type: number, offset: number): KmpError {
  const packetType = packetTypeName(type);
  const place = { field: 'type', value: `0x${type.toString(16).padStart(8, '0')}`, packetType, offset };
  if (type === PacketType.ack) {
    return new KmpError('kmp_wrong_direction', place, 'ackf goes from the server to the sender only');
  }
  const guess = offset === 0 ? otherProtocol(type) : undefined;
  const hint = guess === undefined ? '' : ` (this looks like ${guess}, not KMP: check the sender's port)`;
  return new KmpError('kmp_unknown_type', place, `a sender may send cnct, minf, fram, null and eost${hint}`);
}

function otherProtocol(type: number): string | undefined {
  const start = packetTypeName(type);
  if (/^(GET |POST|HEAD|PUT |OPTI|DELE|PRI )/.test(start)) return 'an HTTP request';
  if ((type & 0xffff) === 0x0316) return 'a TLS handshake';
  if ((type & 0xff) === 3) return 'an RTMP handshake';
  return undefined;
}
