import { maskKey } from '../../base/mask.js';
import type { ConnectData } from '../../kmp/connect-data.js';
import { parseRtmpUrl } from '../../rtmp/rtmp-url.js';

/** The stream that a track belongs to: `name`, else the stream part of `url`; may be empty. */
export function streamNameOf(data: ConnectData): string {
  return data.name ?? parseRtmpUrl(data.url).stream;
}

/** The stream's name as a log may show it; empty if there is none. */
export function streamLabel(data: ConnectData): string {
  try {
    return maskKey(streamNameOf(data));
  } catch {
    return '';
  }
}
