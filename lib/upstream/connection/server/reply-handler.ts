import { messageOf } from '../../../base/errors.js';
import { asRecord } from '../../../rtmp/amf0/amf0-reader.js';
import type { Logger } from '../../../base/logger.js';
import { PublishError } from '../../../rtmp/publish-error.js';
import type { ServerEvent, StatusText } from '../../../rtmp/server-event.js';
import { statusText } from '../../../rtmp/server-reader.js';
import { statusMeaning, type StatusMeaning } from '../../../rtmp/status-meaning.js';
import type { LastStatus } from '../../report/status.js';
import type { TrackStream } from '../../tracks/track.js';
import { LimitedLog } from './limited-log.js';
import type { RtmpConnection } from '../rtmp-connection.js';
import type { ServerRoute } from './server-route.js';

/** Whether another attempt after a refusal can succeed; see docs/protocol/servers.md, Refusals. */
export type Refusal = Extract<StatusMeaning, 'final' | 'temporary' | 'doubtful'>;

/** Acts on a server's answers, on the current connection of a session or on its replacement. */
export interface ReplyTarget {
  /** The server has accepted connect. */
  accepted(connection: RtmpConnection): void;
  /** publish is encoded, with the id that the server gave to the stream. */
  published(connection: RtmpConnection, stream: TrackStream): void;
  /** The server has confirmed the publish. */
  live(connection: RtmpConnection, stream: TrackStream): void;
  /** The server gave the stream the id of another stream, so the stream needs its own connection. */
  idTaken(connection: RtmpConnection, stream: TrackStream): void;
  /** Connect again at once, to the route's next destination. */
  connectAgain(): void;
  /** The server refuses or ends all streams. */
  rejected(refusal: Refusal, error: PublishError): void;
  /** The server refuses or ends one stream. */
  streamRejected(connection: RtmpConnection, stream: TrackStream, refusal: Refusal, error: PublishError): void;
  /** The connection cannot be used any more. */
  connectionBroken(connection: RtmpConnection, error: Error): void;
  /** The server asks to reconnect: to `tcUrl`, absolute or relative, or to the present address. */
  reconnectRequested(tcUrl: string | undefined): void;
}

/** Observes the messages of the server. */
export interface ReplyObserver {
  readonly log: Logger;
  lastStatus(status: LastStatus): void;
  /** Returns `text` without stream keys, user names and passwords, which servers often repeat. */
  mask(text: string): string;
}

/**
 * Interprets a server's answers: ids, refusals, logins, redirects. See docs/protocol/servers.md, Waiting for answers.
 */
export class ReplyHandler {
  private readonly log: LimitedLog;

  /**
   * @param route follows redirects and logins
   * @param now monotonic ms
   */
  constructor(
    private readonly target: ReplyTarget,
    private readonly observer: ReplyObserver,
    private readonly route: ServerRoute,
    now: () => number,
  ) {
    this.log = new LimitedLog(() => observer.log, now);
  }

  handle(connection: RtmpConnection, event: ServerEvent): void {
    switch (event.kind) {
      case 'result':
        this.result(connection, event);
        return;
      case 'error':
        this.record(event);
        this.refused(connection, event.transaction, event);
        return;
      case 'status':
        this.record(event);
        this.status(connection, event.streamId, event);
        return;
      case 'redirect':
        this.record(event);
        this.redirect(event.url);
        return;
      case 'reconnectRequest':
        this.record({
          level: 'status',
          code: 'NetConnection.Connect.ReconnectRequest',
          description: event.description ?? '',
        });
        this.target.reconnectRequested(event.tcUrl);
        return;
      case 'broken':
        this.target.connectionBroken(
          connection,
          new PublishError('recv', `what the server sends is not RTMP: ${messageOf(event.error)}`),
        );
        return;
      case 'unreadable':
        this.log.write('warn', () => `a message of the server was ignored: ${messageOf(event.error)}`);
        return;
      default:
    }
  }

  /** A `_result`. Some servers report failures in a `_result`. */
  private result(
    connection: RtmpConnection,
    { transaction, object, info }: Extract<ServerEvent, { kind: 'result' }>,
  ): void {
    const record = asRecord(info) ?? asRecord(object);
    const status = record === undefined ? undefined : statusText(record);
    if (status !== undefined && refusalIn(status) !== undefined) {
      this.record(status);
      this.refused(connection, transaction, status);
      return;
    }
    if (transaction === connection.connectTransaction) {
      this.target.accepted(connection);
      return;
    }
    for (const [stream, state] of connection.streams) {
      if (state.createTransaction === transaction) {
        this.streamId(connection, stream, typeof info === 'number' ? info : NaN);
        return;
      }
      if (state.published && state.publishTransaction === transaction) {
        this.confirmed(connection, stream);
        return;
      }
    }
  }

  private streamId(connection: RtmpConnection, stream: TrackStream, id: number): void {
    const state = connection.streams.get(stream);
    if (state === undefined) return;
    // The id was assumed.
    if (state.published) {
      if (id !== state.msid) this.otherId(state.msid, id);
      return;
    }
    if (!Number.isInteger(id) || id < 0 || id > 0xffffffff) {
      this.target.rejected('final', new PublishError('stream_id', `the server gave an invalid stream id (${id})`));
      return;
    }
    for (const other of connection.streams.values()) {
      if (other.published && other.msid === id) {
        this.target.idTaken(connection, stream);
        return;
      }
    }
    if (!connection.encoder.charged('create_stream_failed', () => connection.writer.publish(state, id))) return;
    connection.merger.flush();
    this.target.published(connection, stream);
  }

  private otherId(assumed: number, id: number): void {
    const hint = 'set "kmp_rtmp_out_stream_id negotiate" to use the ids that the server gives';
    const problem = `the server gave stream id ${id} where ${assumed} was assumed`;
    this.target.rejected('final', new PublishError('stream_id', `${problem}; ${hint}`));
  }

  private confirmed(connection: RtmpConnection, stream: TrackStream): void {
    const state = connection.streams.get(stream);
    if (state === undefined || state.live) return;
    state.live = true;
    this.target.live(connection, stream);
  }

  private refused(connection: RtmpConnection, transaction: number, status: StatusText): void {
    // An `_error` refuses, whatever its code.
    const refusal = refusalIn(status) ?? 'doubtful';
    if (transaction === connection.connectTransaction) {
      if (!this.logIn(status.description)) this.rejected('connect_rejected', refusal, status);
      return;
    }
    for (const [stream, state] of connection.streams) {
      // A server that cannot create a stream is busy or not ready yet, so a later attempt may succeed.
      if (state.createTransaction === transaction) this.streamRefused(connection, stream, 'temporary', status);
      else if (state.published && state.publishTransaction === transaction) {
        this.streamRefused(connection, stream, refusal, status);
      }
    }
  }

  /** An onStatus. */
  private status(connection: RtmpConnection, streamId: number, status: StatusText): void {
    const meaning = statusMeaning(status);
    const ofStream = status.code.startsWith('NetStream.');
    const stream = streamOf(connection, streamId, ofStream);
    if (meaning === 'none' || meaning === 'accepted') {
      this.log.write('info', () => `server: ${this.text(status)}`);
      if (meaning === 'accepted' && ofStream && stream !== undefined) this.confirmed(connection, stream);
      return;
    }
    if (stream !== undefined) this.streamRefused(connection, stream, meaning, status);
    else this.rejected(ofStream ? 'publish_rejected' : 'connect_rejected', meaning, status);
  }

  private streamRefused(connection: RtmpConnection, stream: TrackStream, refusal: Refusal, status: StatusText): void {
    this.target.streamRejected(connection, stream, refusal, this.error('publish_rejected', status));
  }

  private rejected(stage: 'connect_rejected' | 'publish_rejected', refusal: Refusal, status: StatusText): void {
    this.target.rejected(refusal, this.error(stage, status));
  }

  private error(stage: 'connect_rejected' | 'publish_rejected', status: StatusText): PublishError {
    return new PublishError(stage, `the server says: ${this.text(status)}`);
  }

  /**
   * Answers a request to log in by connecting again. Returns false if it is not such a request, or if there are no
   * credentials.
   */
  private logIn(description: string): boolean {
    const answer = this.route.logIn(description);
    if (answer.kind === 'rejected') this.target.rejected('final', new PublishError('connect_rejected', answer.reason));
    else if (answer.kind === 'again') this.target.connectAgain();
    return answer.kind !== 'none';
  }

  private redirect(url: string): void {
    const problem = this.route.redirect(url);
    if (problem !== undefined) {
      this.target.rejected('final', new PublishError('connect_rejected', `the server redirects ${problem}`));
      return;
    }
    const { target } = this.route.next;
    this.observer.log.info(`redirected to ${target.host} port ${target.port}`);
    this.target.connectAgain();
  }

  private record({ level, code, description }: StatusText): void {
    const { observer } = this;
    observer.lastStatus({ level, code, description: observer.mask(description) });
  }

  private text(status: StatusText): string {
    return [status.code, this.observer.mask(status.description)].filter((part) => part !== '').join(': ');
  }
}

/**
 * The stream that a status is about. Some servers send the status of a stream with a wrong id. If there is only one
 * stream, it is that one.
 */
function streamOf(connection: RtmpConnection, streamId: number, ofStream: boolean): TrackStream | undefined {
  for (const [stream, state] of connection.streams) if (state.published && state.msid === streamId) return stream;
  const [only] = connection.streams.keys();
  return ofStream && connection.streams.size === 1 ? only : undefined;
}

function refusalIn(status: StatusText): Refusal | undefined {
  const meaning = statusMeaning(status);
  return meaning === 'none' || meaning === 'accepted' ? undefined : meaning;
}
