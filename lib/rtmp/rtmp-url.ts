import { KmpRtmpError } from '../base/errors.js';

/** Where to publish, from `[rtmp://|rtmps://][user:password@]host[:port]/app/stream` (docs/protocol/rtmp.md, URL). */
export interface RtmpUrl {
  readonly secure: boolean;
  readonly host: string;
  readonly port: number;
  /** First path segment. */
  readonly app: string;
  /** Second path segment, query string included; may be empty. */
  readonly stream: string;
  /** The URL up to the app's end, without user and password. */
  readonly tcUrl: string;
  readonly user: string | undefined;
  readonly password: string | undefined;
}

/** A URL that cannot be published to. The message never shows the URL itself, which holds the stream key. */
export class RtmpUrlError extends KmpRtmpError {
  constructor(problem: string) {
    super('RTMP_BAD_URL', `the RTMP url ${problem}; expected [rtmp://]host[:port]/app/stream`);
  }
}

const DEFAULT_PORT = 1935;
const DEFAULT_SECURE_PORT = 443;

/**
 * Takes an RTMP URL apart. Not `new URL()`: stream names go out as they are given, spaces and all.
 *
 * @throws RtmpUrlError
 */
export function parseRtmpUrl(url: string): RtmpUrl {
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(url)?.[0] ?? '';
  const lower = scheme.toLowerCase();
  if (lower !== '' && lower !== 'rtmp://' && lower !== 'rtmps://') {
    throw new RtmpUrlError(`has the scheme "${lower.slice(0, -3).slice(0, 20)}", not rtmp or rtmps`);
  }
  const secure = lower === 'rtmps://';
  const rest = url.slice(scheme.length);
  const slash = rest.indexOf('/');
  if (slash < 0) throw new RtmpUrlError('has no app behind the host');
  let authority = rest.slice(0, slash);
  const path = rest.slice(slash + 1);

  let user: string | undefined;
  let password: string | undefined;
  const at = authority.lastIndexOf('@');
  if (at >= 0) {
    const credentials = authority.slice(0, at);
    authority = authority.slice(at + 1);
    const colon = credentials.indexOf(':');
    user = decode(colon < 0 ? credentials : credentials.slice(0, colon));
    password = colon < 0 ? '' : decode(credentials.slice(colon + 1));
  }

  const { host, port } = hostAndPort(authority, secure ? DEFAULT_SECURE_PORT : DEFAULT_PORT);
  const appEnd = path.indexOf('/');
  const app = appEnd < 0 ? path : path.slice(0, appEnd);
  if (app === '') throw new RtmpUrlError('has an empty app');
  const stream = appEnd < 0 ? '' : path.slice(appEnd + 1);
  return { secure, host, port, app, stream, tcUrl: `${scheme}${authority}/${app}`, user, password };
}

/** The same URL without user and password, as it may be shown to who may know the stream key. */
export function withoutCredentials(url: string): string {
  const scheme = /^[a-z][a-z0-9+.-]*:\/\//i.exec(url)?.[0] ?? '';
  const rest = url.slice(scheme.length);
  const slash = rest.indexOf('/');
  const at = rest.lastIndexOf('@', slash < 0 ? Infinity : slash);
  return scheme + rest.slice(at + 1);
}

function hostAndPort(authority: string, defaultPort: number): { host: string; port: number } {
  const match = /^(?:\[([^\]]*)\]|([^:]*))(?::(.*))?$/.exec(authority);
  const host = match?.[1] ?? match?.[2] ?? '';
  if (host === '') throw new RtmpUrlError('has no host');
  const text = match?.[3];
  if (text === undefined) return { host, port: defaultPort };
  const port = /^\d{1,5}$/.test(text) ? Number(text) : NaN;
  if (!(port > 0 && port <= 65535))
    throw new RtmpUrlError(
      `has a port that is not a number up to 65535 (or a "/" that is not escaped in its password)`,
    );
  return { host, port };
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
