import http from 'node:http';
import https from 'node:https';
import type { NodeHttpAddress } from '../../config/fleet/arguments.js';
import { PeerError } from './answer-reader.js';

/** The most answers of the kind "102 Processing" before the answer itself. Nodes send none. */
const MAX_INFORMATION = 8;

export interface PeerRequest {
  readonly to: NodeHttpAddress;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** Certificates of authorities, in PEM form; undefined: those of Node. */
  readonly ca: string | undefined;
  readonly signal: AbortSignal;
}

/**
 * Sends a POST on a connection of its own, and resolves when the head of the answer has arrived. Redirects are not
 * followed. Once the signal is aborted, the connection is closed.
 *
 * @throws Error of the connection
 */
export function postToPeer({ to, path, headers, body, ca, signal }: PeerRequest): Promise<http.IncomingMessage> {
  return new Promise((resolve, reject) => {
    const { host, port } = to;
    const options = { host, port, path, method: 'POST', headers, agent: false, signal } as const;
    const request = to.tls === true ? https.request({ ...options, ca }) : http.request(options);
    let information = 0;
    request.on('information', () => {
      if (++information > MAX_INFORMATION) request.destroy(new PeerError('its answer never begins'));
    });
    request.on('response', resolve);
    // Errors after the first one must not end this process.
    request.on('error', reject);
    request.end(body);
  });
}
