import type { DrainControl } from './drain.js';
import type { ElsewhereUrls, OperatorOrder, OrderAnswer, OrderScope, StandingOrder } from './orders.js';
import type { ClosedList, ClosedQuery } from './closed.js';
import type { FailureLayer } from './advice.js';
import type { LastStatus } from './last-status.js';

export type { LastStatus } from './last-status.js';

/**
 * What the API shows: plain snapshots, never live objects. Field names, nesting and units are those of the module
 * (docs/protocol/behaviour.md, API objects). The module does not have the fields below "Additions".
 */

/** Smallest, largest and mean of (server clock - created), in timescale units; null while nothing was counted. */
export interface LatencyStatus {
  readonly min: number;
  readonly max: number;
  readonly avg: number;
}

/** The KMP connection of a track (docs/protocol/kmp.md, Input counters). */
export interface InputStatus {
  readonly connection: number;
  readonly remote_addr: string;
  readonly channel_id: string;
  readonly track_id: string;
  /** s */
  readonly uptime: number;
  readonly received_bytes: number;
  readonly received_data_bytes: number;
  readonly received_frames: number;
  readonly received_key_frames: number;
  /** timescale units since 1970 */
  readonly last_created: number;
  readonly skipped_frames: {
    readonly duplicate: number;
    readonly empty: number;
    readonly empty_duration: number;
    readonly no_media_info: number;
    readonly no_key: number;
  };
  readonly latency: LatencyStatus | null;
}

export interface TrackStatus {
  readonly pending_frames: number;
  /** bytes */
  readonly mem_used: number;
  readonly input: InputStatus | null;
  // Additions.
  /** Name of the codec, e.g. `H.264`. */
  readonly codec: string;
  readonly media: MediaStatus;
  /** Frames written to the upstream, and the payload bytes in them. */
  readonly sent_frames: number;
  readonly sent_data_bytes: number;
  /** Frames written again after a connection broke (`kmp_rtmp_out_resend`). */
  readonly resent_frames: number;
  /**
   * Frames dropped: the server was too slow (`kmp_rtmp_out_overload drop_frames`), they came before the key frame with
   * which a connection begins, or a slate had replaced them.
   */
  readonly dropped_frames: number;
  /** Frames of the slate that were written (`kmp_rtmp_out_slate`). They are not among `sent_frames`. */
  readonly slate_frames: number;
  /** True while the slate fills the track. */
  readonly slate: boolean;
  /** ms between the arrival of the last written frame and its merging. */
  readonly delay: number;
  /** s for which its media has been missing, while the track waits for it (`kmp_rtmp_out_linger`); null: it is not. */
  readonly input_lost: number | null;
  /**
   * ms: the age of the oldest frame that the server has not taken yet; 0 if there is none. Bytes in the kernel's queue
   * are not taken, and neither are bytes that the server has not acknowledged, if it acknowledges.
   */
  readonly lag_ms: number;
}

/** What a track carries, by its media info. 0: the sender does not say. */
export interface MediaStatus {
  /** bit/s */
  readonly bitrate: number;
  /** Of video: pixels, and frames per second. */
  readonly width?: number;
  readonly height?: number;
  readonly frame_rate?: number;
  /** Of video: ms from one key frame to the next, the last ones; null before the second. */
  readonly key_frame_interval?: number | null;
  /** Of audio; samples per second. */
  readonly channels?: number;
  readonly sample_rate?: number;
}

export interface StreamStatus {
  /** RTMP message stream id. */
  readonly id: number;
  /** s */
  readonly uptime: number;
  readonly tracks: Readonly<Partial<Record<'video' | 'audio', TrackStatus>>>;
}

/**
 * Where an upstream is in its life. `waiting`: its destination has failed lately, and it waits for its turn to connect,
 * for the first time; `reconnecting`: its connection broke, and it waits for the next attempt, or makes it;
 * `input_lost`: it is published, but the media of all its tracks is missing; `input_stalled`: it is published, but a
 * sender that is connected sends no frames; `degraded`: it publishes, but viewers get less than they should, or later
 * (see {@link DegradedStatus}); `disabled`: an operator has disabled it.
 */
export type UpstreamState = (typeof UPSTREAM_STATES)[number];

export const UPSTREAM_STATES = [
  'waiting',
  'resolving',
  'connecting',
  'handshaking',
  'publishing',
  'disabled',
  'degraded',
  'input_lost',
  'input_stalled',
  'reconnecting',
  'closing',
] as const;

/** The time in which the upstream has no server. */
export interface OutageStatus {
  /** The first failure since it was last published, ISO 8601 in UTC. */
  readonly since: string;
  /** Attempts to connect, with the one whose connection broke. */
  readonly attempts: number;
}

/** Why viewers get less than they should, or later. */
export interface DegradedStatus {
  /**
   * `lag`: the server is further behind than `kmp_rtmp_out_max_lag`; `frames_dropped`: frames are dropped because it
   * is too slow; `slow_output`: for ten seconds, the server has taken less than half of what comes in.
   */
  readonly reason: string;
  readonly message: string;
  /** s since it began. */
  readonly age: number;
  /** Frames dropped since then, because the server is too slow. */
  readonly dropped_frames: number;
}

/** Why an RTMP connection broke or could not be opened, before the service connected again. */
export interface LastError {
  /** The close reason with which the upstream would have ended. */
  readonly reason: string;
  readonly message: string;
  /** s since the error. */
  readonly age: number;
}

/** Where an operator has sent an upstream. */
export interface ElsewhereStatus {
  /** Without user and password. */
  readonly url: string;
  readonly backup_urls: readonly string[];
  /** When it was ordered, ISO 8601 in UTC. */
  readonly since: string;
}

export interface UpstreamStatus {
  /** As given by the sender. */
  readonly url: string;
  readonly header: string;
  readonly opaque: string;
  /** `ip:port`, `[ip6]:port`; empty while not connected. */
  readonly remote_addr: string;
  readonly local_addr: string;
  readonly connection: number;
  /** bytes */
  readonly mem_limit: number;
  readonly mem_left: number;
  readonly written_bytes: number;
  readonly sent_bytes: number;
  readonly received_bytes: number;
  readonly streams: Readonly<Record<string, StreamStatus>>;
  // Additions.
  readonly state: UpstreamState;
  readonly last_status: LastStatus | null;
  /** s for which a connected sender has sent no frames; null unless the state is `input_stalled`. */
  readonly input_stalled: number | null;
  /** The part of `sent_bytes` that the server says it has read; 0 if the server does not acknowledge. */
  readonly acked_bytes: number;
  /** null unless the state is `degraded`. */
  readonly degraded: DegradedStatus | null;
  /** The largest `lag_ms` of its tracks. */
  readonly lag_ms: number;
  /** null while it publishes, and before the first attempt has failed. */
  readonly outage: OutageStatus | null;
  /** How often the RTMP connection was opened again. */
  readonly reconnects: number;
  /** Which of its destinations is in use, or tried: 0 is that of `url`, n the n-th backup (`backup_urls`). */
  readonly destination: number;
  /** How many destinations it has. */
  readonly destinations: number;
  /** The URL of the destination, without user and password. */
  readonly destination_url: string;
  /** Where an operator has sent it, instead of to `url`; null: nowhere else. */
  readonly elsewhere: ElsewhereStatus | null;
  /** How often another destination was taken into use. */
  readonly failovers: number;
  /** s since the upstream was created. */
  readonly uptime: number;
  /** null if the RTMP connection has never broken. */
  readonly last_error: LastError | null;
  /** When the last error happened, ISO 8601 in UTC; null: never. */
  readonly last_error_at: string | null;
  /** Where it happened; null: not between this service and the server. */
  readonly last_error_layer: FailureLayer | null;
  /** What to do about it; empty if nothing has to be done. */
  readonly last_error_advice: string;
  /**
   * s until the next attempt at the destination, whichever upstream makes it; 0 while another upstream makes one. null
   * if this upstream does not wait for an attempt.
   */
  readonly next_attempt: number | null;
  /** The same as a time, ISO 8601 in UTC. */
  readonly next_attempt_at: string | null;
  /** Name of the node of the fleet that has it. Absent without a fleet. */
  readonly node?: string;
  /** Other nodes that have an upstream with this id at this moment. Absent if there are none. */
  readonly also_on?: readonly string[];
}

/** An answer about many upstreams, from all workers and nodes that answered. */
interface FromAll {
  /**
   * The workers that do not answer or are being replaced, by number from 0: the answer lacks their upstreams. Absent if
   * there is one process only. In a fleet: the workers of the node that was asked.
   */
  readonly missing_workers?: readonly number[];
  /**
   * The nodes of the fleet that do not answer, by name: the answer lacks their upstreams. Absent without a fleet.
   */
  readonly missing_nodes?: readonly string[];
  /** Workers of other nodes that do not answer, by the name of the node. Absent if there are none. */
  readonly missing_workers_of?: Readonly<Record<string, readonly number[]>>;
}

/** A node of the fleet, as another node sees it. */
export interface NodeStatus {
  readonly version: string;
  /** `host:port` of its KMP listener, and of its HTTP listener for other nodes. */
  readonly kmp: string;
  readonly http: string;
  /** True if it gets no new upstreams. */
  readonly draining: boolean;
  /** Why it does not answer; null: it answers. */
  readonly missing: string | null;
  /** The number of its upstreams; null: not known, because it does not answer. */
  readonly upstreams: number | null;
  /** s since its start; null: not known. */
  readonly uptime: number | null;
  /** The workers of the node that do not answer: its part lacks their upstreams. */
  readonly missing_workers: readonly number[];
}

/** The status of several upstreams, by id. */
export interface UpstreamStatuses extends FromAll {
  readonly upstreams: Readonly<Record<string, UpstreamStatus>>;
}

/** The ids of all upstreams, in any order. */
export interface UpstreamIds extends FromAll {
  readonly ids: readonly string[];
}

export interface GlobalStatus extends UpstreamStatuses {
  readonly version: string;
  /** The runtime, e.g. `node/20.20.2`. The key is the module's, because tools read it. */
  readonly nginx_version: string;
  /** The version of the TypeScript compiler that built this. */
  readonly compiler: string;
  /** Time of the build. */
  readonly built: string;
  readonly pid: number;
  /** s */
  readonly uptime: number;
  /** Name of the node that answers. Absent without a fleet, as `nodes` is. */
  readonly node?: string;
  /** All nodes of the fleet, by name. */
  readonly nodes?: Readonly<Record<string, NodeStatus>>;
}

/**
 * What the API needs from the service. Questions about one upstream reject with `WorkerUnavailable` if its worker does
 * not answer, and with `NodeUnavailable` if no node has it, but a node of the fleet does not answer. The methods are
 * asynchronous because the answers come from all workers and nodes. Objects keyed by ids have no prototype, so that an
 * id such as `__proto__` is an ordinary key.
 */
export interface Management {
  status(): Promise<GlobalStatus>;
  /** Builds no status, so it costs little. */
  upstreamIds(): Promise<UpstreamIds>;
  /** The status of the upstreams with these ids, in their order, without those that do not exist. */
  statusOf(ids: readonly string[]): Promise<UpstreamStatuses>;
  /** undefined: there is no such upstream. */
  upstream(id: string): Promise<UpstreamStatus | undefined>;
  /** How upstreams have ended, the last end first. */
  closed(query?: ClosedQuery): Promise<ClosedList>;
  /** Drops an upstream with all its KMP inputs (reason `api_delete`). false: there is no such upstream. */
  dropUpstream(id: string): Promise<boolean>;
  /**
   * `disable`: ends the RTMP connections; senders stay connected, and their frames are acknowledged and discarded. It
   * lasts until `enable`, also for upstreams that are created later. `enable`: publishes again, from a key frame on.
   * `retry`: the next attempt to connect is made now.
   *
   * A route stands for upstreams that publish there now, wherever their senders ask for.
   *
   * @param by name of the operator's token; null: there is none
   */
  order(order: OperatorOrder, scope: OrderScope, by?: string | null): Promise<OrderAnswer>;
  /**
   * Sends upstreams elsewhere: their RTMP connections end in order, and the new ones begin at a key frame, while the
   * senders stay connected. It lasts until it is taken back, also for upstreams that are created later. A route stands
   * for upstreams whose senders ask for it; an order for an id comes before one for a route.
   *
   * @param to undefined: back to what the senders ask for
   * @param by name of the operator's token; null: there is none
   */
  sendElsewhere(scope: OrderScope, to: ElsewhereUrls | undefined, by?: string | null): Promise<OrderAnswer>;
  /** The orders in force, the latest first, also those that concern no present upstream. */
  orders(): Promise<readonly StandingOrder[]>;
  /** Takes an order of {@link orders} back, by its number. undefined: there is no such order. */
  takeBack(order: number, by?: string | null): Promise<OrderAnswer>;
  /** Drains this node of a fleet; absent without a fleet. */
  readonly drain?: DrainControl | undefined;
  /** Drops one KMP connection of an upstream. false: there is no such upstream or connection. */
  dropTrack(upstreamId: string, connection: number): Promise<boolean>;
}
