import { isIPv4, isIPv6 } from 'node:net';

/** Bytes in the kernel's two queues of one TCP connection. */
export interface TcpQueueSizes {
  /** Bytes written, and not yet acknowledged by the other end's kernel. */
  readonly unsent: number;
  /** Bytes received, and not yet read by the process. */
  readonly unread: number;
}

/** Both ends of a TCP connection. Addresses are numeric. */
export interface TcpEnds {
  readonly localAddress: string;
  readonly localPort: number;
  readonly remoteAddress: string;
  readonly remotePort: number;
}

/** State "established" of the table, and "close wait": the other end has closed its half. */
const OPEN_STATES = new Set(['01', '08']);

/**
 * The connection as the tables of Linux print it, e.g. `0100007F:1F90 0100007F:D431` (proc(5), /proc/net/tcp): the
 * words of an address in the byte order of the machine. undefined if an address is not numeric.
 *
 * @param littleEndian byte order of the machine
 */
export function tableKey(ends: TcpEnds, littleEndian = isLittleEndian): string | undefined {
  const local = hexAddress(ends.localAddress, littleEndian);
  const remote = hexAddress(ends.remoteAddress, littleEndian);
  if (local === undefined || remote === undefined) return undefined;
  return `${local}:${hexPort(ends.localPort)} ${remote}:${hexPort(ends.remotePort)}`;
}

/** The same connection, seen from its other end. */
export function otherEnd(key: string): string {
  const [local = '', remote = ''] = key.split(' ');
  return `${remote} ${local}`;
}

/**
 * Finds connections in the text of /proc/net/tcp or /proc/net/tcp6. Lines that are no open connection are skipped.
 *
 * @param wanted keys of {@link tableKey}
 * @param found gets what was found, by key
 */
export function readTcpTable(text: string, wanted: ReadonlySet<string>, found: Map<string, TcpQueueSizes>): void {
  // "  12: 0100007F:1F90 0100007F:D431 01 00000000:00000000 02:000005A0 ..."
  for (let at = text.indexOf(': '); at >= 0; at = text.indexOf(': ', at)) {
    const start = at + 2;
    const endOfLocal = text.indexOf(' ', start);
    const endOfRemote = text.indexOf(' ', endOfLocal + 1);
    if (endOfLocal < 0 || endOfRemote < 0) return;
    const key = text.slice(start, endOfRemote);
    if (wanted.has(key) && OPEN_STATES.has(text.slice(endOfRemote + 1, endOfRemote + 3))) {
      const queues = endOfRemote + 4;
      const unsent = parseInt(text.slice(queues, queues + 8), 16);
      const unread = parseInt(text.slice(queues + 9, queues + 17), 16);
      if (Number.isSafeInteger(unsent) && Number.isSafeInteger(unread)) found.set(key, { unsent, unread });
    }
    const next = text.indexOf('\n', endOfRemote);
    if (next < 0) return;
    at = next;
  }
}

const isLittleEndian = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;

function hexPort(port: number): string {
  return port.toString(16).toUpperCase().padStart(4, '0');
}

function hexAddress(address: string, littleEndian: boolean): string | undefined {
  const bytes = addressBytes(address);
  if (bytes === undefined) return undefined;
  let hex = '';
  for (let word = 0; word < bytes.length; word += 4) {
    const four = bytes.subarray(word, word + 4);
    hex += Buffer.from(littleEndian ? four.toReversed() : four).toString('hex');
  }
  return hex.toUpperCase();
}

/** The 4 or 16 bytes of a numeric address, in network order. */
function addressBytes(address: string): Uint8Array | undefined {
  if (isIPv4(address)) return Uint8Array.from(address.split('.').map(Number));
  const [plain = ''] = address.split('%', 1);
  if (!isIPv6(plain)) return undefined;
  const [head = '', tail] = plain.split('::');
  const front = groups(head);
  const back = groups(tail ?? '');
  const words = [...front, ...new Array<number>(Math.max(0, 8 - front.length - back.length)).fill(0), ...back];
  return Uint8Array.from(words.flatMap((word) => [word >> 8, word & 0xff]));
}

/** The 16-bit groups of a part of an IPv6 address, which may end with an IPv4 address. */
function groups(part: string): number[] {
  if (part === '') return [];
  return part.split(':').flatMap((group) => {
    if (!isIPv4(group)) return [parseInt(group, 16)];
    const [a = 0, b = 0, c = 0, d = 0] = group.split('.').map(Number);
    return [a * 256 + b, c * 256 + d];
  });
}
