import type { RequestHandler } from 'express';
import type { AccessRule } from '../config/access.js';
import { accessCheck } from '../config/access-check.js';
import { answerError } from './answer.js';

export { accessCheck } from '../config/access-check.js';
export type { AccessRule } from '../config/access.js';

/** 403 for peers that `rules` do not allow (see {@link accessCheck}). Looks at the connection, not at X-Forwarded-For. */
export function accessControl(rules: readonly AccessRule[]): RequestHandler {
  const allowed = accessCheck(rules);
  return (req, res, next) => {
    if (allowed(req.socket.remoteAddress)) next();
    else answerError(res, 403, 'forbidden', `access from ${req.socket.remoteAddress ?? 'this address'} is denied`);
  };
}
