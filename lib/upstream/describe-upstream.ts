import type { ConnectData } from '../kmp/connect-data.js';
import { withoutCredentials } from '../rtmp/rtmp-url.js';
import type { Health } from './health.js';
import type { SessionSet } from './connection/session-set.js';
import { inputStalledFor } from './input-stall.js';
import { adviceFor } from './report/advice.js';
import type { Breakage, Breakages } from './report/breakages.js';
import type { Elsewhere } from './report/orders.js';
import type {
  ElsewhereStatus,
  LastStatus,
  OutageStatus,
  StreamStatus,
  UpstreamState,
  UpstreamStatus,
} from './report/status.js';
import type { Ledger } from './tracks/ledger.js';
import type { Target } from './orders/target.js';
import type { UpstreamStream } from './tracks/stream.js';

/** The parts of an upstream that its description shows. */
export interface UpstreamFacts {
  readonly connection: number;
  readonly data: ConnectData;
  readonly ledger: Ledger;
  readonly state: UpstreamState;
  readonly health: Health;
  readonly serverStatus: LastStatus | null;
  readonly breakages: Pick<Breakages, 'last'>;
  readonly destinations: readonly unknown[];
  readonly target: Target;
  readonly streams: ReadonlyMap<string, UpstreamStream>;
  /** Monotonic ms. */
  readonly createdAt: number;
}

/**
 * The description of an upstream in the API (docs/protocol/behaviour.md, API objects).
 *
 * @param now monotonic ms
 */
export function describeUpstream(upstream: UpstreamFacts, sessions: SessionSet, now: number): UpstreamStatus {
  const { connection, data, ledger, state, health, serverStatus, createdAt } = upstream;
  const { last: lastBreakage } = upstream.breakages;
  const { main, nextAttempt } = sessions;
  const stalled = state === 'publishing' ? inputStalledFor(upstream.streams.values(), now) : undefined;
  const degraded = state === 'publishing' && stalled === undefined ? health.status(now) : null;
  // Senders choose the names, and `__proto__` must be an ordinary one.
  const streams = Object.create(null) as Record<string, StreamStatus>;
  for (const [name, stream] of upstream.streams) streams[name] = stream.status(now);
  return {
    url: withoutCredentials(data.url),
    header: data.header ?? '',
    opaque: data.opaque ?? '',
    remote_addr: main.connections.remoteAddress,
    local_addr: main.connections.localAddress,
    connection,
    mem_limit: ledger.limit,
    mem_left: ledger.left,
    ...sessions.bytes,
    lag_ms: Math.round(sessions.lagMs),
    reconnects: sessions.reconnects,
    destination: main.destination.index,
    destinations: upstream.destinations.length,
    destination_url: withoutCredentials(main.destination.given),
    elsewhere: elsewhereOf(upstream.target.elsewhere),
    failovers: sessions.failovers,
    streams,
    state: degraded !== null ? 'degraded' : stalled !== undefined ? 'input_stalled' : state,
    degraded,
    input_stalled: stalled === undefined ? null : Math.floor(stalled / 1000),
    outage: sessions.failingSince === undefined ? null : outageOf(sessions.failingSince, sessions.tries),
    last_status: serverStatus,
    uptime: Math.floor((now - createdAt) / 1000),
    last_error:
      lastBreakage === undefined
        ? null
        : {
            reason: lastBreakage.reason,
            message: lastBreakage.message,
            age: Math.floor((now - lastBreakage.at) / 1000),
          },
    ...errorDetails(lastBreakage, serverStatus),
    next_attempt: nextAttempt === undefined ? null : Math.max(0, Math.ceil((nextAttempt.at - now) / 1000)),
    next_attempt_at: nextAttempt === undefined ? null : new Date(nextAttempt.wall).toISOString(),
  };
}

function elsewhereOf(elsewhere: Elsewhere | undefined): ElsewhereStatus | null {
  if (elsewhere === undefined) return null;
  const { url, backupUrls, since } = elsewhere;
  return {
    url: withoutCredentials(url),
    backup_urls: backupUrls.map(withoutCredentials),
    since: new Date(since).toISOString(),
  };
}

/** When and where the last error happened, and what to do. */
function errorDetails(
  breakage: Breakage | undefined,
  status: LastStatus | null,
): Pick<UpstreamStatus, 'last_error_at' | 'last_error_layer' | 'last_error_advice'> {
  if (breakage === undefined) return { last_error_at: null, last_error_layer: null, last_error_advice: '' };
  const { layer, advice } = adviceFor(breakage.reason, breakage.message, status);
  return {
    last_error_at: new Date(breakage.wall).toISOString(),
    last_error_layer: layer,
    last_error_advice: advice,
  };
}

function outageOf(since: number, attempts: number): OutageStatus {
  return { since: new Date(since).toISOString(), attempts };
}
