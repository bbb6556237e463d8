import type { RequestHandler } from 'express';
import type { AccessRule } from '../config/access/access.js';
import { accessCheck } from '../config/access/access-check.js';
import { peerAddress } from '../net/peer.js';
import { answerError } from './answer.js';

export { accessCheck } from '../config/access/access-check.js';
export type { AccessRule } from '../config/access/access.js';

/**
 * Answers 403 to peers that `rules` deny (see {@link accessCheck}). Uses the address of the connection, not
 * X-Forwarded-For.
 */
export function accessControl(rules: readonly AccessRule[]): RequestHandler {
  const allowed = accessCheck(rules);
  return (req, res, next) => {
    const address = peerAddress(req.socket);
    if (allowed(address)) next();
    else answerError(res, 403, 'forbidden', `access from ${address ?? 'this address'} is denied`);
  };
}
