import type { Clock } from '../time/clock.js';
import type { MediaSettings } from '../config/settings.js';
import type { ConnectData } from '../kmp/connect-data.js';
import type { Resolve } from '../rtmp/resolve.js';

/** What the connect command says, where it is not to be taken from the URL; see docs/configuration.md, and docs/protocol/behaviour.md, Connect data. */
export type ConnectFields = Partial<Omit<ConnectData, 'upstreamId' | 'url'>>;

/** What all ways to publish from a program of one's own take. Everything has a default. */
export interface PublishOptions {
  /**
   * Settings by the names that the directives give them: `kmp_rtmp_out_chunk_size` is `outChunkSize` (bytes, ms). Default:
   * the documented ones.
   */
  readonly settings?: Partial<MediaSettings>;
  /** `header`, `app`, `name`, `flashVer`, `swfUrl`, `tcUrl` and `pageUrl` in place of what the URL gives. */
  readonly connect?: ConnectFields;
  /** Default: the machine's. */
  readonly clock?: Clock;
  /** How host names are resolved. Default: as the system does. */
  readonly resolve?: Resolve;
  /** Which addresses may be connected to; `host` is the name that was resolved. Default: all. */
  readonly permit?: (address: string, port: number, host: string) => boolean;
}

/** The connect data that a KMP sender would give for `url`. */
export function connectDataOf(url: string, fields: ConnectFields = {}): ConnectData {
  const { header, opaque, app, name, flashVer, swfUrl, tcUrl, pageUrl } = fields;
  return { upstreamId: 'local', url, header, opaque, app, name, flashVer, swfUrl, tcUrl, pageUrl };
}
