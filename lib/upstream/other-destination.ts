import type { ConnectData } from '../kmp/connect-data.js';
import { parseUrlOf } from './tracks/stream-name.js';
import type { Upstream } from './upstream.js';

/**
 * True if `data` leads to another server or application than `upstream`, and `upstream` only waits to learn whether
 * everything has arrived: it has no sender and has written all frames. The sender then gets a separate upstream
 * (docs/protocol/behaviour.md, Lifetimes), because its frames must not go to the old destination. Only the primary URLs
 * are compared: a sender that returns with other backups must not publish a second time to the server that still has
 * the stream.
 */
export function isForOtherDestination(data: ConnectData, upstream: Upstream): boolean {
  for (const track of upstream.allTracks()) if (track.input !== undefined || !track.hasWrittenAll) return false;
  const there = place(data);
  return there !== undefined && there !== place(upstream.data);
}

/**
 * The server and the application, without the query, because a renewed token does not change the destination. undefined
 * if `url` is not an RTMP URL.
 */
function place({ url, app, header = '' }: ConnectData): string | undefined {
  try {
    const { host, port, secure, app: ofUrl } = parseUrlOf({ url, app });
    return JSON.stringify([host, port, secure, (app ?? ofUrl).split('?', 1), header]);
  } catch {
    return undefined;
  }
}
