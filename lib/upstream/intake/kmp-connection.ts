import type { Socket } from 'node:net';
import { timerMs, type Clock } from '../../time/clock.js';
import type { MediaSettings } from '../../config/settings.js';
import { messageOf } from '../../base/errors.js';
import type { ConnectData } from '../../kmp/connect-data.js';
import { KmpDecoder } from '../../kmp/decoder.js';
import { blockOf } from '../../media/block.js';
import type { ConnectPacket } from '../../kmp/packet.js';
import type { Logger } from '../../base/logger.js';
import { peerName } from '../../net/peer.js';
import { pumpify } from '../../base/streams.js';
import { streamLabel } from '../tracks/stream-name.js';
import { kmpDumpName } from '../../dump/dump-name.js';
import { openDump } from '../../dump/dump.js';
import { frameLog } from './frame-log.js';
import { Input } from './input.js';
import { readInTurns } from '../../node-internals/socket-turn-reader.js';
import type { Totals } from '../report/totals.js';
import type { Upstream } from '../upstream.js';

export interface KmpConnectionOptions {
  readonly connection: number;
  readonly settings: MediaSettings;
  readonly clock: Clock;
  readonly log: Logger;
  readonly join: (data: ConnectData, codec: number) => Upstream;
  readonly totals?: Totals | undefined;
}

/**
 * Puts one accepted KMP socket into its line: socket, decoder, input (design: the way of a byte). Whatever goes wrong on
 * it ends this connection only, with one line in the log. Returns the input.
 */
export function openKmpConnection(socket: Socket, options: KmpConnectionOptions): Input {
  const { connection, settings, clock } = options;
  const peer = peerName(socket);
  let log = options.log.child({ peer, connection });
  // What is handed on now has to follow when the connect packet says more of the connection.
  const latest: Logger = {
    error: (message, fields) => log.error(message, fields),
    warn: (message, fields) => log.warn(message, fields),
    info: (message, fields) => log.info(message, fields),
    debug: (message, fields) => log.debug(message, fields),
    child: (fields) => log.child(fields),
  };
  if (settings.inDumpFolder !== '') {
    const dump = openDump(settings.inDumpFolder, kmpDumpName(clock.wall(), connection), latest);
    // What lies in a block is overwritten, perhaps before the disk has it.
    socket.on('data', (bytes: Buffer) => dump.write(blockOf(bytes) === undefined ? bytes : Buffer.from(bytes)));
    socket.once('close', () => dump.close());
  }
  const onFrame = frameLog(settings.inLogFrames, () => log);
  const decoder = new KmpDecoder({ clock });
  const onIdle = (): void => {
    input.close(`nothing was received for ${settings.inReadTimeout} ms (kmp_rtmp_in_read_timeout)`);
    // After the end of the stream the input is over, and waits for a sender that may never hang up.
    socket.destroy();
  };
  const input = new Input({
    connection,
    peer,
    settings,
    clock,
    log: latest,
    join: options.join,
    totals: options.totals,
    socket,
    onJoined: (schedule) =>
      readInTurns(socket, schedule, { blockSize: settings.inBufferSize, idleTimeout: timerMs(settings.inReadTimeout) }),
    onConnect: (packet: ConnectPacket, data: ConnectData) => {
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
    // A socket that was cut, by either side, is an ordinary end; what is wrong with the bytes is not.
    const premature = 'code' in error && (error.code === 'ECONNRESET' || error.code === 'EPIPE');
    if (premature || error.message === 'premature close') log.info(`KMP connection lost: ${messageOf(error)}`);
    else log.error(`KMP connection closed: ${messageOf(error)}`);
  };
  socket.on('error', tell);
  decoder.on('error', tell);
  input.on('error', tell);
  const line = new pumpify(socket, decoder, input);
  line.on('error', () => socket.destroy());
  input.on('close', () => {
    if (!socket.destroyed) socket.end();
  });
  return input;
}
