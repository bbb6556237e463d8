import { KmpRtmpError } from '../base/errors.js';
import { parseRtmpUrl } from '../rtmp/rtmp-url.js';

/** The connect data of all tracks (docs/protocol/behaviour.md, Connect data). */
export interface SendTarget {
  readonly upstreamId: string;
  /** `rtmp://host[:port]/app/stream` */
  readonly url: string;
  readonly header?: string;
  readonly opaque?: string;
  readonly app?: string;
  readonly flashVer?: string;
  readonly tcUrl?: string;
  readonly pageUrl?: string;
  readonly swfUrl?: string;
}

/**
 * Makes connect data, as JSON.
 *
 * @param name the stream's name; undefined for the one in the URL
 */
export function connectDataOf(target: SendTarget, name: string | undefined): string {
  return JSON.stringify({
    upstream_id: target.upstreamId,
    url: target.url,
    header: target.header,
    opaque: target.opaque,
    app: target.app,
    name,
    flash_ver: target.flashVer,
    swf_url: target.swfUrl,
    tc_url: target.tcUrl,
    page_url: target.pageUrl,
  });
}

/**
 * The name of stream `index` (from 0) of an upstream: the name in the URL, numbered by {@link numberedName}.
 *
 * @throws KmpRtmpError rtmp_bad_url; `send_no_stream` if the URL has no stream part
 */
export function streamName(url: string, index: number): string {
  const { stream } = parseRtmpUrl(url);
  if (stream === '')
    throw new KmpRtmpError('send_no_stream', 'the RTMP URL has no stream name after the app; add one, or give --name');
  return numberedName(stream, index);
}

/** `name` for stream 0, and with `_2`, `_3` and so on for the others. The suffix goes before a query string. */
export function numberedName(name: string, index: number): string {
  if (index === 0) return name;
  const query = name.indexOf('?');
  const at = query === -1 ? name.length : query;
  return `${name.slice(0, at)}_${index + 1}${name.slice(at)}`;
}
