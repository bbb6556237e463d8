import type { MediaType } from '../media/codec.js';
import type { TimeFault, TrackSummary } from './track-stats.js';

/**
 * What every record has: where in the dump it stands, in bytes from its start, and how many bytes it has; of an RTMP
 * message its body, since chunks of others may stand between its own.
 */
interface Placed {
  readonly offset: number;
  readonly size: number;
}

/** A KMP `cnct` packet. */
export interface ConnectRecord extends Placed {
  readonly kind: 'connect';
  readonly channelId: string;
  readonly trackId: string;
  readonly initialFrameId: bigint;
  readonly initialUpstreamFrameId: bigint;
  readonly initialOffset: number;
  readonly flags: number;
  /** The connect data; text where it is no JSON. */
  readonly data: unknown;
  /** What the service would say against the connect data. */
  readonly problem?: string;
}

/** A KMP `minf` packet. */
export interface MediaInfoRecord extends Placed {
  readonly kind: 'mediaInfo';
  readonly mediaType: MediaType;
  readonly codec: string;
  readonly codecId: number;
  readonly timescale: number;
  readonly bitrate: number;
  readonly width?: number;
  readonly height?: number;
  readonly frameRate?: number | undefined;
  readonly channels?: number;
  readonly bitsPerSample?: number;
  readonly sampleRate?: number;
  /** Bytes of the codec's private data. */
  readonly extraDataSize: number;
}

/** A KMP `fram` packet. */
export interface FrameRecord extends Placed {
  readonly kind: 'frame';
  /** undefined where the dump has no connect packet to count from. */
  readonly id: bigint | undefined;
  readonly key: boolean;
  readonly dataSize: number;
  /** created, dts and ptsDelay in timescale units, as they came. */
  readonly created: number;
  readonly dts: number;
  readonly ptsDelay: number;
  /** The same in ms; undefined while no media info has said what a unit is. */
  readonly dtsMs?: number;
  readonly ptsDelayMs?: number;
  readonly driftMs?: number;
  /** Why the service would not take it. */
  readonly skipped?: string;
  readonly time?: TimeFault;
}

/** A KMP packet that says no more than its type. */
export interface PlainRecord extends Placed {
  readonly kind: 'null' | 'end';
}

/** Both sides' handshake has the same form: a version byte and two blocks of 1536 bytes. */
export interface HandshakeRecord extends Placed {
  readonly kind: 'handshake';
  readonly version: number;
  /** First field of the first block. */
  readonly time: number;
  /** Second field of it: 0 in the plain style, a version of the software in the digest style. */
  readonly software: string;
}

/** An RTMP message. */
export interface MessageRecord extends Placed {
  readonly kind: 'message';
  /** What its type is called: `command`, `video`, `setChunkSize` ... */
  readonly name: string;
  readonly type: number;
  readonly chunkStreamId: number;
  readonly streamId: number;
  /** ms, modulo 2^32 */
  readonly timestamp: number;
  /** AMF0 values of commands and data. */
  readonly values?: readonly unknown[];
  /** Fields of control messages and of the first bytes of media. */
  readonly fields?: Readonly<Record<string, unknown>>;
  readonly time?: TimeFault;
  /** What is wrong inside; reading goes on behind it. */
  readonly problem?: string;
}

/** A place where the dump is not what it should be. */
export interface BrokenRecord {
  readonly kind: 'broken';
  readonly offset: number;
  readonly code: string;
  readonly message: string;
}

/** Where reading began anew behind a broken place. */
export interface ResyncRecord {
  readonly kind: 'resync';
  readonly offset: number;
  readonly skipped: number;
}

/** The last record of every dump. */
export interface SummaryRecord {
  readonly kind: 'summary';
  readonly format: 'kmp' | 'rtmp';
  /** Of the dump, in bytes. */
  readonly size: number;
  /** Packets or messages, by type. */
  readonly counts: Readonly<Record<string, number>>;
  readonly tracks: readonly TrackSummary[];
  /** Broken places, and messages with something wrong inside. */
  readonly problems: number;
}

export type KmpRecord = ConnectRecord | MediaInfoRecord | FrameRecord | PlainRecord;
export type RtmpRecord = HandshakeRecord | MessageRecord;
export type InspectRecord = KmpRecord | RtmpRecord | BrokenRecord | ResyncRecord | SummaryRecord;
