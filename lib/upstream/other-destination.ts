import type { ConnectData } from '../kmp/connect-data.js';
import { parseUrlOf } from './tracks/stream-name.js';
import type { Upstream } from './upstream.js';

/**
 * True if `data` leads to another server or application than `upstream`, which has no sender, has written all it had, and only
 * waits to learn whether everything has arrived. A sender that connects with the same id but another destination then gets
 * a separate upstream (spec/behaviour.md, Lives): its frames must not go to the old destination.
 */
export function isForOtherDestination(data: ConnectData, upstream: Upstream): boolean {
  for (const track of upstream.allTracks()) if (track.input !== undefined || !track.hasWrittenAll) return false;
  const there = place(data);
  return there !== undefined && there !== place(upstream.data);
}

/**
 * The server and the application, without the query: a renewed token is the same destination. undefined if `url` is no RTMP
 * URL.
 */
function place({ url, app, header = '' }: ConnectData): string | undefined {
  try {
    const { host, port, secure, app: ofUrl } = parseUrlOf({ url, app });
    return JSON.stringify([host, port, secure, (app ?? ofUrl).split('?', 1), header]);
  } catch {
    return undefined;
  }
}
