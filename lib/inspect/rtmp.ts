import { ChunkReader, type RtmpMessage } from '../rtmp/chunk/chunk-reader.js';
import { RtmpError } from '../rtmp/errors.js';
import { maskKey } from '../base/mask.js';
import type { MediaType } from '../media/codec.js';
import { maskFields } from './mask.js';
import { Secrets } from '../base/secrets.js';
import type { BrokenRecord, HandshakeRecord, InspectRecord, MessageRecord, SummaryRecord } from './record.js';
import { describeMessage, type MessageBody } from './rtmp-message.js';
import { TrackStats, type TimeFault } from './track-stats.js';

/** Commands whose fourth value is a stream name. */
const STREAM_COMMANDS = /^(publish|releaseStream|FCPublish|FCUnpublish|FCSubscribe|play|play2|closeStream)$/;
/**
 * How servers name a stream in the description of a status: "KEY is now published", "Publishing KEY.", "stream KEY".
 */
const NAMED =
  /(?:^(?=\S+ is (?:now|already|not|being) )|\b(?:un)?publish(?:ed|ing)? (?:of |as )?|\bstream (?:name )?(?:is |of )?)["'`[]?([^\s"'`\]]+?)["'`\]]?[.:;,]?(?=\s|$)/i;
/** Size of the handshake of one side: the version byte and two blocks of 1536 bytes. */
const HANDSHAKE_SIZE = 1 + 2 * 1536;
/** Most tracks and names that are distinguished; more indicate a damaged dump. */
const MAX_ENTRIES = 1000;

interface Options {
  /** True if the dump begins with a handshake. */
  readonly handshake: boolean;
  /** Bytes before that, which are skipped. */
  readonly skip: number;
  readonly showKeys: boolean;
}

/** Describes one direction of an RTMP connection: what a server sent, or what was sent to it. */
export class RtmpInspector {
  private readonly reader = new ChunkReader({ maxStreams: 65600 });
  private readonly showKeys: boolean;
  private received = 0;
  /** Bytes before the first chunk. */
  private readonly chunksAt: number;
  private readonly skip: number;
  private head: Buffer = Buffer.alloc(0);
  private readonly counts: Record<string, number> = {};
  private readonly tracks = new Map<string, { stats: TrackStats; ms: number }>();
  private readonly secrets = new Secrets();
  private problems = 0;
  private failed = false;

  constructor({ handshake, skip, showKeys }: Options) {
    this.skip = skip;
    this.chunksAt = skip + (handshake ? HANDSHAKE_SIZE : 0);
    this.showKeys = showKeys;
  }

  feed(chunk: Buffer): InspectRecord[] {
    const records: InspectRecord[] = [];
    const missing = this.chunksAt - this.received;
    this.received += chunk.length;
    if (missing > 0) {
      this.head = Buffer.concat([this.head, chunk.subarray(0, missing)]);
      if (chunk.length < missing) return records;
      records.push(...this.leadingRecords());
    }
    this.chunks(missing > 0 ? chunk.subarray(missing) : chunk, records);
    return records;
  }

  /** The records for the end of the dump; the summary is the last. */
  end(): InspectRecord[] {
    const records: InspectRecord[] = [];
    if (this.received < this.chunksAt) {
      const message = `the dump ends within the handshake: ${this.received - this.skip} of ${HANDSHAKE_SIZE} bytes are present`;
      records.push(this.broken(this.skip, 'rtmp_truncated', message));
    } else if (!this.failed) {
      for (const { offset, type, filled, length } of this.reader.unfinished) {
        const message = `the dump ends within a message of type ${type}: ${filled} of ${length} bytes are present`;
        records.push(this.broken(this.chunksAt + offset, 'rtmp_truncated', message));
      }
      if (records.length === 0 && this.reader.heldBytes > 0) {
        const at = this.chunksAt + this.reader.chunkOffset;
        records.push(this.broken(at, 'rtmp_truncated', 'the dump ends within a chunk header'));
      }
    }
    return [...records, this.summary()];
  }

  private summary(): SummaryRecord {
    const tracks = [...this.tracks.values()].map(({ stats }) => stats.summary());
    const { counts, problems } = this;
    return { kind: 'summary', format: 'rtmp', size: this.received, counts, tracks, problems };
  }

  private broken(offset: number, code: string, message: string): BrokenRecord {
    this.problems++;
    return { kind: 'broken', offset, code, message };
  }

  private leadingRecords(): InspectRecord[] {
    const records: InspectRecord[] = [];
    if (this.skip > 0) records.push({ kind: 'resync', offset: this.skip, skipped: this.skip });
    const block = this.head.subarray(this.skip);
    this.head = Buffer.alloc(0);
    if (block.length === 0) return records;
    const handshake: HandshakeRecord = {
      kind: 'handshake',
      offset: this.skip,
      size: block.length,
      version: block.readUInt8(0),
      time: block.readUInt32BE(1),
      software: block.subarray(5, 9).join('.'),
    };
    return [...records, handshake];
  }

  private chunks(chunk: Buffer, records: InspectRecord[]): void {
    if (this.failed) return;
    try {
      for (const message of this.reader.feed(chunk)) records.push(this.message(message));
    } catch (error) {
      if (!(error instanceof RtmpError)) throw error;
    }
    const { failure } = this.reader;
    if (failure === undefined) return;
    // Chunks have no mark by which the next one could be found.
    this.failed = true;
    const offset = this.chunksAt + this.reader.chunkOffset;
    records.push(this.broken(offset, failure.code, `${failure.message}; what follows cannot be read`));
  }

  private message(message: RtmpMessage): MessageRecord {
    const { type, timestamp, streamId, chunkStreamId, payload } = message;
    const body = describeMessage(type, payload);
    this.counts[body.name] = (this.counts[body.name] ?? 0) + 1;
    if (body.problem !== undefined) this.problems++;
    const time = this.time(message, body);
    return {
      kind: 'message',
      offset: this.chunksAt + message.offset,
      size: payload.length,
      name: body.name,
      type,
      chunkStreamId,
      streamId,
      timestamp,
      ...(body.values === undefined ? {} : { values: this.masked(body.values) }),
      ...(body.fields === undefined ? {} : { fields: body.fields }),
      ...(time === undefined ? {} : { time }),
      ...(body.problem === undefined ? {} : { problem: body.problem }),
    };
  }

  private time({ streamId, timestamp, payload, type }: RtmpMessage, { media }: MessageBody): TimeFault | undefined {
    if (media === undefined || !media.isFrame) return undefined;
    const mediaType: MediaType = type === 9 ? 'video' : 'audio';
    const name = `stream ${streamId} ${mediaType}`;
    let track = this.tracks.get(name);
    if (track === undefined) {
      if (this.tracks.size >= MAX_ENTRIES) return undefined;
      track = { stats: new TrackStats(name, mediaType), ms: timestamp };
      this.tracks.set(name, track);
    }
    // Timestamps are modulo 2^32: the signed difference continues where they wrap.
    track.ms += (timestamp - track.ms) | 0;
    track.stats.codec = media.codec;
    const isKey = media.isKey && mediaType === 'video';
    return track.stats.add({ dtsMs: track.ms, bytes: payload.length - media.headerSize, isKey });
  }

  /** The values as they may be shown: stream names are keys. */
  private masked(values: readonly unknown[]): unknown[] {
    if (this.showKeys) return [...values];
    const [command, , , name] = values;
    const hasStreamName = typeof command === 'string' && STREAM_COMMANDS.test(command) && typeof name === 'string';
    if (hasStreamName) this.secrets.addName(name);
    // A status names the stream that it is about; its description often repeats the name.
    for (const value of values) {
      if (typeof value !== 'object' || value === null) continue;
      const { details, description } = value as { details?: unknown; description?: unknown };
      if (typeof details === 'string') this.secrets.addName(details);
      if (typeof description === 'string') this.secrets.addName(NAMED.exec(description)?.[1] ?? '');
    }
    return values.map((value, at) => {
      if (at === 0) return value;
      return hasStreamName && at === 3 ? maskKey(name) : maskFields(value, this.secrets);
    });
  }
}
