import type { MediaType } from '../media/codec.js';
import type { AudioInfo, MediaInfo, VideoInfo } from '../media/media-info.js';
import { toMs } from '../media/timescale.js';
import type { Frame } from '../media/frame.js';
import { writeAmf0, type Amf0Object, type Amf0Value } from './amf0/amf0-writer.js';
import { ChunkWriter } from './chunk/chunk-writer.js';
import { IdPool } from './id-pool.js';
import type { TagHead } from './media-tags.js';
import { sequenceHeader } from './media-tags.js';
import { DEFAULT_METADATA_NAME, metadataBody, onFiBody } from './metadata.js';
import { MessageType } from './message-type.js';
import { OutputBuffer } from './chunk/output-buffer.js';

const CONTROL_CSID = 2;
const COMMAND_CSID = 3;
/** Chunk stream ids of streams begin above that of commands: 4 = 3 + message stream id 1. */
const FIRST_STREAM_CSID = 4;

/** Properties of the connect command: all strings, written in this order. */
export interface ConnectParams {
  readonly app: string;
  readonly flashVer: string;
  readonly swfUrl: string;
  readonly tcUrl: string;
  readonly pageUrl: string;
  /** Further properties behind these five (Enhanced RTMP; see lib/rtmp/enhanced.ts). */
  readonly extra?: Amf0Object;
}

export interface SessionOptions {
  /** Payload bytes per chunk, 128 to 16777215. Default 65536. */
  readonly chunkSize?: number;
  /** Name of the metadata event. Default `@onMetaData`. */
  readonly metadataName?: string;
  /** ms between onFI messages of a stream; 0: none. Default 5000. */
  readonly onFiPeriod?: number;
  /** Name H.265 by its FourCC in the metadata (`kmp_rtmp_out_enhanced on`). Default false. */
  readonly enhanced?: boolean;
}

/** The state of one RTMP message stream that its next message depends on. */
export interface StreamState {
  readonly name: string;
  /** Message stream id; 0 until it is known (`kmp_rtmp_out_stream_id negotiate`). */
  msid: number;
  readonly csid: number;
  /** Transaction id of its createStream. */
  readonly createTransaction: number;
  /** True once releaseStream and FCPublish are written. */
  announced: boolean;
  /** True once publish is encoded. */
  published: boolean;
  /** Transaction of its publish; 0 before. */
  publishTransaction: number;
  /** True once media may follow: the server has confirmed the publish, or its confirmation is not waited for. */
  live: boolean;
  /** dts of the last frame as it was written, ms; undefined before the first. */
  lastMs: number | undefined;
  /** True if the next frame has to carry the absolute time: the first frame, and the first one behind headers. */
  nextAbsolute: boolean;
  /** ms added to all times of the stream; above 0 if its first frame has a time below 0. */
  shiftMs: number;
  /** `created` of the last onFI, whole ms. */
  lastFi: number | undefined;
  /** The media infos that metadata and sequence headers have announced last; large ones are not remembered. */
  readonly announcedInfos: Partial<Record<MediaType, MediaInfo>>;
}

/** Bytes of codec private data above which a media info is not remembered in {@link StreamState.announcedInfos}. */
const MAX_REMEMBERED = 4096;

/** A difference of this many ms needs the extended timestamp. */
const EXTENDED_DIFFERENCE = 0xffffff;

/**
 * Writes the messages of one RTMP connection, in order, into an {@link OutputBuffer}. It holds all state of the
 * outgoing side, so a new connection needs a new writer. It uses neither sockets nor a clock (docs/protocol/rtmp.md,
 * Connection).
 */
export class SessionWriter {
  readonly out = new OutputBuffer();
  private readonly chunks = new ChunkWriter(this.out);
  private readonly chunkSize: number;
  private readonly metadataName: string;
  private readonly onFiPeriod: number;
  private readonly enhanced: boolean;
  private readonly csids = new IdPool(FIRST_STREAM_CSID);
  private transaction = 1;
  private nextMsid = 1;
  private commandStarted = false;
  private streamCreated = false;

  constructor(options: SessionOptions = {}) {
    this.chunkSize = options.chunkSize ?? 65536;
    this.metadataName = options.metadataName ?? DEFAULT_METADATA_NAME;
    this.onFiPeriod = options.onFiPeriod ?? 5000;
    this.enhanced = options.enhanced ?? false;
  }

  /** Writes connect, then Set Chunk Size. Returns the transaction id of connect. */
  connect(params: ConnectParams): number {
    const { app, flashVer, swfUrl, tcUrl, pageUrl, extra } = params;
    const transaction = this.command('connect', { app, flashVer, swfUrl, tcUrl, pageUrl, ...extra });
    const size = Buffer.alloc(4);
    size.writeUInt32BE(this.chunkSize);
    this.control(MessageType.setChunkSize, size);
    this.chunks.chunkSize = this.chunkSize;
    return transaction;
  }

  /**
   * Writes releaseStream, FCPublish and createStream. With `assume`, publish follows at once, with the id that a
   * server that counts up from 1 will return (docs/protocol/rtmp.md, Stream ids). Otherwise {@link publish} has to be
   * called with the real id.
   *
   * Without `assume`, only the first stream is announced before its id is known: a server that supports one stream
   * per connection takes FCPublish as the end of the existing stream.
   */
  createStream(name: string, assume: boolean): StreamState {
    const announced = assume || !this.streamCreated;
    this.streamCreated = true;
    if (announced) this.announce(name);
    const createTransaction = this.command('createStream', null);
    const stream: StreamState = {
      name,
      msid: 0,
      csid: this.csids.acquire(),
      createTransaction,
      announced,
      published: false,
      publishTransaction: 0,
      live: false,
      lastMs: undefined,
      nextAbsolute: true,
      shiftMs: 0,
      lastFi: undefined,
      announcedInfos: {},
    };
    if (assume) this.publish(stream, this.nextMsid++);
    return stream;
  }

  /** Writes publish NAME "live" on the chunk stream of the stream. */
  publish(stream: StreamState, msid: number): void {
    if (!stream.announced) this.announce(stream.name);
    stream.announced = true;
    stream.msid = msid;
    stream.published = true;
    stream.publishTransaction = this.transaction++;
    const body = writeAmf0('publish', stream.publishTransaction, null, stream.name, 'live');
    this.chunks.write(stream.csid, 0, 0, MessageType.command, msid, body);
  }

  /** Writes FCUnpublish and deleteStream. The chunk stream id is free afterwards. */
  unpublish(stream: StreamState): void {
    if (stream.announced) this.command('FCUnpublish', null, stream.name);
    if (stream.published) this.command('deleteStream', null, stream.msid);
    stream.announced = false;
    stream.published = false;
    stream.live = false;
    this.csids.release(stream.csid);
  }

  /**
   * Writes the metadata of the stream (docs/protocol/rtmp.md, Metadata and headers).
   *
   * @param ms dts of the frame that it precedes, if the stream has begun; default: that of the last frame written
   */
  metadata(stream: StreamState, video: VideoInfo | undefined, audio: AudioInfo | undefined, ms?: number): void {
    const body = metadataBody(this.metadataName, video, audio, this.enhanced);
    if (video === undefined) delete stream.announcedInfos.video;
    if (audio === undefined) delete stream.announcedInfos.audio;
    this.header(stream, MessageType.data, body, ms);
  }

  /**
   * Writes the sequence header of a track, if its codec has one and the private data is known.
   *
   * @param ms as of {@link metadata}
   */
  sequenceHeader(stream: StreamState, info: MediaInfo, ms?: number): void {
    if (info.extraData.length <= MAX_REMEMBERED) stream.announcedInfos[info.mediaType] = info;
    else delete stream.announcedInfos[info.mediaType];
    const body = sequenceHeader(info);
    if (body === undefined) return;
    this.header(stream, info.mediaType === 'video' ? MessageType.video : MessageType.audio, body, ms);
  }

  /**
   * Writes one frame, and an onFI behind it when one is due. `frame.ms` must be set. The first frame of a stream, one
   * whose time goes back, and one whose time jumps by 0xffffff ms or more carry the absolute time. All others carry
   * the difference to the previous frame, of either track (docs/protocol/rtmp.md, Timestamps).
   */
  frame(stream: StreamState, head: TagHead, frame: Frame, timescale: number): void {
    // Not the difference to `frame.ms`, which may have an offset.
    const cts = frame.ptsDelay === 0 ? 0 : toMs(frame.dts + frame.ptsDelay, timescale) - toMs(frame.dts, timescale);
    head.set(frame.isKey, cts);
    const last = stream.lastMs;
    if (last === undefined && frame.ms + stream.shiftMs < 0) stream.shiftMs = -frame.ms;
    const ms = frame.ms + stream.shiftMs;
    const difference = last === undefined ? 0 : ms - last;
    const absolute = stream.nextAbsolute || difference < 0 || difference >= EXTENDED_DIFFERENCE;
    this.chunks.writeMedia(
      stream.csid,
      absolute ? 0 : 1,
      absolute ? modulo32(ms) : difference,
      head.type,
      stream.msid,
      head.bytes,
      head.size,
      frame,
    );
    stream.lastMs = ms;
    stream.nextAbsolute = false;
    if (this.onFiPeriod !== 0) this.onFi(stream, toMs(frame.created, timescale));
  }

  private announce(name: string): void {
    this.command('releaseStream', null, name);
    this.command('FCPublish', null, name);
  }

  /** Writes a protocol control message (acknowledgement, ping response and so on). */
  control(type: number, body: Buffer): void {
    this.chunks.write(CONTROL_CSID, 0, 0, type, 0, body);
  }

  /**
   * Before the first frame, headers have the time 0, as in the recordings of the module. The frame behind a header is
   * absolute.
   */
  private header(stream: StreamState, type: number, body: Buffer, ms: number | undefined): void {
    const { lastMs, shiftMs } = stream;
    const at = lastMs === undefined ? 0 : ms === undefined ? lastMs : ms + shiftMs;
    this.chunks.write(stream.csid, 0, modulo32(at), type, stream.msid, body);
    stream.nextAbsolute = true;
  }

  /** @param created wall-clock ms since 1970 of the frame that was written */
  private onFi(stream: StreamState, created: number): void {
    const last = stream.lastFi;
    if (last !== undefined && created >= last && created - last < this.onFiPeriod) return;
    stream.lastFi = created;
    this.chunks.write(stream.csid, 1, 0, MessageType.data, stream.msid, onFiBody(created));
  }

  private command(name: string, ...args: Amf0Value[]): number {
    const transaction = this.transaction++;
    // The first command has a full header. The message stream id of connect, 0, holds for all commands.
    this.chunks.write(
      COMMAND_CSID,
      this.commandStarted ? 1 : 0,
      0,
      MessageType.command,
      0,
      writeAmf0(name, transaction, ...args),
    );
    this.commandStarted = true;
    return transaction;
  }
}

/** Times are modulo 2^32 on the wire. `>>>` alone would be wrong beyond 2^53, and for fractions. */
function modulo32(ms: number): number {
  const low = ms % 0x100000000;
  return low < 0 ? low + 0x100000000 : low;
}
