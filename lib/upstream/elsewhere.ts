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
  const [there, here] = [place(data), place(upstream.data)];
  return there !== undefined && there !== here;
}

/** Who is connected to, and what is said of it there; undefined if that cannot be told. */
function place({ url, app, header, tcUrl }: ConnectData): string | undefined {
  try {
    const { host, port, secure, user, password, ...named } = parseRtmpUrl(url);
    return JSON.stringify([host, port, secure, user, password, app ?? named.app, tcUrl, header]);
  } catch {
    return undefined;
  }
}
