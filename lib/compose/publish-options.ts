import type { Clock } from '../time/clock.js';
import type { MediaSettings } from '../config/settings.js';
import type { ConnectData } from '../kmp/connect-data.js';
import type { Resolve } from '../rtmp/network/resolve.js';

/** Fields of the connect command that replace those from the URL (docs/protocol/behaviour.md, Connect data). */
export type ConnectFields = Partial<Omit<ConnectData, 'upstreamId' | 'url'>>;

/** Options of all functions that publish. */
export interface PublishOptions {
  /**
   * Settings, named after the directives: `kmp_rtmp_out_chunk_size` is `outChunkSize`. Units are bytes and ms.
   * Defaults: docs/configuration.md.
   */
  readonly settings?: Partial<MediaSettings>;
  /** `header`, `app`, `name`, `flashVer`, `swfUrl`, `tcUrl` and `pageUrl` instead of the values from the URL. */
  readonly connect?: ConnectFields;
  /** Default: the system clock. */
  readonly clock?: Clock;
  /** Resolves host names. Default: the resolver of the system. */
  readonly resolve?: Resolve;
  /** Decides whether an address may be connected to; `host` is the name that was resolved. Default: all may. */
  readonly permit?: (address: string, port: number, host: string) => boolean;
}

/** The connect data that a KMP sender would send for `url`. */
export function connectDataOf(url: string, fields: ConnectFields = {}): ConnectData {
  const { header, opaque, app, name, flashVer, swfUrl, tcUrl, pageUrl } = fields;
  return { upstreamId: 'local', url, header, opaque, app, name, flashVer, swfUrl, tcUrl, pageUrl };
}
