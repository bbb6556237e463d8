import type { Socket } from 'node:net';
import { timerMs, type Clock } from '../../time/clock.js';
import type { MediaSettings } from '../../config/settings.js';
import { asError, messageOf } from '../../base/errors.js';
import type { ConnectData } from '../../kmp/connect-data.js';
import { KmpDecoder } from '../../kmp/decoder.js';
import { blockOf, type Block } from '../../media/block.js';
import { framePool } from '../../media/frame-pool.js';
import type { ConnectPacket } from '../../kmp/packet.js';
import type { Logger } from '../../base/logger.js';
import { peerAddress, peerName } from '../../net/peer.js';
import { pumpify } from '../../base/streams.js';
import { streamLabel } from '../tracks/stream-name.js';
import { kmpDumpName } from '../../dump/dump-name.js';
import { openDump } from '../../dump/dump.js';
import type { PeerLog } from '../../net/peer-log.js';
import { frameLog } from './frame-log.js';
import type { IntakeShare } from './intake-memory.js';
import { Input } from './input.js';
import type { InputOptions } from './input-options.js';
import { readAtOnce } from '../../node-internals/socket-event-reader.js';
import { readInTurns } from '../../node-internals/socket-turn-reader.js';
import type { Totals } from '../report/totals.js';
import type { Rejection } from '../report/rejection.js';
import { SenderRejected } from '../tracks/track-refused.js';

export interface KmpConnectionOptions {
  readonly connection: number;
  readonly settings: MediaSettings;
  readonly clock: Clock;
  readonly log: Logger;
  readonly join: InputOptions['join'];
  readonly secrets?: InputOptions['secrets'];
  /** Called if a rule rejects the sender. */
  readonly onRejected?: (rejection: Rejection) => void;
  readonly totals?: Totals | undefined;
  readonly errors: PeerLog;
  readonly unjoined?: IntakeShare | undefined;
  /** The time for the connect packet is over already. Default false. */
  readonly isLate?: boolean;
}

/**
 * Connects the stages of an accepted KMP socket: socket, decoder, input (docs/architecture.md). An error ends only this
 * connection, with one line in the log. Returns the input.
 */
export function openKmpConnection(socket: Socket, options: KmpConnectionOptions): Input {
  const { connection, settings, clock } = options;
  const peer = peerName(socket);
  const address = peerAddress(socket) ?? '';
  let log = options.log.child({ peer, connection });
  // Loggers passed to other code must change when the connect packet says more about the connection.
  const latest: Logger = {
    error: (message, fields) => log.error(message, fields),
    warn: (message, fields) => log.warn(message, fields),
    info: (message, fields) => log.info(message, fields),
    debug: (message, fields) => log.debug(message, fields),
    child: (fields) => log.child(fields),
  };
  if (settings.inDumpFolder !== '') {
    const dump = openDump(settings.inDumpFolder, kmpDumpName(clock.wall(), connection), latest);
    // A block may be overwritten before the disk has its bytes, so they are copied.
    socket.on('data', (bytes: Buffer) => dump.write(blockOf(bytes) === undefined ? bytes : Buffer.from(bytes)));
    socket.once('close', () => dump.close());
  }
  const onFrame = frameLog(settings.inLogFrames, () => log);
  const decoder = new KmpDecoder({ clock, pool: framePool });
  const onIdle = (): void => {
    input.close(`nothing was received for ${settings.inReadTimeout} ms (kmp_rtmp_in_read_timeout)`, 'input_timeout');
    // After the end of the stream, the input is finished. A sender might never close the connection.
    socket.destroy();
  };
  // A sender that sends byte by byte never reaches the time limit between two reads.
  const onLate = (): void => {
    const ms = settings.inReadTimeout;
    if (socket.bytesRead === 0) onIdle();
    else
      input.close(`the connect packet was not complete ${ms} ms after the connection began (kmp_rtmp_in_read_timeout)`);
    socket.destroy();
  };
  const deadline =
    settings.inReadTimeout === 0
      ? undefined
      : clock.after(options.isLate === true ? 0 : settings.inReadTimeout, onLate, false);
  // The frames at the beginning of a read that are ordinary. Returns where they end.
  const takeFrames = (block: Block, start: number, end: number): number => {
    try {
      return input.lane?.take(decoder, block, start, end) ?? start;
    } catch (error) {
      input.destroy(asError(error));
      return end;
    }
  };
  // Passes a read through the stages if no stage has anything in its queue: the same calls, without the queues.
  const takeNow = (block: Block, start: number, end: number): boolean => {
    if (!input.isIdle) return false;
    const next = takeFrames(block, start, end);
    if (next === end) {
      block.release();
      return true;
    }
    const batch = input.isIdle ? decoder.decodeNow(block, next, end) : undefined;
    if (batch !== undefined) input.takeNow(batch);
    if (batch !== undefined || next === start) return batch !== undefined;
    // Its frames have ended this connection: the rest of the read is not needed.
    block.release();
    return true;
  };
  const input = new Input({
    connection,
    peer,
    settings,
    clock,
    log: latest,
    join: options.join,
    secrets: options.secrets,
    totals: options.totals,
    socket,
    unjoined: options.unjoined,
    onJoined: ({ schedule, ledger }) => {
      options.unjoined?.release();
      const reads = {
        blockSize: settings.inBufferSize,
        idleTimeout: timerMs(settings.inReadTimeout),
        mayGrow: () => ledger.processMayGrow,
        // The dump listens to the socket, so it needs the bytes there.
        ...(settings.inDumpFolder === '' ? { takeNow } : {}),
      };
      const turns = readInTurns(socket, schedule, reads);
      if (turns === undefined) readAtOnce(socket, reads);
      return turns;
    },
    onConnect: (packet: ConnectPacket, data: ConnectData) => {
      deadline?.cancel();
      const { channelId, trackId } = packet;
      log = log.child({ channel: channelId, track: trackId, upstream: data.upstreamId, stream: streamLabel(data) });
      log.info('KMP connected');
    },
    ...(onFrame === undefined ? {} : { onFrame }),
  });
  socket.setNoDelay(true);
  socket.setTimeout(timerMs(settings.inReadTimeout), onIdle);
  let told = false;
  const tell = (error: Error): void => {
    if (told) return;
    told = true;
    if (error instanceof SenderRejected) options.onRejected?.(error.rejection);
    // A connection that was cut by either side is an ordinary end. Invalid bytes are an error.
    const premature = 'code' in error && (error.code === 'ECONNRESET' || error.code === 'EPIPE');
    if (premature || error.message === 'premature close') log.info(`KMP connection lost: ${messageOf(error)}`);
    else options.errors.error(address, log, `KMP connection closed: ${messageOf(error)}`);
  };
  socket.on('error', tell);
  decoder.on('error', tell);
  input.on('error', tell);
  const line = new pumpify(socket, decoder, input);
  line.on('error', () => socket.destroy());
  input.on('close', () => {
    deadline?.cancel();
    if (!socket.destroyed) socket.end();
  });
  return input;
}
