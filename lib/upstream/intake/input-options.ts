import type { Socket } from 'node:net';
import type { Clock } from '../../time/clock.js';
import type { MediaSettings } from '../../config/settings.js';
import type { ConnectData } from '../../kmp/connect-data.js';
import type { ConnectPacket } from '../../kmp/packet.js';
import type { Logger } from '../../base/logger.js';
import type { OnFrame } from './frame-log.js';
import type { TurnSchedule } from '../../time/turn-schedule.js';
import type { TurnReader } from '../../node-internals/socket-turn-reader.js';
import type { Totals } from '../report/totals.js';
import type { Upstream } from '../upstream.js';

/** What the end of a KMP connection's line is told of the connection, and whom it tells. */
export interface InputOptions {
  readonly connection: number;
  /** `ip:port` */
  readonly peer: string;
  readonly settings: MediaSettings;
  readonly clock: Clock;
  readonly log: Logger;
  /** Finds or makes the upstream. */
  readonly join: (data: ConnectData, codec: number) => Upstream;
  /** Where acks go and what is closed in the end; absent for a source that is no socket (a dump file). */
  readonly socket?: Socket;
  /** Known beforehand, for a source without connect packet. */
  readonly connectData?: ConnectData;
  /** Called when the connect packet has been read. */
  readonly onConnect?: (packet: ConnectPacket, data: ConnectData) => void;
  /** Called once, when the track has joined its upstream: from then on its socket may be read at the pace of that. */
  readonly onJoined?: (schedule: TurnSchedule) => TurnReader | undefined;
  /** Called for each frame that counts (`kmp_rtmp_in_log_frames`). */
  readonly onFrame?: OnFrame;
  /** Where it is counted. */
  readonly totals?: Totals | undefined;
}
