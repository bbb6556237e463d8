import type { ConnectData } from '../kmp/connect-data.js';
import { parseRtmpUrl } from '../rtmp/rtmp-url.js';
import type { Upstream } from './upstream.js';

/**
 * True if `upstream` has no sender and has written all it had, and is here only for what it may have to write again, while
 * `data` leads to another server, or another application there. With its senders it would have gone, and what comes now made
 * an upstream of its own, to where it says (spec/behaviour.md, Lives): it must not go out at the old place.
 */
export function leavesBehind(data: ConnectData, upstream: Upstream): boolean {
  for (const stream of upstream.streams.values()) {
    for (const track of stream.allTracks()) if (track.input !== undefined || !track.hasWrittenAll) return false;
  }
  const there = place(data);
  return there !== undefined && there !== place(upstream.data);
}

/** The server and the application there, without what follows a `?`: a token that was renewed; undefined if `url` is none. */
function place({ url, app, header = '' }: ConnectData): string | undefined {
  try {
    const { host, port, secure, app: ofUrl } = parseRtmpUrl(url);
    return JSON.stringify([host, port, secure, (app ?? ofUrl).split('?', 1), header]);
  } catch {
    return undefined;
  }
}
