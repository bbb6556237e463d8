/**
 * What the API shows: plain snapshots, never live objects. Field names, nesting and units are those of spec/module.md
 * ("API Objects") and spec/behaviour.md; the fields below "ours" are additions, which the module does not have.
 */

/** Smallest, largest and mean of (server clock - created), in timescale units; null while nothing was counted. */
export interface LatencyStatus {
  readonly min: number;
  readonly max: number;
  readonly avg: number;
}

/** The KMP connection at a track (spec/kmp.md, "The input object of the API"). */
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
  // ours
  /** Name of the codec, e.g. `H.264`. */
  readonly codec: string;
  /** Frames written to the upstream, and the payload bytes in them. */
  readonly sent_frames: number;
  readonly sent_data_bytes: number;
  /** Frames written once more after a break (`kmp_rtmp_out_resend`). */
  readonly resent_frames: number;
  /** Frames dropped on purpose (`kmp_rtmp_out_overload drop_frames`). */
  readonly dropped_frames: number;
  /** ms that the last written frame spent here, from arrival to being merged. */
  readonly delay: number;
}

export interface StreamStatus {
  /** RTMP message stream id. */
  readonly id: number;
  /** s */
  readonly uptime: number;
  readonly tracks: Readonly<Partial<Record<'video' | 'audio', TrackStatus>>>;
}

/** Where an upstream is in its life. */
export type UpstreamState = 'resolving' | 'connecting' | 'handshaking' | 'publishing' | 'reconnecting' | 'closing';

/** What the server last said by `onStatus`, `_error` or a close. */
export interface LastStatus {
  readonly level: string;
  readonly code: string;
  readonly description: string;
}

/** Why an RTMP connection that was made anew had broken, or could not be made. */
export interface LastError {
  /** One of the close reasons: that for which the upstream would have ended. */
  readonly reason: string;
  readonly message: string;
  /** s since then. */
  readonly age: number;
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
  // ours
  readonly state: UpstreamState;
  readonly last_status: LastStatus | null;
  /** Bytes that the server says it has read, of `sent_bytes`; 0 where servers do not acknowledge. */
  readonly acked_bytes: number;
  /** How often the RTMP connection was made anew. */
  readonly reconnects: number;
  /** s since the upstream was made. */
  readonly uptime: number;
  /** null as long as the RTMP connection has not broken. */
  readonly last_error: LastError | null;
}

export interface GlobalStatus {
  readonly version: string;
  /** The runtime, e.g. `node/20.20.2`; the key is the module's, since tools read it. */
  readonly nginx_version: string;
  /** The TypeScript compiler this was built with. */
  readonly compiler: string;
  /** Time of the build. */
  readonly built: string;
  readonly pid: number;
  /** s */
  readonly uptime: number;
  readonly upstreams: Readonly<Record<string, UpstreamStatus>>;
}

/**
 * What the API needs of the service. Asynchronous, since with several workers the answers come from all of them.
 * Objects keyed by ids have no prototype, so that an id such as `__proto__` is just an id.
 */
export interface Management {
  status(): Promise<GlobalStatus>;
  upstreamIds(): Promise<string[]>;
  /** undefined: no such upstream. */
  upstream(id: string): Promise<UpstreamStatus | undefined>;
  /** Drops an upstream with all its KMP inputs (reason `api_delete`); false: no such upstream. */
  dropUpstream(id: string): Promise<boolean>;
  /** Drops one KMP connection of an upstream; false: no such upstream or connection. */
  dropTrack(upstreamId: string, connection: number): Promise<boolean>;
}
