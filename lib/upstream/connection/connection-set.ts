import type { PublisherState } from '../../rtmp/network/publisher.js';
import { addBytes, NO_BYTES, type ByteCounts } from '../report/byte-counts.js';
import { tracksOf, UNKNOWN_STREAM } from '../tracks/stream.js';
import type { Track, TrackStream } from '../tracks/track.js';
import type { RtmpConnection } from './rtmp-connection.js';

/**
 * The open RTMP connections of a session, and which stream is on which: the current connection, its replacement, and
 * replaced connections that still send their frames.
 */
export class ConnectionSet {
  private readonly open = new Set<RtmpConnection>();
  private readonly connectionOf = new Map<TrackStream, RtmpConnection>();
  /** The connection that will become the current one, while it is being opened. */
  replacement: RtmpConnection | undefined;
  /** Byte counts of closed connections. */
  private past = NO_BYTES;

  /** @param current the connection for new streams */
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

  /** `ip:port` of the server and of the local end of the current connection; empty while not connected. */
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

  /** The connection is closed. Its bytes stay counted. */
  remove(connection: RtmpConnection): void {
    if (this.open.delete(connection)) this.past = addBytes(this.past, connection.bytes);
  }

  /** From now on the frames of `stream` go to `connection`. */
  assign(stream: TrackStream, connection: RtmpConnection): void {
    this.connectionOf.set(stream, connection);
    const state = connection.streams.get(stream);
    if (stream.state !== UNKNOWN_STREAM) stream.shiftMs = stream.state.shiftMs;
    // The times of the stream go on, whatever connection it is on.
    if (state?.lastMs === undefined && state !== undefined) state.shiftMs = stream.shiftMs;
    stream.state = state ?? UNKNOWN_STREAM;
    stream.live = connection.publishes(stream);
  }

  /** Updates which streams on `connection` are published: the frames of those may be acknowledged. */
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
   * @param lost true if its connection is lost: frames that may not have arrived are written again, from a key frame
   *   on. Otherwise the old connection still sends the frames that it has
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

  /** Closes replaced connections without a stream, after they have sent their frames. */
  finishUnused(): void {
    for (const connection of this.open) {
      if (connection === this.current || connection === this.replacement) continue;
      if (this.streamsOn(connection).length === 0) connection.finish();
    }
  }

  /** A track ended without writing its frames, so other tracks do not wait for it any more. */
  tracksChanged(): void {
    for (const connection of this.open) connection.merger.changed();
  }

  /**
   * From now on, frames do not wait for their time. Queued frames are sent in order, as fast as the server takes them.
   */
  stopWaiting(): void {
    for (const connection of this.open) connection.merger.stopWaiting();
  }

  /** The connection that `stream` is on; undefined if it is not a stream of this session. */
  of(stream: TrackStream): RtmpConnection | undefined {
    return this.connectionOf.get(stream);
  }

  /** The streams on `connection`. */
  streamsOn(connection: RtmpConnection): TrackStream[] {
    return this.streams.filter((stream) => this.connectionOf.get(stream) === connection);
  }

  tracksOn(connection: RtmpConnection): Track[] {
    return this.streamsOn(connection).flatMap(tracksOf);
  }

  /** Ids of the codecs that the next frames will have. */
  get codecs(): number[] {
    return this.streams.flatMap((stream) => tracksOf(stream).map((track) => track.latestInfo.codecId));
  }

  /** ms: the age of the oldest frame that the server has not taken yet; 0 if there is none. @param now monotonic ms */
  lagMs(now: number): number {
    let lag = 0;
    for (const connection of this.open) lag = Math.max(lag, connection.lagMs);
    for (const { tracks } of this.connectionOf.keys()) {
      lag = Math.max(lag, headAge(tracks.video, now), headAge(tracks.audio, now));
    }
    return lag;
  }

  /** Bytes over all connections, open and closed. */
  get bytes(): ByteCounts {
    let sum = this.past;
    for (const connection of this.open) sum = addBytes(sum, connection.bytes);
    return sum;
  }
}

/** ms: the age of the first queued frame of a track; 0 if there is none. */
function headAge(track: Track | undefined, now: number): number {
  return track === undefined || track.length === 0 ? 0 : now - track.headArrival;
}
