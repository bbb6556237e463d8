import type { MediaType } from '../media/codec.js';
import type { AudioInfo, MediaInfo, VideoInfo } from '../media/media-info.js';
import { toMs } from '../media/timescale.js';
import type { Frame } from '../media/frame.js';
import { writeAmf0, type Amf0Object, type Amf0Value } from './amf0-writer.js';
import { ChunkWriter } from './chunk-writer.js';
import { IdPool } from './id-pool.js';
import type { TagHead } from './media-tags.js';
import { sequenceHeader } from './media-tags.js';
import { DEFAULT_METADATA_NAME, metadataBody, onFiBody } from './metadata.js';
import { MessageType } from './message-type.js';
import { OutputBuffer } from './output-buffer.js';

const CONTROL_CSID = 2;
const COMMAND_CSID = 3;
/** Streams take the chunk stream ids above the command's: 4 = 3 + message stream id 1. */
const FIRST_STREAM_CSID = 4;

/** What the connect command says; all strings, in this order on the wire. */
export interface ConnectParams {
  readonly app: string;
  readonly flashVer: string;
  readonly swfUrl: string;
  readonly tcUrl: string;
  readonly pageUrl: string;
  /** Further properties, behind the five (enhanced codecs; see `lib/rtmp/enhanced.ts`). */
  readonly extra?: Amf0Object;
}

export interface SessionOptions {
  /** Bytes a chunk, 128 .. 16777215. Default 65536. */
  readonly chunkSize?: number;
  /** Name of the metadata event. Default `@onMetaData`. */
  readonly metadataName?: string;
  /** ms between onFI messages of a stream; 0: none. Default 5000. */
  readonly onFiPeriod?: number;
}

/** One RTMP message stream of a session: what its next message depends on. */
export interface StreamState {
  readonly name: string;
  /** Message stream id; 0 until it is known (`kmp_rtmp_out_stream_id negotiate`). */
  msid: number;
  readonly csid: number;
  /** Transaction of its createStream. */
  readonly createTransaction: number;
  /** True once releaseStream and FCPublish have told the server of it. */
  announced: boolean;
  /** True once publish is encoded. */
  published: boolean;
  /** Transaction of its publish; 0 before. */
  publishTransaction: number;
  /** True once media may follow: the server has confirmed the publish, or its confirmation is not waited for. */
  live: boolean;
  /** dts in ms of the last frame; undefined before the first, which carries the absolute time. */
  lastMs: number | undefined;
  /** `created` of the last onFI, in ms with fractions. */
  lastFi: number | undefined;
  /** The media infos that metadata and sequence headers have announced last; large ones are not remembered. */
  readonly announcedInfos: Partial<Record<MediaType, MediaInfo>>;
}

/** Bytes of codec private data above which a media info is not remembered in {@link StreamState.announcedInfos}. */
const MAX_REMEMBERED = 4096;

/**
 * Writes one RTMP connection's messages, in order, into an {@link OutputBuffer}: all the state that a connection's
 * outgoing side has is here, and a new connection takes a new writer. Pure: no sockets, no clock (docs/protocol/rtmp.md, Connection).
 */
export class SessionWriter {
  readonly out = new OutputBuffer();
  private readonly chunks = new ChunkWriter(this.out);
  private readonly chunkSize: number;
  private readonly metadataName: string;
  private readonly onFiPeriod: number;
  private readonly csids = new IdPool(FIRST_STREAM_CSID);
  private transaction = 1;
  private nextMsid = 1;
  private commandStarted = false;
  private streamCreated = false;

  constructor(options: SessionOptions = {}) {
    this.chunkSize = options.chunkSize ?? 65536;
    this.metadataName = options.metadataName ?? DEFAULT_METADATA_NAME;
    this.onFiPeriod = options.onFiPeriod ?? 5000;
  }

  /** The connect command, then Set Chunk Size. Returns the command's transaction id. */
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
   * releaseStream, FCPublish and createStream. With `assume`, publish follows at once, with the id that a server that
   * counts up from 1 will give (docs/protocol/rtmp.md, Stream ids); else {@link publish} has to be called with the real one.
   *
   * Without `assume`, only the first stream is announced before it has its id: servers that know one stream a connection
   * take FCPublish for the end of the one that is there.
   */
  createStream(name: string, assume: boolean): StreamState {
    const announced = assume || !this.streamCreated;
    this.streamCreated = true;
    if (announced) this.announce(name);
    const createTransaction = this.command('createStream', null);
    const stream: StreamState = {
      name,
      msid: 0,
      csid: this.csids.take(),
      createTransaction,
      announced,
      published: false,
      publishTransaction: 0,
      live: false,
      lastMs: undefined,
      lastFi: undefined,
      announcedInfos: {},
    };
    if (assume) this.publish(stream, this.nextMsid++);
    return stream;
  }

  /** publish NAME "live" on the stream's own chunk stream. */
  publish(stream: StreamState, msid: number): void {
    if (!stream.announced) this.announce(stream.name);
    stream.announced = true;
    stream.msid = msid;
    stream.published = true;
    stream.publishTransaction = this.transaction++;
    const body = writeAmf0('publish', stream.publishTransaction, null, stream.name, 'live');
    this.chunks.write(stream.csid, 0, 0, MessageType.command, msid, body);
  }

  /** FCUnpublish and deleteStream; the chunk stream id is free afterwards. */
  unpublish(stream: StreamState): void {
    if (stream.announced) this.command('FCUnpublish', null, stream.name);
    if (stream.published) this.command('deleteStream', null, stream.msid);
    stream.announced = false;
    stream.published = false;
    stream.live = false;
    this.csids.giveBack(stream.csid);
  }

  metadata(stream: StreamState, video: VideoInfo | undefined, audio: AudioInfo | undefined): void {
    const body = metadataBody(this.metadataName, video, audio);
    this.chunks.write(stream.csid, 0, 0, MessageType.data, stream.msid, body);
    if (video === undefined) delete stream.announcedInfos.video;
    if (audio === undefined) delete stream.announcedInfos.audio;
    this.afterHeaders(stream);
  }

  /** The track's sequence header, if its codec has one. */
  sequenceHeader(stream: StreamState, info: MediaInfo): void {
    if (info.extraData.length <= MAX_REMEMBERED) stream.announcedInfos[info.mediaType] = info;
    else delete stream.announcedInfos[info.mediaType];
    const body = sequenceHeader(info);
    if (body === undefined) return;
    const type = info.mediaType === 'video' ? MessageType.video : MessageType.audio;
    this.chunks.write(stream.csid, 0, 0, type, stream.msid, body);
    this.afterHeaders(stream);
  }

  /**
   * One frame, and an onFI behind it when one is due. `frame.ms` must be set. The first frame of a stream and one whose
   * time goes back carry the absolute time, all others the difference to the one before, of either track.
   */
  frame(stream: StreamState, head: TagHead, frame: Frame, timescale: number): void {
    const { ms } = frame;
    head.set(frame.isKey, frame.ptsDelay === 0 ? 0 : toMs(frame.dts + frame.ptsDelay, timescale) - ms);
    const last = stream.lastMs;
    const absolute = last === undefined || ms < last;
    this.chunks.writeMedia(
      stream.csid,
      absolute ? 0 : 1,
      absolute ? modulo32(ms) : modulo32(ms - last),
      head.type,
      stream.msid,
      head.bytes,
      head.size,
      frame,
    );
    stream.lastMs = ms;
    if (this.onFiPeriod !== 0) this.onFi(stream, frame.created, timescale);
  }

  private announce(name: string): void {
    this.command('releaseStream', null, name);
    this.command('FCPublish', null, name);
  }

  /** A protocol control message (acknowledgement, ping response, ...). */
  control(type: number, body: Buffer): void {
    this.chunks.write(CONTROL_CSID, 0, 0, type, 0, body);
  }

  /** Metadata and sequence headers in mid-stream reset the chunk stream's time to 0: the next frame is absolute. */
  private afterHeaders(stream: StreamState): void {
    stream.lastMs = undefined;
  }

  private onFi(stream: StreamState, created: number, timescale: number): void {
    const at = (created / timescale) * 1000;
    if (stream.lastFi !== undefined && at >= stream.lastFi && at - stream.lastFi < this.onFiPeriod) return;
    stream.lastFi = at;
    const body = onFiBody(toMs(created, timescale));
    this.chunks.write(stream.csid, 1, 0, MessageType.data, stream.msid, body);
  }

  private command(name: string, ...args: Amf0Value[]): number {
    const transaction = this.transaction++;
    // The first command opens the chunk stream with a full header; connect's id is 0 for all of them.
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

/** Times are modulo 2^32 on the wire; `>>>` alone would go wrong beyond 2^53, and for fractions. */
function modulo32(ms: number): number {
  const low = ms % 0x100000000;
  return low < 0 ? low + 0x100000000 : low;
}
