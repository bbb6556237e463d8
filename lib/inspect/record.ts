import type { MediaType } from '../media/codec.js';
import type { TimeFault, TrackSummary } from './track-stats.js';

/**
 * The place of a record in the dump: its offset and size, bytes. For an RTMP message, the size is that of the body,
 * since chunks of other messages may lie between its own.
 */
interface Located {
  readonly offset: number;
  readonly size: number;
}

/** A KMP `cnct` packet. */
export interface ConnectRecord extends Located {
  readonly kind: 'connect';
  readonly channelId: string;
  readonly trackId: string;
  readonly initialFrameId: bigint;
  readonly initialUpstreamFrameId: bigint;
  readonly initialOffset: number;
  readonly flags: number;
  /** The connect data; text if it is not JSON. */
  readonly data: unknown;
  /** The error that the service would report for the connect data. */
  readonly problem?: string;
}

/** A KMP `minf` packet. */
export interface MediaInfoRecord extends Located {
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
export interface FrameRecord extends Located {
  readonly kind: 'frame';
  /** undefined if the dump has no connect packet to count from. */
  readonly id: bigint | undefined;
  readonly key: boolean;
  readonly dataSize: number;
  /** created, dts and ptsDelay in timescale units, as received. */
  readonly created: number;
  readonly dts: number;
  readonly ptsDelay: number;
  /** The same in ms; undefined before the first media info. */
  readonly dtsMs?: number;
  readonly ptsDelayMs?: number;
  readonly driftMs?: number;
  /** The reason for which the service would skip it. */
  readonly skipped?: string;
  readonly time?: TimeFault;
}

/** A KMP packet without further fields. */
export interface PlainRecord extends Located {
  readonly kind: 'null' | 'end';
}

/** The handshake, which has the same form for both sides: a version byte and two blocks of 1536 bytes. */
export interface HandshakeRecord extends Located {
  readonly kind: 'handshake';
  readonly version: number;
  /** First field of the first block. */
  readonly time: number;
  /** Second field of the first block: 0 in the old style, a software version in the digest style. */
  readonly software: string;
}

/** An RTMP message. */
export interface MessageRecord extends Located {
  readonly kind: 'message';
  /** Name of its type: `command`, `video`, `setChunkSize` and so on. */
  readonly name: string;
  readonly type: number;
  readonly chunkStreamId: number;
  readonly streamId: number;
  /** ms, modulo 2^32 */
  readonly timestamp: number;
  /** AMF0 values of commands and data. */
  readonly values?: readonly unknown[];
  /** Fields of control messages, and of the first bytes of media. */
  readonly fields?: Readonly<Record<string, unknown>>;
  readonly time?: TimeFault;
  /** An error in the body; reading continues behind the message. */
  readonly problem?: string;
}

/** An invalid place in the dump. */
export interface BrokenRecord {
  readonly kind: 'broken';
  readonly offset: number;
  readonly code: string;
  readonly message: string;
}

/** The place where reading resumes after an invalid place. */
export interface ResyncRecord {
  readonly kind: 'resync';
  readonly offset: number;
  readonly skipped: number;
}

/** The last record of every dump. */
export interface SummaryRecord {
  readonly kind: 'summary';
  readonly format: 'kmp' | 'rtmp';
  /** Size of the dump, bytes. */
  readonly size: number;
  /** Packets or messages, by type. */
  readonly counts: Readonly<Record<string, number>>;
  readonly tracks: readonly TrackSummary[];
  /** Number of invalid places, and of messages with an error inside. */
  readonly problems: number;
}

export type KmpRecord = ConnectRecord | MediaInfoRecord | FrameRecord | PlainRecord;
export type RtmpRecord = HandshakeRecord | MessageRecord;
export type InspectRecord = KmpRecord | RtmpRecord | BrokenRecord | ResyncRecord | SummaryRecord;
