import type { Socket } from 'node:net';
import type { Clock } from '../../time/clock.js';
import type { MediaSettings } from '../../config/settings.js';
import type { ConnectData } from '../../kmp/connect-data.js';
import type { ConnectPacket } from '../../kmp/packet.js';
import type { SigningSecret } from '../../base/signing-secret.js';
import type { Logger } from '../../base/logger.js';
import type { IntakeShare } from './intake-memory.js';
import type { OnFrame } from './frame-log.js';
import type { TurnReader } from '../../node-internals/socket-turn-reader.js';
import type { Totals } from '../report/totals.js';
import type { Upstream } from '../upstream.js';

/** What an {@link Input} gets from its connection, and the callbacks that it calls. */
export interface InputOptions {
  readonly connection: number;
  /** `ip:port` */
  readonly peer: string;
  readonly settings: MediaSettings;
  readonly clock: Clock;
  readonly log: Logger;
  /** Finds or creates the upstream. `signer`: the name of the secret that the connect data was signed with. */
  readonly join: (data: ConnectData, codec: number, signer: string | undefined) => Upstream;
  /** Secrets, one of which the connect data must be signed with; default: none, and it needs no signature. */
  readonly secrets?: readonly SigningSecret[] | undefined;
  /** The socket for acks, which is closed at the end; absent if the source is not a socket (a dump file). */
  readonly socket?: Socket;
  /** What the connection uses of the memory for connections without an upstream; default: that has no limit. */
  readonly unjoined?: IntakeShare | undefined;
  /** The connect data, for a source without connect packet. */
  readonly connectData?: ConnectData;
  /** Called when the connect packet has been read. */
  readonly onConnect?: (packet: ConnectPacket, data: ConnectData) => void;
  /**
   * Called once, when the track has joined its upstream. From then on, its socket may be read at the turns of the
   * upstream.
   */
  readonly onJoined?: (upstream: Upstream) => TurnReader | undefined;
  /** Called for each accepted frame (`kmp_rtmp_in_log_frames`). */
  readonly onFrame?: OnFrame;
  /** The sums that include this input. */
  readonly totals?: Totals | undefined;
}
