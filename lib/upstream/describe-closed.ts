import type { Clock } from '../time/clock.js';
import { maskUrl } from '../base/mask.js';
import type { ConnectData } from '../kmp/connect-data.js';
import { adviceFor } from './report/advice.js';
import { isFailure, type ClosedUpstreamReport, type LostFrames } from './report/closed.js';
import type { CloseReason } from './report/close-reason.js';
import { emptySums } from './report/totals.js';
import type { Upstream } from './upstream.js';

/** What the record of ended upstreams says about `upstream`, which has just ended. @param message without secrets */
export function describeClosed(
  upstream: Upstream,
  reason: CloseReason,
  message: string,
  clock: Pick<Clock, 'now' | 'wall'>,
): ClosedUpstreamReport {
  const { id, target, connection, serverStatus, sessions, createdAt } = upstream;
  const wall = clock.wall();
  const started = wall - (clock.now() - createdAt);
  const since = isFailure(reason) ? (sessions.failingSince ?? wall) : started;
  return {
    upstream_id: id,
    url: maskUrl(target.url),
    reason,
    message,
    ...adviceFor(reason, message, serverStatus),
    last_status: serverStatus,
    started_at: iso(started),
    since: iso(since),
    closed_at: iso(wall),
    attempts: sessions.tries,
    connection,
    lost: lostFrames(upstream),
    published_ms: sessions.longestPublication,
  };
}

function lostFrames(upstream: Upstream): LostFrames {
  const sums = emptySums();
  upstream.addTo(sums);
  let undone = 0;
  for (const track of upstream.allTracks()) undone += track.undone;
  return { dropped_frames: sums.frames.video.dropped + sums.frames.audio.dropped, unacked_frames: undone };
}

/** The record of an upstream that could not begin: its URL is invalid. */
export function describeInvalid(
  { upstreamId, url }: ConnectData,
  connection: number,
  message: string,
  clock: Pick<Clock, 'wall'>,
): ClosedUpstreamReport {
  const reason = 'start_resolve_failed';
  const now = iso(clock.wall());
  return {
    upstream_id: upstreamId,
    url: maskUrl(url),
    reason,
    message,
    ...adviceFor(reason, message, null),
    last_status: null,
    started_at: now,
    since: now,
    closed_at: now,
    attempts: 0,
    connection,
    lost: { dropped_frames: 0, unacked_frames: 0 },
    published_ms: 0,
  };
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}
