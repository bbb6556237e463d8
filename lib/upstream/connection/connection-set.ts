import type { PublisherState } from '../../rtmp/publisher.js';
import { addBytes, NO_BYTES, type ByteCounts } from '../report/byte-counts.js';
import { tracksOf, UNKNOWN_STREAM } from '../tracks/stream.js';
import type { Track, TrackStream } from '../tracks/track.js';
import type { RtmpConnection } from './rtmp-connection.js';

/**
 * The open RTMP connections of a session, and which of its streams is on which: the current connection, one that is to
 * replace it, and replaced ones that still send what they have.
 */
export class ConnectionSet {
  private readonly open = new Set<RtmpConnection>();
  private readonly connectionOf = new Map<TrackStream, RtmpConnection>();
  /** The connection that is to become the current one, while it is being made. */
  replacement: RtmpConnection | undefined;
  /** Bytes of connections that are closed. */
  private past = NO_BYTES;

  /** @param current the connection that new streams go to */
  constructor(public current: RtmpConnection) {
    this.open.add(current);
  }

  get isEmpty(): boolean {
    return this.open.size === 0;
  }

  /** The state of the current connection; undefined before it is opened. */
  get state(): PublisherState | undefined {
    return this.current.state;
  }

  /** `ip:port` of the server and of this end of the current connection; empty while not connected. */
  get remoteAddress(): string {
    return this.current.publisher?.remoteAddress ?? '';
  }

  get localAddress(): string {
    return this.current.publisher?.localAddress ?? '';
  }

  /** The streams of the session, in the order in which they were added. */
  get streams(): TrackStream[] {
    return [...this.connectionOf.keys()];
  }

  [Symbol.iterator](): IterableIterator<RtmpConnection> {
    return this.open.values();
  }

  add(connection: RtmpConnection): void {
    this.open.add(connection);
  }

  /** The connection is closed; its bytes stay counted. */
  remove(connection: RtmpConnection): void {
    if (this.open.delete(connection)) this.past = addBytes(this.past, connection.bytes);
  }

  /** From now on the frames of `stream` go to `connection`. */
  assign(stream: TrackStream, connection: RtmpConnection): void {
    this.connectionOf.set(stream, connection);
    stream.state = connection.streams.get(stream) ?? UNKNOWN_STREAM;
    stream.live = connection.publishes(stream);
  }

  /** More is known of whether the streams on `connection` are published: their frames may be acknowledged. */
  updateLive(connection: RtmpConnection): void {
    for (const stream of this.streamsOn(connection)) {
      stream.live = connection.publishes(stream);
      for (const track of tracksOf(stream)) track.acknowledge();
    }
  }

  /** The stream has ended. */
  unassign(stream: TrackStream): void {
    const connection = this.of(stream);
    for (const track of tracksOf(stream)) connection?.merger.remove(track);
    this.connectionOf.delete(stream);
    for (const one of this.open) one.removeStream(stream);
  }

  /**
   * Moves a stream with its queued frames to another connection.
   *
   * @param lost its connection is lost: what may not have arrived is written again, from a key frame on. Otherwise that
   *   connection still sends what it has
   */
  move(stream: TrackStream, to: RtmpConnection, lost: boolean): void {
    const tracks = tracksOf(stream);
    const from = this.of(stream);
    if (!lost) from?.leave(tracks);
    for (const track of tracks) {
      from?.merger.remove(track);
      track.ready = false;
      if (lost) track.requeue();
    }
    if (lost) stream.beginAtKey();
    this.assign(stream, to);
    for (const track of tracks) {
      to.merger.add(track);
      to.merger.changed(track);
    }
  }

  /** Replaced connections without a stream send what they have, and close. */
  finishUnused(): void {
    for (const connection of this.open) {
      if (connection === this.current || connection === this.replacement) continue;
      if (this.streamsOn(connection).length === 0) connection.finish();
    }
  }

  /** A track ended without writing its frames: other tracks no longer wait for it. */
  tracksChanged(): void {
    for (const connection of this.open) connection.merger.changed();
  }

  /** From now on no frame waits: what is queued goes out in order, as fast as the server takes it. */
  hurry(): void {
    for (const connection of this.open) connection.merger.hurry();
  }

  /** The connection that `stream` is on; undefined if it is not a stream of this session. */
  of(stream: TrackStream): RtmpConnection | undefined {
    return this.connectionOf.get(stream);
  }

  /** Streams that are on `connection`. */
  streamsOn(connection: RtmpConnection): TrackStream[] {
    return this.streams.filter((stream) => this.connectionOf.get(stream) === connection);
  }

  tracksOn(connection: RtmpConnection): Track[] {
    return this.streamsOn(connection).flatMap(tracksOf);
  }

  /** Ids of the codecs that the frames to come have. */
  get codecs(): number[] {
    return this.streams.flatMap((stream) => tracksOf(stream).map((track) => track.latestInfo.codecId));
  }

  /** Bytes over all connections that there ever were. */
  get bytes(): ByteCounts {
    let sum = this.past;
    for (const connection of this.open) sum = addBytes(sum, connection.bytes);
    return sum;
  }
}
