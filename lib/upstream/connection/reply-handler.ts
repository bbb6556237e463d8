import { messageOf } from '../../base/errors.js';
import type { Logger } from '../../base/logger.js';
import { PublishError } from '../../rtmp/publish-error.js';
import type { ServerEvent, StatusText } from '../../rtmp/server-event.js';
import type { LastStatus } from '../report/status.js';
import type { TrackStream } from '../tracks/track.js';
import { LimitedLog } from './limited-log.js';
import type { RtmpConnection } from './rtmp-connection.js';
import type { ServerRoute } from './server-route.js';

/** What a server's answers lead to: on the current connection of a session, or on its replacement. */
export interface ReplyTarget {
  /** The server has accepted connect. */
  accepted(connection: RtmpConnection): void;
  /** The stream is published, by the id that the server gave it. */
  published(connection: RtmpConnection, stream: TrackStream): void;
  /** The server gave the stream the id of another one: it needs a connection of its own. */
  idTaken(connection: RtmpConnection, stream: TrackStream): void;
  /** Connects again at once, to the route's next destination. */
  connectAgain(): void;
  /** The server refuses, and asking again will not change that. */
  rejected(error: PublishError): void;
  /** The server refuses one stream. */
  streamRejected(connection: RtmpConnection, stream: TrackStream, code: string, error: PublishError): void;
  /** The connection is of no more use. */
  connectionBroken(connection: RtmpConnection, error: Error): void;
  /** The server asks to reconnect: to `tcUrl`, whole or relative, or to the present place. */
  reconnectRequested(tcUrl: string | undefined): void;
}

/** Who wants to know what the server says. */
export interface ReplyObserver {
  readonly log: Logger;
  lastStatus(status: LastStatus): void;
  /** `text` without stream keys, user names and passwords, which servers often repeat. */
  mask(text: string): string;
}

/** Decides what a server's answers mean: ids, refusals, logins, redirects (spec/ingest-services.md). */
export class ReplyHandler {
  private readonly log: LimitedLog;

  /**
   * @param route follows redirects and logins
   * @param assumeIds stream ids are assumed (`kmp_rtmp_out_stream_id assume`)
   * @param now monotonic ms
   */
  constructor(
    private readonly target: ReplyTarget,
    private readonly observer: ReplyObserver,
    private readonly route: ServerRoute,
    private readonly assumeIds: boolean,
    now: () => number,
  ) {
    this.log = new LimitedLog(() => observer.log, now);
  }

  handle(connection: RtmpConnection, event: ServerEvent): void {
    switch (event.kind) {
      case 'result':
        this.result(connection, event.transaction, event.info);
        return;
      case 'error':
        this.record(event);
        this.refused(connection, event.transaction, event);
        return;
      case 'status':
        this.record(event);
        if (event.level === 'error') this.statusError(connection, event.streamId, event);
        else this.log.write('info', () => `server: ${this.text(event)}`);
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

  private result(connection: RtmpConnection, transaction: number, info: unknown): void {
    if (transaction === connection.connectTransaction) {
      this.target.accepted(connection);
      return;
    }
    for (const [stream, state] of connection.streams) {
      if (state.createTransaction !== transaction) continue;
      this.streamId(connection, stream, typeof info === 'number' ? info : NaN);
      return;
    }
  }

  private streamId(connection: RtmpConnection, stream: TrackStream, id: number): void {
    const state = connection.streams.get(stream);
    if (state === undefined) return;
    if (this.assumeIds) {
      if (id === state.msid) return;
      const hint = 'set "kmp_rtmp_out_stream_id negotiate" to use the ids that the server gives';
      const problem = `the server gave stream id ${id} where ${state.msid} was assumed`;
      this.target.rejected(new PublishError('stream_id', `${problem}; ${hint}`));
      return;
    }
    if (state.published) return;
    if (!Number.isInteger(id) || id < 0 || id > 0xffffffff) {
      this.target.rejected(new PublishError('stream_id', `the server gave an invalid stream id (${id})`));
      return;
    }
    for (const other of connection.streams.values()) {
      if (other.published && other.msid === id) {
        this.target.idTaken(connection, stream);
        return;
      }
    }
    if (!connection.encoder.charged('create_stream_failed', () => connection.writer.publish(state, id))) return;
    this.target.published(connection, stream);
    connection.merger.flush();
  }

  private refused(connection: RtmpConnection, transaction: number, status: StatusText): void {
    if (transaction === connection.connectTransaction) {
      if (!this.logIn(status.description)) this.rejected('connect_rejected', status);
      return;
    }
    for (const [stream, state] of connection.streams) {
      if (state.createTransaction === transaction) this.streamRefused(connection, stream, status);
    }
  }

  private statusError(connection: RtmpConnection, streamId: number, status: StatusText): void {
    for (const [stream, state] of connection.streams) {
      if (state.published && state.msid === streamId) {
        this.streamRefused(connection, stream, status);
        return;
      }
    }
    const ofStream = status.code.startsWith('NetStream.');
    const [only] = connection.streams.keys();
    if (ofStream && connection.streams.size === 1 && only !== undefined) this.streamRefused(connection, only, status);
    else this.rejected(ofStream ? 'publish_rejected' : 'connect_rejected', status);
  }

  private streamRefused(connection: RtmpConnection, stream: TrackStream, status: StatusText): void {
    this.target.streamRejected(connection, stream, status.code, this.error('publish_rejected', status));
  }

  private rejected(stage: 'connect_rejected' | 'publish_rejected', status: StatusText): void {
    this.target.rejected(this.error(stage, status));
  }

  private error(stage: 'connect_rejected' | 'publish_rejected', status: StatusText): PublishError {
    return new PublishError(stage, `the server says: ${this.text(status)}`);
  }

  /** Answers a request to log in by connecting again; false if it is no such request, or there are no credentials. */
  private logIn(description: string): boolean {
    const answer = this.route.logIn(description);
    if (answer.kind === 'rejected') this.target.rejected(new PublishError('connect_rejected', answer.reason));
    else if (answer.kind === 'again') this.target.connectAgain();
    return answer.kind !== 'none';
  }

  private redirect(url: string): void {
    const problem = this.route.redirect(url);
    if (problem !== undefined) {
      this.target.rejected(new PublishError('connect_rejected', `the server redirects ${problem}`));
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
