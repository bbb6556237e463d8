import { openDump } from '../dump/dump.js';
import { rtmpDumpName } from '../dump/dump-name.js';
import type { Logger } from '../base/logger.js';
import type { TurnSchedule } from '../time/turn-schedule.js';
import type { Destination } from './connection/destination.js';
import { PublishSession, type SessionOwner } from './connection/session.js';
import type { Ledger } from './tracks/ledger.js';
import type { UpstreamOptions } from './upstream-options.js';

/** The parts of an upstream that its sessions need. */
export interface SessionHost extends SessionOwner {
  readonly log: Logger;
  readonly ledger: Ledger;
  readonly schedule: TurnSchedule;
  readonly destinations: readonly Destination[];
}

/**
 * A session of `upstream`, for a stream.
 *
 * @param names of the stream at each destination
 * @param first index of the destination to begin with
 */
export function newSession(
  upstream: SessionHost,
  options: UpstreamOptions,
  names: readonly string[],
  first: number,
): PublishSession {
  const { settings, clock, resolve, permit, destinations, addresses, queues, id, connection } = options;
  const { ledger, log, schedule } = upstream;
  const folder = settings.outDumpFolder;
  const dump = folder === '' ? undefined : () => openDump(folder, rtmpDumpName(clock.wall(), id, connection), log);
  const canReconnect = settings.outReconnects > 0 || upstream.destinations.length > 1;
  const shared = { resolve, permit, dump, ledger, destinations, addresses, queues };
  const sessionOptions = { settings, canReconnect, clock, schedule, ...shared };
  return new PublishSession(sessionOptions, upstream.destinations, names, upstream, first);
}
