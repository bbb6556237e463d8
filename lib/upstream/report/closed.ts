import { IN_ORDER, type CloseReason } from './close-reason.js';
import type { LastStatus } from './last-status.js';
import type { FailureLayer } from './advice.js';

/** True if an upstream that ended with `reason` has failed. */
export function isFailure(reason: string): boolean {
  return !IN_ORDER.has(reason);
}

/** What an upstream took with it. */
export interface LostFrames {
  /** Frames that were dropped: see `TrackStatus.dropped_frames`. */
  readonly dropped_frames: number;
  /** Frames that were received, but not known to have left when the upstream ended. Senders may send them again. */
  readonly unacked_frames: number;
}

/**
 * An upstream that has ended, or could not begin. Failures in a row of the same id are one record with their number,
 * because a sender that returns creates its upstream again. Reason, message and status are those of the last one.
 */
export interface ClosedUpstream {
  /** Number of the record. A later record has a higher one. */
  readonly id: number;
  readonly upstream_id: string;
  /** Masked. */
  readonly url: string;
  readonly reason: CloseReason;
  /** What happened, without stream keys and passwords. */
  readonly message: string;
  /** What to do about it; empty if nothing needs to be done. */
  readonly advice: string;
  /** Where it failed; null: not between this service and the server. */
  readonly layer: FailureLayer | null;
  /** True if it did not end in order. */
  readonly failed: boolean;
  /** The last status of the server, without stream keys; null if it sent none. */
  readonly last_status: LastStatus | null;
  /** When the first of them began: ISO 8601, UTC. */
  readonly started_at: string;
  /**
   * Since when it has failed: the time of the first failure that it did not recover from. If it ended in order, the
   * time of its start.
   */
  readonly since: string;
  /** When the last of them ended. */
  readonly closed_at: string;
  /** How often a connection was tried. */
  readonly attempts: number;
  /** How many upstreams ended so, one after the other. */
  readonly count: number;
  /** Number of the connection of the last one. */
  readonly connection: number;
  /** The sum over all of them. */
  readonly lost: LostFrames;
  /** When an upstream of this id was published again after that; null: not yet. */
  readonly live_again_at: string | null;
  /** Name of the node of the fleet that had it. Numbers of records are those of the node. Absent without a fleet. */
  readonly node?: string;
}

/** Records of ended upstreams. */
export interface ClosedList extends ReadonlyArray<ClosedUpstream> {
  /** The nodes of the fleet that do not answer, by name: the list lacks their records. Absent without a fleet. */
  readonly missing_nodes?: readonly string[];
}

/** One end of an upstream, before it becomes a part of a record. */
export type ClosedUpstreamReport = Omit<ClosedUpstream, 'id' | 'count' | 'live_again_at' | 'failed'> & {
  /** ms of the longest time in which it was published without a break. */
  readonly published_ms: number;
};

/** A part of the records, newest end first. */
export interface ClosedQuery {
  /** Most records in the answer; default {@link DEFAULT_CLOSED}. */
  readonly limit?: number | undefined;
  /** Only those of this upstream id. */
  readonly upstreamId?: string | undefined;
}

/** The default number of records in an answer. */
export const DEFAULT_CLOSED = 100;

/** Most records that are kept; the one whose end is longest ago is forgotten first. */
export const MAX_CLOSED = 1000;
