import http from 'node:http';
import { MalformedRequests } from './malformed-request.js';
import { serializeRequests } from './serialize-requests.js';

/** Limits of {@link createHttpServer}; times in ms. */
export interface HttpLimits {
  /** Maximum size of the request line and headers, in bytes; above it, 431. Default 16384. */
  readonly maxHeaderSize: number;
  /** Maximum time to receive the headers of a request; then 408. Default 10000. */
  readonly headersTimeout: number;
  /** Maximum time to receive a complete request; then 408. Default 20000. */
  readonly requestTimeout: number;
  /** Maximum idle time between requests. Default 75000, as in nginx. */
  readonly keepAliveTimeout: number;
  /**
   * Maximum time without any traffic on a connection, for example if the client stops reading; then it is closed. An
   * event stream must send something more often. Default 60000.
   */
  readonly idleTimeout: number;
  /** Maximum number of connections; further ones are closed at once. Default 1024. */
  readonly maxConnections: number;
}

const DEFAULTS: HttpLimits = {
  maxHeaderSize: 16 * 1024,
  headersTimeout: 10_000,
  requestTimeout: 20_000,
  keepAliveTimeout: 75_000,
  idleTimeout: 60_000,
  maxConnections: 1024,
};

/** Creates a server with limits against slow, large and too many requests. It does not listen yet. */
export function createHttpServer(app: http.RequestListener, limits: Partial<HttpLimits> = {}): http.Server {
  const { maxHeaderSize, headersTimeout, requestTimeout, keepAliveTimeout, idleTimeout, maxConnections } = {
    ...DEFAULTS,
    ...limits,
  };
  const malformed = new MalformedRequests();
  const server = http.createServer(
    {
      requireHostHeader: false,
      maxHeaderSize,
      headersTimeout,
      requestTimeout,
      keepAliveTimeout,
      // Interval of checking the two timeouts above. The default of Node, 30 s, is too long for them.
      connectionsCheckingInterval: Math.max(50, Math.min(headersTimeout, requestTimeout) / 10),
    },
    serializeRequests(malformed.guard(app)),
  );
  malformed.handle(server);
  server.maxConnections = maxConnections;
  server.maxHeadersCount = 100;
  server.setTimeout(idleTimeout);
  return server;
}
