import type { Request } from 'express';
import type { AccessToken } from '../config/access/tokens.js';
import { peerName } from '../net/peer.js';

const tokens = new WeakMap<object, AccessToken>();

/** Remembers the token of a request. */
export function setClientToken(req: Request, token: AccessToken): void {
  tokens.set(req, token);
}

/** The token of a request; undefined if the location requires none. */
export function clientToken(req: Request): AccessToken | undefined {
  return tokens.get(req);
}

/** The name of the token of a request; null if the location requires none. */
export function tokenName(req: Request): string | null {
  return tokens.get(req)?.name ?? null;
}

/** Who sent a request, for a log line: `"night" (192.0.2.1:40112)`, or only the address if no token is required. */
export function clientName(req: Request): string {
  const token = tokens.get(req);
  const address = peerName(req.socket);
  return token === undefined ? address : `"${token.name}" (${address})`;
}
