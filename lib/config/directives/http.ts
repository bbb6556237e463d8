import { control, route } from '../route.js';
import { optional, repeatable, row, switchRow, type Context } from '../row.js';
import { num, parameters, path, token } from '../types.js';

const contexts: readonly Context[] = ['location'];
const tokenContexts: readonly Context[] = ['http', 'http server', 'location'];

/** Limits of HTTP servers. */
export const httpServerDirectives = {
  kmp_rtmp_http_max_connections: row(num(0, 1_000_000), '1024', {
    contexts: ['http', 'http server'],
    doc: `Maximum number of simultaneous connections to each address of an HTTP server. At the limit, a new connection
      takes the place of the one that has been idle longest. If all are busy, 32 more are accepted for health checks.
      0: no limit.`,
  }),
  kmp_rtmp_http_max_connections_per_address: row(num(0, 1_000_000), '512', {
    contexts: ['http', 'http server'],
    doc: `Maximum number of simultaneous connections from one client address to each address of an HTTP server. At the
      limit, a new connection takes the place of the one of this client that has been idle longest. If all are busy, it
      is closed. 0: no limit.`,
  }),
} as const;

/** Directives that select what a location serves. */
export const locationDirectives = {
  kmp_rtmp_api: optional(parameters({ write: false }), {
    contexts,
    doc: `Serves the management API. The API is read-only unless write=on is given. Restrict access to it with allow and
      deny, or with kmp_rtmp_api_token.`,
    example: 'kmp_rtmp_api write=on;',
  }),
  kmp_rtmp_status: switchRow({
    contexts,
    doc: `Serves the status page. The page has buttons that change something (drop, disable, enable, retry, send
      elsewhere, send back, undo an order) only if the same server has an API with write=on.`,
  }),
  kmp_rtmp_metrics: optional(parameters({ upstreams: true }), {
    contexts,
    doc: `Serves metrics for Prometheus. upstreams=off omits the metrics of single upstreams. Their number grows with
      the number of upstreams: at most 1000 upstreams have metrics of their own, those that are not in order first, and
      the 100 that failed last.`,
    example: 'kmp_rtmp_metrics upstreams=off;',
  }),
  kmp_rtmp_health: switchRow({
    contexts,
    doc: `Serves two health checks below the location: healthz (the process is alive) and readyz (the service listens
      and is not shutting down).`,
  }),
  kmp_rtmp_control: optional(control, {
    contexts,
    doc: `Answers the publish, unpublish and republish callbacks of KMP senders according to the kmp_rtmp_route
      directives of the location. kmp sets the address that senders connect to by KMP. Its default is the address of the
      KMP server of this service. If that server listens on all addresses, the default is the address on which the
      callback arrived.`,
    example: 'kmp_rtmp_control kmp=192.0.2.10:8005;',
  }),
  kmp_rtmp_control_secret_file: optional(path, {
    contexts,
    setting: 'controlSecretFile',
    doc: `File with the secret that kmp_rtmp_control signs connect data with, for a KMP server in another process (kmp=).
      The first secret of the file is used. Its form is that of kmp_rtmp_in_secret_file. Default: the first secret of the
      KMP server of this service that senders are sent to; without one, nothing is signed.`,
    example: 'kmp_rtmp_control_secret_file /run/secrets/kmp;',
  }),
  kmp_rtmp_route: repeatable(route, {
    contexts,
    setting: 'routes',
    doc: `Destinations of inputs that match the pattern, for kmp_rtmp_control. The pattern is a regular expression and
      is not anchored. In the URLs, $1 to $9 stand for its groups and $& stands for the whole match. The routes are
      checked in the order of the file; the first match decides. May be repeated. The word required or optional after a
      URL sets what the KMP sender does when this destination ends for good: required ends the whole input with all its
      destinations, optional ends only this destination. Default: a single destination is required, several destinations
      are optional. url|url is one destination with a backup: the second URL is used when the first one fails.`,
    example: 'kmp_rtmp_route "^live_(.+)$" rtmp://a.example.com/live/$1 rtmps://b.example.com/app/$1 required;',
  }),
  kmp_rtmp_api_token: optional(token, {
    contexts: tokenContexts,
    setting: 'token',
    doc: `Bearer token that clients of the API, the status page, metrics and control must send (Authorization: Bearer
      TOKEN). Its bearer may do everything that the location allows. A token of less than 8 characters causes a warning. Health checks do not need it. An inner block with
      this directive or kmp_rtmp_api_token_file inherits neither of them.`,
  }),
  kmp_rtmp_api_token_file: repeatable(path, {
    contexts: tokenContexts,
    setting: 'tokenFiles',
    doc: `File with further bearer tokens: one for each line, as NAME ROLES TOKEN. The name appears in the log if its
      bearer changes something. The roles are read (API with GET, status page, metrics), write (also requests that change
      something: drop, disable, enable, retry, send elsewhere, send back, undo an order) and control (callbacks of
      kmp_rtmp_control), as a list with commas, or all. Instead of the token, a line may have its SHA-256 digest as
      sha256:HEX. Lines that begin with "#" are comments. A reload reads the file again.
      A relative path begins at the folder of the configuration file. May be repeated, and used together with
      kmp_rtmp_api_token.`,
    example: 'kmp_rtmp_api_token_file tokens;',
  }),
} as const;
