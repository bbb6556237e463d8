import { createHash, timingSafeEqual } from 'node:crypto';
import type { RequestHandler } from 'express';
import { KmpRtmpError } from '../base/errors.js';
import { answerError } from './answer.js';

/**
 * Asks for a token: `Authorization: Bearer TOKEN`, or, since a browser can only send that by a script, HTTP Basic with any
 * user name and the token as the password. Without it: 401, and Basic is offered to whoever asks for a page.
 *
 * Tokens are compared as SHA-256 digests in constant time, and always with all of them, so that the time taken tells
 * nothing of how much of a guess was right, nor which token it resembles.
 *
 * @param tokens one or several (the old and the new one, while clients change over)
 * @throws KmpRtmpError `bad_token` if there is none, or an empty one
 */
export function bearerToken(tokens: string | readonly string[]): RequestHandler {
  const accepted = [tokens].flat().map((token) => {
    if (token === '') throw new KmpRtmpError('bad_token', 'the API token is empty; leave it out to need none');
    return digest(token);
  });
  if (accepted.length === 0) throw new KmpRtmpError('bad_token', 'no API token is given');
  return (req, res, next) => {
    const given = tokenOf(req.headers.authorization);
    if (given !== undefined) {
      const hash = digest(given);
      const matches = accepted.filter((token) => timingSafeEqual(token, hash));
      if (matches.length > 0) {
        next();
        return;
      }
    }
    const bearer = `Bearer realm="kmp-rtmp"${given === undefined ? '' : ', error="invalid_token"'}`;
    const isPage = req.headers.accept?.includes('text/html') === true;
    res.setHeader('WWW-Authenticate', isPage ? [bearer, 'Basic realm="kmp-rtmp", charset="UTF-8"'] : bearer);
    answerError(res, 401, 'unauthorized', given === undefined ? 'a token is needed' : 'the token is not valid');
  };
}

function tokenOf(header: string | undefined): string | undefined {
  const [, scheme, value] = /^(bearer|basic) +(\S+) *$/i.exec(header ?? '') ?? [];
  if (scheme === undefined || value === undefined) return undefined;
  if (scheme.toLowerCase() === 'bearer') return value;
  const decoded = Buffer.from(value, 'base64').toString('utf8');
  const colon = decoded.indexOf(':');
  return colon < 0 ? undefined : decoded.slice(colon + 1);
}

function digest(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}
