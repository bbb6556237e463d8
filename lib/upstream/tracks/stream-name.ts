import { maskKey } from '../../base/mask.js';
import type { ConnectData } from '../../kmp/connect-data.js';
import { parseRtmpUrl, type RtmpUrl } from '../../rtmp/rtmp-url.js';

/** The name of a track's stream: `name`, otherwise the stream part of `url`; may be empty. */
export function streamNameOf(data: ConnectData): string {
  return data.name ?? parseUrlOf(data).stream;
}

/** Parses the URL of the connect data. It may lack the app if the connect data has one. @throws RtmpUrlError */
export function parseUrlOf({ url, app }: Pick<ConnectData, 'url' | 'app'>): RtmpUrl {
  return parseRtmpUrl(url, { appRequired: app === undefined });
}

/** The stream's name, masked for a log; empty if there is none. */
export function streamLabel(data: ConnectData): string {
  try {
    return maskKey(streamNameOf(data));
  } catch {
    return '';
  }
}
