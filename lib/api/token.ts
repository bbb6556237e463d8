import { timingSafeEqual } from 'node:crypto';
import type { Request, RequestHandler } from 'express';
import { KmpRtmpError } from '../base/errors.js';
import { fullToken, tokenDigest, type AccessToken, type Role } from '../config/access/tokens.js';
import { answerError } from './answer.js';
import { setClientToken } from './client.js';

/**
 * Requires a token: `Authorization: Bearer TOKEN`, or HTTP Basic with any user name and the token as the password, for
 * browsers. Without a valid token the answer is 401; it offers Basic to clients that request a page. The bearer of any
 * of the tokens may do everything.
 *
 * @param tokens one or several tokens (the old and the new one during a change)
 * @throws KmpRtmpError `token_empty` if there is no token, or an empty one
 */
export function bearerToken(tokens: string | readonly string[]): RequestHandler {
  const accepted = [tokens].flat().map((token) => {
    if (token === '') throw new KmpRtmpError('token_empty', 'the API token is empty; remove it to require no token');
    return fullToken(token);
  });
  return requireToken(accepted, () => undefined);
}

/**
 * Like {@link bearerToken}, for tokens with roles. A token without the role of a request is answered with 403.
 *
 * Tokens are compared as SHA-256 digests in constant time, and always with all of them. So the duration does not reveal
 * how much of a guess is right, or which token it resembles.
 *
 * @param roleOf the role that a request needs; undefined: every token will do
 * @throws KmpRtmpError `token_empty` if there is no token
 */
export function requireToken(
  tokens: readonly AccessToken[],
  roleOf: (req: Request) => Role | undefined,
): RequestHandler {
  const accepted = tokens.map((token) => ({ token, digest: Buffer.from(token.sha256, 'hex') }));
  if (accepted.length === 0) throw new KmpRtmpError('token_empty', 'there is no API token');
  return (req, res, next) => {
    const given = tokenOf(req.headers.authorization);
    if (given !== undefined) {
      const hash = Buffer.from(tokenDigest(given), 'hex');
      const [match] = accepted.filter(({ digest }) => timingSafeEqual(digest, hash));
      if (match !== undefined) {
        const role = roleOf(req);
        setClientToken(req, match.token);
        if (role === undefined || match.token.roles.includes(role)) next();
        else answerError(res, 403, 'forbidden', `the token "${match.token.name}" does not have the role "${role}"`);
        return;
      }
    }
    const bearer = `Bearer realm="kmp-rtmp"${given === undefined ? '' : ', error="invalid_token"'}`;
    const isPage = req.headers.accept?.includes('text/html') === true;
    res.setHeader('WWW-Authenticate', isPage ? [bearer, 'Basic realm="kmp-rtmp", charset="UTF-8"'] : bearer);
    answerError(res, 401, 'unauthorized', given === undefined ? 'a token is required' : 'the token is not valid');
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
