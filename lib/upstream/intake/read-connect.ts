import type { Socket } from 'node:net';
import { parseConnectData, type ConnectData } from '../../kmp/connect-data.js';
import type { ConnectPacket } from '../../kmp/packet.js';
import { checkSignature } from '../../kmp/signature.js';
import { Frame } from '../../media/frame.js';
import { KmpParser } from '../../kmp/parser.js';
import { timerMs, type Clock } from '../../time/clock.js';
import { checkHeader, checkNames } from './input-error.js';
import type { InputOptions } from './input-options.js';
import { SenderRejected } from '../tracks/track-refused.js';
import { stopReading } from '../../node-internals/stop-reading.js';

/** What the beginning of a KMP connection says. */
export interface ReadConnect {
  readonly packet: ConnectPacket;
  readonly data: ConnectData;
}

/** What was read of a connection up to the end of its connect packet. */
export interface ConnectHead {
  /** undefined if there is none: the bytes are invalid, too many, too late, or the connection has ended. */
  readonly connect: ReadConnect | undefined;
  /** All bytes read so far. */
  readonly bytes: Buffer;
  /** True if the time is over, and the connect packet is not complete. */
  readonly isLate: boolean;
}

/**
 * Reads a KMP connection up to the end of its connect packet. Without one, the code that opens the connection
 * finds the same error and handles it.
 *
 * @param limit bytes that may be read (`kmp_rtmp_in_mem_limit`)
 * @param timeout ms without a byte, and ms in all (`kmp_rtmp_in_read_timeout`)
 * @param done called once, unless the connection is closed first; the socket is paused then
 * @param hold called with the bytes read so far; false: that is too much, as above `limit`
 */
export function readConnect(
  socket: Socket,
  limit: number,
  timeout: number,
  clock: Clock,
  done: (head: ConnectHead) => void,
  hold: (bytes: number) => boolean = () => true,
): void {
  const parser = new KmpParser();
  // All bytes are copied into one piece. If they came byte by byte, one object for each would cost a hundred times as
  // much.
  let head: Buffer = Buffer.alloc(0);
  let bytes = 0;
  const finish = (connect?: ReadConnect, isLate = false): void => {
    socket.off('data', onData);
    socket.off('end', onEnd);
    socket.off('error', onError);
    socket.off('timeout', onLate);
    socket.setTimeout(0);
    deadline?.cancel();
    stopReading(socket);
    done({ connect, bytes: head.subarray(0, bytes), isLate });
  };
  const onData = (chunk: Buffer): void => {
    if (bytes + chunk.length > head.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(bytes + chunk.length, 2 * head.length));
      head.copy(larger, 0, 0, bytes);
      head = larger;
    }
    chunk.copy(head, bytes);
    bytes += chunk.length;
    try {
      for (const packet of parser.feed(chunk)) {
        if (packet instanceof Frame || packet.kind !== 'connect') continue;
        finish({ packet, data: parseConnectData(packet.data) });
        return;
      }
      if (parser.error !== undefined || bytes > limit || !hold(bytes)) finish();
    } catch {
      finish();
    }
  };
  const onEnd = (): void => finish();
  const onLate = (): void => finish(undefined, true);
  const onError = (): void => {
    deadline?.cancel();
    socket.destroy();
  };
  // The limit between two bytes does not stop a sender that sends byte by byte.
  const deadline = timeout === 0 ? undefined : clock.after(timeout, onLate, false);
  socket.setTimeout(timerMs(timeout));
  socket.on('data', onData);
  socket.on('end', onEnd);
  socket.on('error', onError);
  socket.on('timeout', onLate);
  // A socket that was paused before does not start to flow by itself.
  socket.resume();
}

/**
 * Checks who signed a connect packet (`kmp_rtmp_in_secret`).
 *
 * @returns the name of the secret; undefined if no signature is needed
 * @throws SenderRejected
 */
export function signerOf(
  packet: ConnectPacket,
  { secrets = [], clock }: Pick<InputOptions, 'secrets' | 'clock'>,
): string | undefined {
  if (secrets.length === 0) return undefined;
  const check = checkSignature(packet, secrets, clock.wall() / 1000);
  if ('signer' in check) return check.signer;
  throw new SenderRejected('signature', `connect data: ${check.refusal} (kmp_rtmp_in_secret)`);
}

/**
 * Parses and checks connect data, and logs which fields were ignored because they have the wrong type.
 *
 * @throws KmpError kmp_bad_connect_data
 * @throws InputError if `header` is not allowed (`kmp_rtmp_out_header`), or an id or a name is too long
 */
export function connectDataOf(bytes: Buffer, { log, settings }: Pick<InputOptions, 'log' | 'settings'>): ConnectData {
  const ignored: string[] = [];
  const data = parseConnectData(bytes, (field, found) => ignored.push(`${field} (${found})`));
  if (ignored.length > 0) {
    log.warn(`connect data: ignored, because of a wrong type or number: ${ignored.join(', ')}`);
  }
  checkHeader(data.header ?? '', settings);
  checkNames(data, settings);
  return data;
}
