import { createHash, randomBytes } from 'node:crypto';

/** The user part of an RTMP URL, decoded. It must never be logged or shown. */
export interface Credentials {
  readonly user: string;
  readonly password: string;
}

export type AuthAnswer =
  /**
   * Connect again, on a new connection, with `query` at the end of app and tcUrl ({@link withQuery}). The query of an
   * earlier round is dropped. Round 1 names the user, round 2 proves the password.
   */
  | { readonly kind: 'retry'; readonly query: string; readonly round: 1 | 2 }
  /** Another attempt is useless. `reason` is for people, and contains no secrets. */
  | { readonly kind: 'rejected'; readonly reason: string };

export interface AuthOptions {
  /**
   * The round that was answered last for this URL; default 0: none. A server that asks for the same round again
   * refuses.
   */
  readonly lastRound?: 0 | 1 | 2;
  /** Source of the client's own challenge; default `crypto.randomBytes`. */
  readonly random?: (size: number) => Buffer;
}

type Method = 'adobe' | 'llnw';

/**
 * Decides how to answer a refused connect whose description asks for a user name and password, in the way of Adobe
 * (`authmod=adobe`) or of Limelight (`authmod=llnw`). There is no public standard: the rules are those of widely used
 * publishers (docs/protocol/servers.md, Ingest services).
 *
 *     [ AccessManager.Reject ] : [ code=403 need auth; authmod=adobe ] :          -> round 1: authmod, user
 * [ ... authmod=adobe ] : ?reason=needauth&user=U&salt=S&challenge=C&opaque=O -> round 2: challenge, response, opaque
 *     [ ... authmod=adobe ] : ?reason=authfailed | nosuchuser                     -> rejected
 *
 * @param description description of the `_error`
 * @param credentials undefined if the URL has none
 * @param app app of connect, with or without a query
 * @returns undefined if the description is not about a login
 */
export function authAnswer(
  description: string,
  credentials: Credentials | undefined,
  app: string,
  options: AuthOptions = {},
): AuthAnswer | undefined {
  const named = /authmod=(\w+)/.exec(description)?.[1];
  if (named === undefined) return undefined;
  if (named !== 'adobe' && named !== 'llnw')
    return rejected(`the server asks for a login that is not known (${named})`);
  if (credentials === undefined || credentials.user === '') {
    return rejected(
      'the server asks for a user name and password: put them into the URL, rtmp://USER:PASSWORD@HOST/...',
    );
  }
  const reason = /\?reason=(\w*)/.exec(description)?.[1];
  if (reason === 'authfailed') return rejected('the server refuses the user name or the password');
  if (reason === 'nosuchuser') return rejected('the server does not know the user');
  const { lastRound = 0, random = randomBytes } = options;
  if (reason === 'needauth' ? lastRound >= 2 : lastRound >= 1) {
    return rejected('the server asks for the same login again and again');
  }
  if (reason !== undefined && reason !== 'needauth') return rejected(`the server refuses the login (${reason})`);
  if (reason === undefined)
    return { kind: 'retry', round: 1, query: `authmod=${named}&user=${escape(credentials.user)}` };
  const own = random(4).toString('hex');
  return { kind: 'retry', round: 2, query: secondRound(named, parameters(description), credentials, app, own) };
}

/** `app` or a tcUrl with the query behind it. */
export function withQuery(app: string, query: string): string {
  return `${app}${app.includes('?') ? '&' : '?'}${query}`;
}

function secondRound(
  method: Method,
  asked: ReadonlyMap<string, string>,
  { user, password }: Credentials,
  app: string,
  own: string,
): string {
  const head = `authmod=${method}&user=${escape(user)}`;
  if (method === 'adobe') {
    const opaque = asked.get('opaque');
    const theirs = opaque ?? asked.get('challenge') ?? '';
    const secret = md5(user + (asked.get('salt') ?? '') + password, 'base64');
    const answer = `${head}&challenge=${own}&response=${md5(secret + theirs + own, 'base64')}`;
    return opaque === undefined ? answer : `${answer}&opaque=${opaque}`;
  }
  // The digest of HTTP (RFC 2617) with qop=auth, realm "live", method "publish" and the app as path.
  const nonce = asked.get('nonce') ?? '';
  const count = '00000001';
  const name = app.replace(/\?.*$/s, '');
  const path = name.includes('/') ? `/${name}` : `/${name}/_definst_`;
  const who = md5(`${user}:live:${password}`, 'hex');
  const response = md5(`${who}:${nonce}:${count}:${own}:auth:${md5(`publish:${path}`, 'hex')}`, 'hex');
  return `${head}&nonce=${nonce}&cnonce=${own}&nc=${count}&response=${response}`;
}

/** The server's parameters behind `?reason=`, unchanged: values may contain `=`, and end at white space. */
function parameters(description: string): Map<string, string> {
  const query = description.slice(description.indexOf('?reason=') + 1);
  const found = new Map<string, string>();
  for (const pair of query.split('&')) {
    const at = pair.indexOf('=');
    if (at > 0) found.set(pair.slice(0, at), pair.slice(at + 1).replace(/\s.*$/s, ''));
  }
  return found;
}

/**
 * Escapes only what would end the parameter: servers compare the name literally, including `@` and similar characters.
 */
function escape(user: string): string {
  return user.replaceAll(/[\s&%#?=+]/g, encodeURIComponent);
}

function md5(text: string, encoding: 'base64' | 'hex'): string {
  return createHash('md5').update(text, 'utf8').digest(encoding);
}

function rejected(reason: string): AuthAnswer {
  return { kind: 'rejected', reason };
}
