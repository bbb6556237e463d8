// The messages from the service to the page, once a second. The page computes rates from the counters, so the service
// keeps no state for viewers. Strings come from senders and servers: they are text, never markup.

/** The counters of a track in {@link UpstreamRow.numbers}, one group for each track, in this order. */
export const TRACK_NUMBERS = [
  'pendingFrames',
  'memUsed',
  'sentFrames',
  'sentBytes',
  'droppedFrames',
  'delay',
  'lag',
  'receivedFrames',
  'receivedKeyFrames',
  'receivedBytes',
  'duplicate',
  'empty',
  'emptyDuration',
  'noMediaInfo',
  'noKey',
] as const;

/** The counters of an upstream, before those of its tracks. */
export const UPSTREAM_NUMBERS = ['memLeft', 'writtenBytes', 'sentBytes', 'receivedBytes'] as const;

export interface InputInfo {
  readonly connection: number;
  readonly remoteAddr: string;
  readonly channelId: string;
  readonly trackId: string;
}

/** Bitrate in bit/s; size in pixels; times in ms. */
export interface TrackFormat {
  readonly bitrate: number;
  readonly width?: number;
  readonly height?: number;
  readonly frame_rate?: number;
  readonly key_frame_interval?: number | null;
  readonly channels?: number;
  readonly sample_rate?: number;
}

export interface TrackInfo {
  readonly media: 'video' | 'audio';
  readonly codec: string;
  /** By the media info of the sender; 0: not known. */
  readonly format?: TrackFormat;
  /** null: there is no sender. */
  readonly input: InputInfo | null;
}

export interface StreamInfo {
  /** Masked, because it is the stream key. */
  readonly name: string;
  /** RTMP message stream id. */
  readonly id: number;
  readonly tracks: readonly TrackInfo[];
}

export interface BackupInfo {
  /** From 1. */
  readonly number: number;
  /** How many backups there are. */
  readonly count: number;
  /** Masked. */
  readonly url: string;
}

/** The data of an upstream that rarely changes. */
export interface UpstreamInfo {
  readonly id: string;
  /** Whether `id` is shortened. */
  readonly shortened: boolean;
  /** Masked. */
  readonly url: string;
  /** Where an operator has sent it, masked; null: it publishes where its senders ask for. */
  readonly elsewhere: string | null;
  /** The backup that is in use, or tried; null: the primary destination. */
  readonly backup: BackupInfo | null;
  readonly remoteAddr: string;
  readonly localAddr: string;
  readonly connection: number;
  readonly state: string;
  /** Why the state is `degraded`; else null. */
  readonly degraded: string | null;
  readonly lastStatus: { readonly level: string; readonly code: string; readonly description: string } | null;
  /** Why the connection last broke or failed, after the layer where it did; null if it never did. */
  readonly lastError: string | null;
  /** When that was, ISO 8601 in UTC, and what to do about it. */
  readonly lastErrorAt?: string | null;
  readonly advice?: string;
  /** Since when it has no server, ISO 8601 in UTC, and after how many attempts; null: it has one. */
  readonly outage?: { readonly since: string; readonly attempts: number } | null;
  /** What is wrong in a state that is neither that nor in order; empty: nothing. */
  readonly trouble?: string;
  /** s for which that has lasted, at this message. */
  readonly troubleAge?: number;
  /** Time of the next attempt to connect, ISO 8601 in UTC; null: it waits for none. */
  readonly nextAttempt: string | null;
  readonly reconnects: number;
  /** bytes */
  readonly memLimit: number;
  readonly streams: readonly StreamInfo[];
  /** The node of the fleet that has it, and others that have the same id at this moment. Absent without a fleet. */
  readonly node?: string;
  readonly alsoOn?: readonly string[];
}

/** How an upstream has ended: the last record of its id, or one before it. Times are ISO 8601 in UTC. */
export interface ClosedInfo {
  /** Number of the record. Failures in a row are one record, which gets a higher number each time. */
  readonly record: number;
  /** Id of the upstream. */
  readonly id: string;
  readonly shortened: boolean;
  /** Masked. */
  readonly url: string;
  readonly reason: string;
  readonly message: string;
  /** What to do; empty: nothing. */
  readonly advice: string;
  /** `dns`, `tcp`, `tls`, `rtmp`, or null. */
  readonly layer: string | null;
  /** False if it ended in order. */
  readonly failed: boolean;
  readonly lastStatus: UpstreamInfo['lastStatus'];
  readonly startedAt: string;
  readonly since: string;
  readonly closedAt: string;
  readonly attempts: number;
  readonly count: number;
  /** Numbers of frames. */
  readonly dropped: number;
  readonly unacked: number;
  /** null: not yet. */
  readonly liveAgainAt: string | null;
  /** The node of the fleet that had it. */
  readonly node?: string;
}

/** A node of the fleet. */
export interface NodeInfo {
  readonly name: string;
  /** Whether it is the node that sends this. */
  readonly self: boolean;
  readonly version: string;
  readonly draining: boolean;
  /** Why it does not answer; null: it answers. */
  readonly missing: string | null;
  /** null: not known. */
  readonly upstreams: number | null;
  /** Numbers of its workers that do not answer. */
  readonly missingWorkers: readonly number[];
}

/** The processes and machines that the service consists of. */
export interface PartsInfo {
  /** By name; empty without a fleet. */
  readonly nodes: readonly NodeInfo[];
  /** Numbers of the workers that do not answer, without a fleet. */
  readonly missingWorkers: readonly number[];
}

/** An order of an operator for a route, or for an upstream that is not present. */
export interface OrderInfo {
  /** Its number in the API. */
  readonly order: number;
  readonly kind: 'disabled' | 'elsewhere';
  /** Shortened; null: it is for a route. */
  readonly id: string | null;
  /** Masked, as `url`. */
  readonly route: string | null;
  /** Where the upstreams are sent; null: they are disabled. */
  readonly url: string | null;
  /** ISO 8601 in UTC */
  readonly since: string;
  /** Name of a token. */
  readonly by: string | null;
}

/** What a message says about ended upstreams, beside their number. */
interface ClosedChanges {
  /** Records that are new or have changed, the oldest first. */
  readonly closed?: readonly ClosedInfo[];
  /** Numbers of the records that do not exist any more. */
  readonly forgotten?: readonly number[];
}

/** Sums since the start of the service, which never get smaller. */
export interface Sums {
  readonly dropped: number;
  readonly reconnects: number;
}

export interface UpstreamRow {
  /** Identifies the upstream in later messages; a feed never reuses it. */
  readonly key: number;
  readonly info: UpstreamInfo;
  /** Uptime of the upstream at this message, in s. The page continues it. */
  readonly uptime: number;
  readonly numbers: readonly number[];
}

export interface ServiceInfo {
  readonly version: string;
  /** E.g. `node/20.20.2`. */
  readonly runtime: string;
  readonly built: string;
  readonly pid: number;
}

/** Event `hello`: the first event of each connection. */
export interface HelloMessage {
  /** Id of the feed that keys and times belong to. It changes with a restart or a reload of the service. */
  readonly feed: string;
  /** Path of the writable API, relative to the page; null: there is none. */
  readonly api: string | null;
}

/** Number of upstreams that have ended since the service started, by reason, without reasons that never occurred. */
export type Ended = Readonly<Record<string, number>>;

/** Event `full`: the full state, at the beginning and after a pause. */
export interface FullMessage {
  /** ms, monotonic; for differences only. */
  readonly t: number;
  /** s */
  readonly uptime: number;
  readonly service: ServiceInfo;
  readonly ended: Ended;
  readonly sums?: Sums;
  /** All records that the page shows, the oldest first. */
  readonly closed?: readonly ClosedInfo[];
  /** The latest first; absent: there are none. */
  readonly orders?: readonly OrderInfo[];
  /** Absent: there is no fleet, and all workers answer. */
  readonly parts?: PartsInfo;
  readonly rows: readonly UpstreamRow[];
}

/** Event `tick`: the differences to the previous message. */
export interface TickMessage extends ClosedChanges {
  readonly t: number;
  readonly uptime: number;
  readonly ended: Ended;
  readonly sums?: Sums;
  /** All of them, if any has changed. */
  readonly orders?: readonly OrderInfo[];
  /** If anything has changed. */
  readonly parts?: PartsInfo;
  /** Upstreams that are new, or changed in more than their counters. */
  readonly rows: readonly UpstreamRow[];
  /** Key and counters of upstreams of which only counters changed. */
  readonly counts: readonly (readonly [key: number, numbers: readonly number[]])[];
  readonly gone: readonly number[];
}
