import { isIPv4, isIPv6 } from 'node:net';
import { KmpRtmpError } from '../base/errors.js';

/** The first bytes of a connection are not a valid header of the PROXY protocol. */
export class ProxyProtocolError extends KmpRtmpError {
  constructor(problem: string) {
    super('proxy_protocol', `no valid PROXY protocol header: ${problem} (listen ... proxy_protocol)`);
  }
}

/** The address of a client. */
export interface Peer {
  readonly address: string;
  readonly port: number;
}

export interface ProxyHeader {
  /** Size of the header in bytes; the data of the client follows it. */
  readonly length: number;
  /** Address of the client; undefined if the proxy does not know it, or has opened the connection for itself. */
  readonly source: Peer | undefined;
}

const V1_START = Buffer.from('PROXY ');
/** Maximum size of a header of version 1, with its line end. */
const V1_MAX = 107;
const V2_SIGNATURE = Buffer.from('0d0a0d0a000d0a515549540a', 'hex');
/** Version 2: signature (12), version and command (1), family and transport (1), size of the rest (2, big-endian). */
const V2 = { command: 12, family: 13, size: 14, addresses: 16 } as const;
/** Maximum size of a header of version 2: the limit of nginx. */
const V2_MAX = 4096;

/**
 * Parses the header of the PROXY protocol, version 1 or 2, at the beginning of a connection.
 *
 * @returns undefined if more bytes are needed, which are at most 4096
 * @throws ProxyProtocolError
 */
export function parseProxyHeader(bytes: Buffer): ProxyHeader | undefined {
  if (startsLike(bytes, V1_START)) return bytes.length < V1_START.length ? undefined : version1(bytes);
  if (startsLike(bytes, V2_SIGNATURE)) return bytes.length < V2.addresses ? undefined : version2(bytes);
  throw new ProxyProtocolError('the connection begins with other data');
}

/** Whether `bytes` begins with `start`, or is a part of it. */
function startsLike(bytes: Buffer, start: Buffer): boolean {
  const length = Math.min(bytes.length, start.length);
  return bytes.compare(start, 0, length, 0, length) === 0;
}

function version1(bytes: Buffer): ProxyHeader | undefined {
  const end = bytes.subarray(0, V1_MAX).indexOf('\r\n');
  if (end < 0) {
    const lineFeed = bytes.subarray(0, V1_MAX).indexOf('\n');
    if (bytes.length >= V1_MAX || lineFeed >= 0) throw new ProxyProtocolError('its line does not end');
    return undefined;
  }
  const [, family = '', address = '', , port = '', ...rest] = bytes.toString('latin1', 0, end).split(' ');
  if (family === 'UNKNOWN') return { length: end + 2, source: undefined };
  const isAddress = family === 'TCP4' ? isIPv4 : family === 'TCP6' ? isIPv6 : undefined;
  const number = /^\d{1,5}$/.test(port) ? Number(port) : NaN;
  if (!isAddress?.(address) || address.includes('%') || !(number <= 65_535) || rest.length !== 1) {
    throw new ProxyProtocolError('its line is malformed');
  }
  return { length: end + 2, source: { address: family === 'TCP6' ? canonical(address) : address, port: number } };
}

function version2(bytes: Buffer): ProxyHeader | undefined {
  const command = bytes.readUInt8(V2.command);
  if (command >> 4 !== 2 || (command & 0xf) > 1) throw new ProxyProtocolError('its version or command is unknown');
  const length = V2.addresses + bytes.readUInt16BE(V2.size);
  if (length > V2_MAX) throw new ProxyProtocolError(`it has ${length} bytes, the maximum is ${V2_MAX}`);
  const family = bytes.readUInt8(V2.family) >> 4;
  const size = family === 1 ? 4 : family === 2 ? 16 : 0;
  const isLocal = (command & 0xf) === 0;
  if (!isLocal && size > 0 && length < V2.addresses + 2 * size + 4) {
    throw new ProxyProtocolError('its addresses are incomplete');
  }
  if (bytes.length < length) return undefined;
  if (isLocal || size === 0) return { length, source: undefined };
  const raw = bytes.subarray(V2.addresses, V2.addresses + size);
  return { length, source: { address: addressText(raw), port: bytes.readUInt16BE(V2.addresses + 2 * size) } };
}

function addressText(raw: Buffer): string {
  if (raw.length === 4) return raw.join('.');
  const groups = Array.from({ length: 8 }, (_, index) => raw.readUInt16BE(2 * index).toString(16));
  return canonical(groups.join(':'));
}

/**
 * The shortest form of an IPv6 address, as sockets report it. An IPv4-mapped address becomes IPv4, for rules and
 * limits.
 */
function canonical(address: string): string {
  const text = new URL(`http://[${address}]`).hostname.slice(1, -1);
  const [, high, low] = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(text) ?? [];
  if (high === undefined || low === undefined) return text;
  const bytes = Buffer.from(high.padStart(4, '0') + low.padStart(4, '0'), 'hex');
  return bytes.join('.');
}
