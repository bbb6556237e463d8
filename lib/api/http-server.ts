import http from 'node:http';
import { oneAtATime } from './one-at-a-time.js';

/** Limits of {@link createHttpServer}; times in ms. */
export interface HttpLimits {
  /** Bytes of a request's line and headers; 431 above. Default 16384. */
  readonly maxHeaderSize: number;
  /** How long the headers of a request may take to arrive; then 408. Default 10000. */
  readonly headersTimeout: number;
  /** How long a whole request may take to arrive; then 408. Default 20000. */
  readonly requestTimeout: number;
  /** How long a connection may stay between requests. Default 75000, as nginx. */
  readonly keepAliveTimeout: number;
  /**
   * How long nothing may move on a connection, e.g. because the client takes no more of an answer; then it is closed.
   * A stream of events has to send something more often than this. Default 60000.
   */
  readonly idleTimeout: number;
  /** Open connections; those above are closed at once. Default 1024. */
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

/** A server for an Express app (or any listener) that slow, huge or too many requests cannot tie up. Does not listen yet. */
export function createHttpServer(app: http.RequestListener, limits: Partial<HttpLimits> = {}): http.Server {
  const { maxHeaderSize, headersTimeout, requestTimeout, keepAliveTimeout, idleTimeout, maxConnections } = {
    ...DEFAULTS,
    ...limits,
  };
  const server = http.createServer(
    {
      maxHeaderSize,
      headersTimeout,
      requestTimeout,
      keepAliveTimeout,
      // How often the two timeouts above are looked at; Node's default of 30 s would stretch them.
      connectionsCheckingInterval: Math.max(50, Math.min(headersTimeout, requestTimeout) / 10),
    },
    oneAtATime(app),
  );
  server.maxConnections = maxConnections;
  server.maxHeadersCount = 100;
  server.setTimeout(idleTimeout);
  return server;
}
