import { control, route } from '../route.js';
import { listed, optional, presence, type Context } from '../row.js';
import { parameters, token } from '../types.js';

const contexts: readonly Context[] = ['location'];

/** What a location answers. */
export const locationDirectives = {
  kmp_rtmp_api: optional(parameters({ write: false }), {
    contexts,
    doc: `Serves the management API. Read-only unless write=on. Limit who gets here by allow and deny or by
      kmp_rtmp_api_token.`,
  }),
  kmp_rtmp_status: presence({
    contexts,
    doc: `Serves the status page. Its drop buttons show only where the API of the same server is writable.`,
  }),
  kmp_rtmp_metrics: optional(parameters({ upstreams: true }), {
    contexts,
    doc: `Serves metrics for Prometheus. upstreams=off leaves out those of single upstreams, whose number follows that of the
      upstreams.`,
  }),
  kmp_rtmp_health: presence({
    contexts,
    doc: `Serves healthz (the process is alive) and readyz (it listens and is not shutting down) below the location.`,
  }),
  kmp_rtmp_control: optional(control, {
    contexts,
    doc: `Answers the publish, unpublish and republish callbacks of KMP senders by the routes of the location. kmp is the address
      that senders are told to send KMP to; not given: the KMP server's own, or where that listens on all addresses, the one that
      the callback came in on.`,
  }),
  kmp_rtmp_route: listed(route, {
    contexts,
    setting: 'routes',
    doc: `For kmp_rtmp_control: where to publish what the pattern fits. The pattern is a regular expression, not anchored; $1 to $9
      and $& stand in the URLs for what its groups and the whole of it fit. All routes are asked in the order written, the first that
      fits decides. May be repeated.`,
  }),
  kmp_rtmp_api_token: optional(token, {
    contexts: ['http', 'http server', 'location'],
    setting: 'token',
    doc: `Asks clients of the API, the status page, metrics and control for this bearer token (Authorization: Bearer ...). Health
      checks need none.`,
  }),
} as const;
