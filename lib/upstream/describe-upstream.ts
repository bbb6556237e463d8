import { withoutCredentials } from '../rtmp/rtmp-url.js';
import type { Links } from './connection/session-set.js';
import type { StreamStatus, UpstreamStatus } from './report/status.js';
import type { Upstream } from './upstream.js';

/**
 * What the API shows of an upstream (spec/module.md, Upstream Object).
 *
 * @param createdAt monotonic ms
 * @param now monotonic ms
 */
export function describeUpstream(upstream: Upstream, links: Links, createdAt: number, now: number): UpstreamStatus {
  const { connection, data, ledger, state, serverStatus, broke } = upstream;
  // Names come from senders: `__proto__` is one like others.
  const streams = Object.create(null) as Record<string, StreamStatus>;
  for (const [name, stream] of upstream.streams) streams[name] = stream.status(now);
  return {
    url: withoutCredentials(data.url),
    header: data.header ?? '',
    opaque: data.opaque ?? '',
    remote_addr: links.main.remoteAddress,
    local_addr: links.main.localAddress,
    connection,
    mem_limit: ledger.limit,
    mem_left: ledger.left,
    ...links.traffic(),
    streams,
    state,
    last_status: serverStatus,
    uptime: Math.floor((now - createdAt) / 1000),
    last_error:
      broke === undefined
        ? null
        : { reason: broke.reason, message: broke.message, age: Math.floor((now - broke.at) / 1000) },
  };
}
