import { enhancedProperties } from '../../rtmp/enhanced.js';
import type { TrackStream } from '../tracks/track.js';
import type { AnswerTimeouts } from './answer-timeouts.js';
import type { Destination } from './destination.js';
import type { EncoderOwner } from './frame-encoder.js';
import { RtmpConnection, type ConnectionOwner, type RtmpConnectionOptions } from './rtmp-connection.js';

/** Makes and opens the RTMP connections of a session. */
export class ConnectionOpener {
  /** Set when no frame waits any more: connections made from then on do not wait either. */
  hurried = false;

  /** @param assumeIds stream ids are assumed (`kmp_rtmp_out_stream_id assume`) */
  constructor(
    private readonly options: RtmpConnectionOptions,
    private readonly owner: ConnectionOwner,
    private readonly encoderOwner: EncoderOwner,
    private readonly timeouts: AnswerTimeouts,
    private readonly assumeIds: boolean,
  ) {}

  /** A connection that is not open yet. */
  create(): RtmpConnection {
    const connection = new RtmpConnection(this.options, this.owner, this.encoderOwner);
    // A server may ask for a login, or redirect: until it has accepted connect, everything is kept.
    connection.encoder.keepWritten = true;
    if (this.hurried) connection.merger.hurry();
    return connection;
  }

  /**
   * Begins to connect, with `streams` on the connection; false if the memory limit was reached.
   *
   * @param codecs ids of the codecs that the streams' frames will have
   */
  open(
    connection: RtmpConnection,
    destination: Destination,
    streams: readonly TrackStream[],
    codecs: readonly number[],
  ): boolean {
    const { outEnhanced } = this.options.settings;
    if (!connection.open(destination, outEnhanced === 'auto' ? enhancedProperties(codecs) : undefined)) return false;
    for (const stream of streams) if (!this.createStream(connection, stream)) return false;
    connection.merger.flush();
    return true;
  }

  /** Adds a stream to an open connection; false if the memory limit was reached. */
  createStream(connection: RtmpConnection, stream: TrackStream): boolean {
    if (!connection.createStream(stream, this.assumeIds)) return false;
    if (!this.assumeIds) this.timeouts.streamCreated(connection, stream);
    return true;
  }
}
