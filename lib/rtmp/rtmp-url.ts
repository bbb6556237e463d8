import { KmpRtmpError } from '../base/errors.js';

/**
 * A parsed URL: `[rtmp://|rtmps://][user:password@]host[:port]/app/stream` (docs/protocol/rtmp.md, URL).
 */
export interface RtmpUrl {
  readonly secure: boolean;
  readonly host: string;
  readonly port: number;
  /** First path segment; empty only if `appRequired` is false. */
  readonly app: string;
  /** Second path segment with the query string; may be empty. If there is a query string, further segments are kept. */
  readonly stream: string;
  /** The URL up to the end of the app, without user and password. */
  readonly tcUrl: string;
  readonly user: string | undefined;
  readonly password: string | undefined;
}

/** A URL that cannot be published to. The message never contains the URL itself, which includes the stream key. */
export class RtmpUrlError extends KmpRtmpError {
  constructor(problem: string) {
    super('rtmp_bad_url', `the RTMP url ${problem}; expected [rtmp://]host[:port]/app/stream`);
  }
}

const DEFAULT_PORT = 1935;
const DEFAULT_SECURE_PORT = 443;

/** Options of {@link parseRtmpUrl}. */
export interface RtmpUrlOptions {
  /** Whether a URL without an app is an error. Default true. */
  readonly appRequired?: boolean;
}

/**
 * Parses an RTMP URL. `new URL()` is not used, because it would escape characters of the stream name.
 *
 * Further segments of the path are ignored, as in the nginx module, unless that would lose the query string or a part
 * of it (docs/protocol/rtmp.md, URL).
 *
 * @throws RtmpUrlError
 */
export function parseRtmpUrl(url: string, { appRequired = true }: RtmpUrlOptions = {}): RtmpUrl {
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(url)?.[0] ?? '';
  const lower = scheme.toLowerCase();
  if (lower !== '' && lower !== 'rtmp://' && lower !== 'rtmps://') {
    throw new RtmpUrlError(`has the scheme "${lower.slice(0, -3).slice(0, 20)}", not rtmp or rtmps`);
  }
  const secure = lower === 'rtmps://';
  const rest = url.slice(scheme.length);
  const slash = rest.indexOf('/');
  if (slash < 0 && appRequired) throw new RtmpUrlError('has no app behind the host');
  let authority = slash < 0 ? rest : rest.slice(0, slash);
  const path = slash < 0 ? '' : rest.slice(slash + 1);

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
  if (app === '' && appRequired) throw new RtmpUrlError('has an empty app');
  const stream = appEnd < 0 ? '' : streamOf(path.slice(appEnd + 1));
  const tcUrl = app === '' ? `${scheme}${authority}` : `${scheme}${authority}/${app}`;
  return { secure, host, port, app, stream, tcUrl, user, password };
}

/** The first segment of the path, or all of it if it has a query string: that may contain a "/". */
function streamOf(path: string): string {
  const end = path.includes('?') ? -1 : path.indexOf('/');
  return end < 0 ? path : path.slice(0, end);
}

/** The URL without user and password, for readers who may know the stream key. */
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
