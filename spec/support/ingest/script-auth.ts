/**
 * The server's side of Adobe's and Limelight's user names and passwords, from what clients' public sources describe:
 * a round that names the method, one that hands out salt and challenge (or a nonce), one that checks the answer.
 */
import type { Script, Status } from './script.js';
import { md5base64, md5hex } from './script-bytes.js';

const SALT = 'Zs0=';
const OPAQUE = 'a3f4b6ee';
const NONCE = '6b0d8c41';

function refusal(description: string): Status {
  return { code: 'NetConnection.Connect.Rejected', description };
}

/** undefined: the connect may pass. */
export function authRefusal(auth: NonNullable<Script['auth']>, app: string): Status | undefined {
  const { method, user } = auth;
  const query = new URLSearchParams(app.slice(app.indexOf('?') + 1).replaceAll('+', '%2B'));
  if (!app.includes('?') || query.get('authmod') !== method) {
    return refusal(`[ AccessManager.Reject ] : [ code=403 need auth; authmod=${method} ] : `);
  }
  if (query.get('user') !== user) {
    return refusal(`[ AccessManager.Reject ] : [ authmod=${method} ] : ?reason=nosuchuser&opaque=${OPAQUE}`);
  }
  if (!query.has('response')) {
    const asked =
      method === 'adobe'
        ? `?reason=needauth&user=${user}&salt=${SALT}&challenge=${OPAQUE}&opaque=${OPAQUE}`
        : `?reason=needauth&user=${user}&nonce=${NONCE}`;
    return refusal(`[ AccessManager.Reject ] : [ authmod=${method} ] : ${asked}`);
  }
  const right = method === 'adobe' ? adobeAnswer(auth, query) : llnwAnswer(auth, query, app);
  if (query.get('response') === right) return undefined;
  return refusal(`[ AccessManager.Reject ] : [ authmod=${method} ] : ?reason=authfailed&opaque=${OPAQUE}`);
}

function adobeAnswer({ user, password }: NonNullable<Script['auth']>, query: URLSearchParams): string {
  return md5base64(md5base64(user, SALT, password), OPAQUE, query.get('challenge') ?? '');
}

function llnwAnswer({ user, password }: NonNullable<Script['auth']>, query: URLSearchParams, app: string): string {
  const name = app.slice(0, app.indexOf('?'));
  const uri = name.includes('/') ? `/${name}` : `/${name}/_definst_`;
  const nc = query.get('nc') ?? '';
  const cnonce = query.get('cnonce') ?? '';
  return md5hex(md5hex(user, 'live', password), NONCE, nc, cnonce, 'auth', md5hex('publish', uri));
}
