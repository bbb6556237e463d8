// What the service tells the page, once a second. Counters go as they are: the page makes rates of them, so that the service
// keeps nothing for anybody. Strings come from senders and servers: they are text, never markup.

/** A track's counters as they stand in {@link UpstreamRow.numbers}, one such group for each track, in this order. */
export const TRACK_NUMBERS = [
  'pendingFrames',
  'memUsed',
  'sentFrames',
  'sentBytes',
  'droppedFrames',
  'delay',
  'receivedFrames',
  'receivedKeyFrames',
  'receivedBytes',
  'duplicate',
  'empty',
  'emptyDuration',
  'noMediaInfo',
  'noKey',
] as const;

/** An upstream's own counters, in front of those of its tracks. */
export const UPSTREAM_NUMBERS = ['memLeft', 'writtenBytes', 'sentBytes', 'receivedBytes'] as const;

export interface InputInfo {
  readonly connection: number;
  readonly remoteAddr: string;
  readonly channelId: string;
  readonly trackId: string;
}

export interface TrackInfo {
  readonly media: 'video' | 'audio';
  readonly codec: string;
  /** null: the sender is away. */
  readonly input: InputInfo | null;
}

export interface StreamInfo {
  /** Masked: it is the stream key. */
  readonly name: string;
  /** RTMP message stream id. */
  readonly id: number;
  readonly tracks: readonly TrackInfo[];
}

/** What seldom changes about an upstream. */
export interface UpstreamInfo {
  readonly id: string;
  /** Whether `id` is only the beginning of a very long one. */
  readonly cut: boolean;
  /** Masked. */
  readonly url: string;
  readonly remoteAddr: string;
  readonly localAddr: string;
  readonly connection: number;
  readonly state: string;
  readonly lastStatus: { readonly level: string; readonly code: string; readonly description: string } | null;
  /** Why the connection last broke, or could not be made; null as long as neither happened. */
  readonly lastError: string | null;
  readonly reconnects: number;
  /** bytes */
  readonly memLimit: number;
  readonly streams: readonly StreamInfo[];
}

export interface UpstreamRow {
  /** Stands for the upstream in the messages that follow; never given twice by one feed. */
  readonly key: number;
  readonly info: UpstreamInfo;
  /** s, as of this message; it goes on by itself. */
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

/** Event `hello`: the first one on each connection. */
export interface HelloMessage {
  /** Whose keys and times follow: another one after a restart or a reload of the service. */
  readonly feed: string;
  /** Where the writable API is, relative to the page; null: nothing can be dropped. */
  readonly api: string | null;
}

/** Upstreams that have ended since the service began, by reason; without those that never came up. */
export type Ended = Readonly<Record<string, number>>;

/** Event `full`: everything, at the beginning and after a pause. */
export interface FullMessage {
  /** ms, monotonic; for differences only. */
  readonly t: number;
  /** s */
  readonly uptime: number;
  readonly service: ServiceInfo;
  readonly ended: Ended;
  readonly rows: readonly UpstreamRow[];
}

/** Event `tick`: what differs from the message before. */
export interface TickMessage {
  readonly t: number;
  readonly uptime: number;
  readonly ended: Ended;
  /** New, or changed in more than its counters. */
  readonly rows: readonly UpstreamRow[];
  /** Key and counters of those that have only counted on. */
  readonly counts: readonly (readonly [key: number, numbers: readonly number[]])[];
  readonly gone: readonly number[];
}
