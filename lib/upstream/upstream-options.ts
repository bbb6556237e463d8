import type { Clock } from '../time/clock.js';
import type { MediaSettings } from '../config/settings.js';
import type { ConnectData } from '../kmp/connect-data.js';
import type { Logger } from '../base/logger.js';
import type { AddressPenalties } from '../rtmp/network/address-penalties.js';
import type { Permit } from '../rtmp/network/permit.js';
import type { Resolve } from '../rtmp/network/resolve.js';
import type { TcpQueues } from '../rtmp/network/tcp-queues.js';
import type { Destinations } from './destination/destinations.js';
import type { Owner } from './owner.js';
import type { CloseReason } from './report/close-reason.js';
import type { Elsewhere } from './report/orders.js';
import type { ProcessMemory } from './tracks/process-memory.js';
import type { ReportEvent } from './report/upstream-event.js';

/** What an upstream is created from. */
export interface UpstreamOptions {
  readonly id: string;
  /** Number of the RTMP connection, unique in this process. */
  readonly connection: number;
  readonly data: ConnectData;
  /** Who may add tracks; undefined: everyone. */
  readonly owner?: Owner | undefined;
  readonly settings: MediaSettings;
  /** Where an operator sends the upstream, instead of where the connect data asks for. */
  readonly elsewhere?: Elsewhere | undefined;
  readonly clock: Clock;
  readonly log: Logger;
  readonly resolve: Resolve;
  /** The backoffs of destinations, shared by all upstreams of the process. */
  readonly destinations: Destinations;
  /** The addresses that failed lately, shared by all upstreams of the process. */
  readonly addresses: AddressPenalties;
  /** The memory of all upstreams of the process. Default: it has no limit. */
  readonly memory?: ProcessMemory | undefined;
  /** Measures the kernel's queues of all connections of the process. */
  readonly queues: TcpQueues;
  /** Which addresses the upstream may connect to; default: all. */
  readonly permit?: Permit;
  /** Called for each event, except for the last one, `rtmp_close`. */
  readonly onEvent?: ReportEvent;
  /** Called once, when the upstream has ended. */
  readonly onEnd: (reason: CloseReason, message: string) => void;
}
