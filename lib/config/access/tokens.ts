import { createHash } from 'node:crypto';
import { ConfigError, formatOrigin } from '../errors.js';
import { isShortSecret, shortSecret, type Warn } from '../types.js';

/** What the bearer of a token may do. `write` includes `read`. */
export const ROLES = ['read', 'write', 'control'] as const;
export type Role = (typeof ROLES)[number];

/** A token for the HTTP side, without its text. */
export interface AccessToken {
  /** The person or program that uses it, for the log. Several tokens may have the same name. */
  readonly name: string;
  readonly roles: readonly Role[];
  /** SHA-256 of the token, in hex. */
  readonly sha256: string;
}

/** Maximum size of a token file, in bytes, and of the list of one location: every request is compared with all. */
export const TOKEN_FILE_BYTES = 262_144;
const MAX_TOKENS = 1000;

const LINE = 'NAME ROLES TOKEN, such as "grafana read 7d1f0c..."';

/** SHA-256 of a token, in hex. */
export function tokenDigest(token: string): string {
  return createHash('sha256').update(token).digest('hex');
}

/** The token of `kmp_rtmp_api_token`: its bearer may do everything. */
export function fullToken(token: string): AccessToken {
  return { name: 'kmp_rtmp_api_token', roles: ROLES, sha256: tokenDigest(token) };
}

/**
 * Parses a file of `kmp_rtmp_api_token_file`: one token for each line, as `NAME ROLES TOKEN`. Empty lines, and lines
 * that begin with `#`, are skipped. Messages never contain a token.
 *
 * @param warn takes a text about a token that can be guessed
 * @throws ConfigError config_value with the line of the file
 */
export function parseTokens(text: string, file: string, warn: Warn = () => {}): AccessToken[] {
  const tokens: AccessToken[] = [];
  for (const [index, content] of text.split('\n').entries()) {
    const line = content.trim();
    if (line === '' || line.startsWith('#')) continue;
    const fail = (reason: string): never => {
      throw new ConfigError('config_value', { file, line: index + 1 }, reason);
    };
    const [name = '', roles = '', secret = '', ...rest] = line.split(/\s+/);
    if (secret === '' || rest.length > 0) fail(`expected ${LINE}`);
    if (!/^[\w.@-]{1,64}$/.test(name)) fail('a name has 1 to 64 letters, digits and "_", ".", "-", "@"');
    const sha256 =
      digestOf(secret) ?? fail('a token has letters, digits and -._~+/ (and = at the end), or is sha256:HEX');
    if (isShortSecret(secret)) warn(`${formatOrigin({ file, line: index + 1 })}: ${shortSecret(secret)}`);
    const known = rolesOf(roles) ?? fail(`roles are a list of ${ROLES.join(', ')} (with "," and no spaces), or all`);
    if (tokens.some((one) => one.sha256 === sha256)) fail('an earlier line has the same token');
    tokens.push({ name, roles: known, sha256 });
  }
  const origin = { file, line: 1 };
  if (tokens.length === 0) throw new ConfigError('config_value', origin, `there is no token; expected ${LINE}`);
  if (tokens.length > MAX_TOKENS) {
    throw new ConfigError('config_value', origin, `${tokens.length} tokens; the maximum is ${MAX_TOKENS}`);
  }
  return tokens;
}

/** A token in plain text, or as its digest, so that the file gives nothing away. */
function digestOf(secret: string): string | undefined {
  const [, hex] = /^sha256:([\da-f]{64})$/i.exec(secret) ?? [];
  if (hex !== undefined) return hex.toLowerCase();
  return /^[\w.~+/-]+=*$/.test(secret) ? tokenDigest(secret) : undefined;
}

function rolesOf(text: string): readonly Role[] | undefined {
  if (text === 'all') return ROLES;
  const given = text.split(',').map((word) => ROLES.find((role) => role === word));
  if (given.includes(undefined)) return undefined;
  return ROLES.filter((role) => given.includes(role) || (role === 'read' && given.includes('write')));
}
