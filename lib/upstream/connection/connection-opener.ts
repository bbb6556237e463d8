import { enhancedProperties } from '../../rtmp/enhanced.js';
import type { TrackStream } from '../tracks/track.js';
import type { AnswerTimeouts } from './server/answer-timeouts.js';
import type { Destination } from './destination.js';
import type { EncoderOwner } from './delivery/frame-encoder.js';
import { RtmpConnection, type ConnectionOwner, type RtmpConnectionOptions } from './rtmp-connection.js';

/** Creates and opens the RTMP connections of a session. */
export class ConnectionOpener {
  /** Set when frames must not wait for their time any more. It applies to later connections, too. */
  waitingStopped = false;

  constructor(
    private readonly options: RtmpConnectionOptions,
    private readonly owner: ConnectionOwner,
    private readonly encoderOwner: EncoderOwner,
    private readonly timeouts: AnswerTimeouts,
  ) {}

  /** A connection that is not open yet. */
  create(): RtmpConnection {
    const connection = new RtmpConnection(this.options, this.owner, this.encoderOwner);
    // All written frames are kept until the server has accepted connect, because it may ask for a login, or redirect.
    connection.encoder.keepWritten = true;
    if (this.waitingStopped) connection.merger.stopWaiting();
    return connection;
  }

  /**
   * Begins to connect. Returns false if the memory limit was reached.
   *
   * @param codecs ids of the codecs that the frames will have
   */
  open(connection: RtmpConnection, destination: Destination, codecs: readonly number[]): boolean {
    const { outEnhanced } = this.settings;
    if (!connection.open(destination, enhancedProperties(outEnhanced, codecs))) return false;
    connection.merger.flush();
    if (this.settings.outAnswerTimeout === 0) connection.connectAnswer = 'assumed';
    return true;
  }

  /** Announces a stream to a server that is ready for it. Returns false if the memory limit was reached. */
  createStream(connection: RtmpConnection, stream: TrackStream): boolean {
    const { outStreamId } = this.settings;
    // A server that has not answered connect is not expected to answer createStream.
    const assumeId = outStreamId === 'assume' || (outStreamId === 'auto' && connection.connectAnswer !== 'accepted');
    if (!connection.createStream(stream, assumeId)) return false;
    const state = connection.streams.get(stream);
    if (state !== undefined) state.live = assumeId;
    if (!assumeId) this.timeouts.createStreamSent(connection, stream);
    connection.merger.flush();
    return true;
  }

  private get settings(): RtmpConnectionOptions['settings'] {
    return this.options.settings;
  }
}
