import type { PublishSession } from './connection/session.js';
import type { SessionSet } from './connection/session-set.js';
import type { Publications } from './report/publications.js';
import type { StreamSet } from './stream-set.js';
import type { StreamOutlet } from './tracks/track.js';

/** What is needed from the upstream. */
export interface MoveOwner {
  readonly sessions: SessionSet;
  readonly hold: StreamOutlet & { readonly isActive: boolean };
  /** A session for the present destinations of the upstream. */
  mainSession(): PublishSession;
  readonly publications: Pick<Publications, 'lost'>;
}

/**
 * Moves all streams to new sessions, because the destinations have changed. The old RTMP connections send what they
 * have encoded, and end in order. Queued frames go to the new destination, from a key frame on.
 */
export function moveStreams(owner: MoveOwner, streams: StreamSet): void {
  const { sessions, hold } = owner;
  const before = [...sessions];
  if (!hold.isActive) {
    for (const stream of streams.all()) {
      streams.leaveSession(stream);
      owner.publications.lost(stream.name, 'api_delete', 'an operator has changed the destination');
    }
  }
  sessions.replaceAll(owner.mainSession());
  streams.renameAll();
  if (!hold.isActive) {
    const { main } = sessions;
    const all = streams.all();
    for (const stream of all) {
      stream.beginAtKey(true);
      streams.publishAgain(stream);
    }
    if (all.length > 0) main.open(main.connections.codecs);
    streams.endAbsent();
  }
  for (const session of before) session.finish(true);
}
