import { readRegularFile } from '../../base/regular-file.js';
import type { MediaSettings } from '../../config/settings.js';
import type { ConnectData } from '../../kmp/connect-data.js';
import type { ConnectParams } from '../../rtmp/session-writer.js';
import { withQuery } from '../../rtmp/auth.js';
import { parseRtmpUrl, type RtmpUrl } from '../../rtmp/rtmp-url.js';
import { parseUrlOf } from '../tracks/stream-name.js';
import type { ConnectTarget, TlsSettings } from '../../rtmp/network/tcp-connect.js';

/** A server of an upstream and the parameters for it: the connect data of its first track, with the defaults. */
export interface Destination {
  /** 0: `url` of the connect data; n: its n-th backup. */
  readonly index: number;
  /** The URL as given, with the stream key. */
  readonly given: string;
  readonly url: RtmpUrl;
  /** The name of the first track's stream there; it may be the stream key. */
  readonly streamName: string;
  readonly target: ConnectTarget;
  /** The TLS settings, used if the server or a redirect requires TLS. Throws if a certificate cannot be read. */
  readonly tls: () => TlsSettings;
  readonly params: ConnectParams;
  readonly header: Buffer | undefined;
}

/**
 * The destination of `url` of the connect data.
 *
 * @throws RtmpUrlError if the URL is invalid
 * @throws Error if `kmp_rtmp_out_ssl_trusted_certificate` cannot be read
 */
export function destinationOf(data: ConnectData, settings: MediaSettings, index = 0): Destination {
  const url = parseUrlOf(data);
  const ca = settings.outSslTrustedCertificate;
  const tls = (): TlsSettings => ({
    verify: settings.outSslVerify,
    ca: ca === '' ? undefined : readRegularFile(ca),
    name: settings.outSslName === '' ? undefined : settings.outSslName,
  });
  return {
    index,
    given: data.url,
    url,
    streamName: data.name ?? url.stream,
    target: { host: url.host, port: url.port, tls: url.secure ? tls() : undefined },
    tls,
    params: {
      app: data.app ?? url.app,
      flashVer: data.flashVer ?? settings.outFlashVer,
      swfUrl: data.swfUrl ?? '',
      tcUrl: data.tcUrl ?? (data.app === undefined ? url.tcUrl : withApp(url, data.app)),
      pageUrl: data.pageUrl ?? '',
    },
    header: data.header === undefined || data.header === '' ? undefined : Buffer.from(data.header, 'utf8'),
  };
}

/** The URL up to the end of the app, with another app in place of its own, if it has one. */
function withApp({ tcUrl, app }: RtmpUrl, another: string): string {
  const base = app === '' ? tcUrl : tcUrl.slice(0, -app.length - 1);
  return another === '' ? base : `${base}/${another}`;
}

/** The same destination with a login: `query` is appended to app and tcUrl (lib/rtmp/auth.ts). */
export function withAuth(destination: Destination, query: string): Destination {
  const { params } = destination;
  return {
    ...destination,
    params: { ...params, app: withQuery(params.app, query), tcUrl: withQuery(params.tcUrl, query) },
  };
}

/**
 * The destination of a redirect: `tcUrl` is absolute, or relative to `destination`. Returns undefined if `tcUrl` is
 * invalid or leaves TLS.
 */
export function withTcUrl(destination: Destination, tcUrl: string): Destination | undefined {
  const { params, tls, url } = destination;
  try {
    const there = parseRtmpUrl(HAS_SCHEME.test(tcUrl) ? tcUrl : new URL(tcUrl, withScheme(params.tcUrl)).href);
    if (url.secure && !there.secure) return undefined;
    return {
      ...destination,
      url: { ...there, user: url.user, password: url.password },
      target: { host: there.host, port: there.port, tls: there.secure ? tls() : undefined },
      params: { ...params, app: there.app, tcUrl: there.tcUrl },
    };
  } catch {
    return undefined;
  }
}

const HAS_SCHEME = /^[a-z][a-z0-9+.-]*:\/\//i;

function withScheme(tcUrl: string): string {
  return HAS_SCHEME.test(tcUrl) ? tcUrl : `rtmp://${tcUrl}`;
}
