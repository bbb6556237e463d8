import { messageOf } from '../../../base/errors.js';
import type { Logger } from '../../../base/logger.js';
import { PublishError } from '../../../rtmp/publish-error.js';
import type { ServerEvent, StatusText } from '../../../rtmp/server-event.js';
import { failureIn, refusalIn, replyOf, type Refusal, type ServerReply } from '../../../rtmp/server-reply.js';
import type { LastStatus } from '../../report/status.js';
import type { TrackStream } from '../../tracks/track.js';
import { LimitedLog } from './limited-log.js';
import type { RtmpConnection } from '../rtmp-connection.js';
import type { ServerRoute } from './server-route.js';

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

/** Levels that say nothing about a stream, even if its key is the same word. Servers may send any text as level. */
const LEVELS: ReadonlySet<string> = new Set(['status', 'warning', 'error']);

/**
 * Acts on a server's answers: ids, refusals, logins, redirects. See docs/protocol/servers.md, Waiting for answers.
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
        this.record(failureIn(event));
        break;
      case 'error':
        this.record(event);
        break;
      case 'status':
        this.record(event);
        if (refusalIn(event) === undefined) this.log.write('info', () => `server: ${this.text(event)}`);
        break;
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
        return;
    }
    const reply = replyOf(event, connection);
    if (reply !== undefined) this.act(connection, reply);
  }

  private act(connection: RtmpConnection, reply: ServerReply<TrackStream>): void {
    switch (reply.kind) {
      case 'accepted':
        this.target.accepted(connection);
        return;
      case 'created':
        this.created(connection, reply.stream, reply.id);
        return;
      case 'idTaken':
        this.target.idTaken(connection, reply.stream);
        return;
      case 'badId':
        this.target.rejected('final', new PublishError('stream_id', reply.problem));
        return;
      case 'confirmed':
        this.confirmed(connection, reply.stream);
        return;
      case 'streamRefused': {
        const error = this.error('publish_rejected', reply.status);
        this.target.streamRejected(connection, reply.stream, reply.refusal, error);
        return;
      }
      case 'refused':
        if (reply.answersConnect && this.logIn(reply.status.description)) return;
        this.target.rejected(reply.refusal, this.error(reply.stage, reply.status));
    }
  }

  private created(connection: RtmpConnection, stream: TrackStream, id: number): void {
    const state = connection.streams.get(stream);
    if (state === undefined) return;
    if (!connection.encoder.charged('create_stream_failed', () => connection.writer.publish(state, id))) return;
    connection.merger.flush();
    this.target.published(connection, stream);
  }

  private confirmed(connection: RtmpConnection, stream: TrackStream): void {
    const state = connection.streams.get(stream);
    if (state === undefined || state.live) return;
    state.live = true;
    this.target.live(connection, stream);
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

  private record(status: StatusText | undefined): void {
    if (status === undefined) return;
    const { level, code, description } = status;
    const { observer } = this;
    observer.lastStatus({
      level: LEVELS.has(level) ? level : observer.mask(level),
      code: observer.mask(code),
      description: observer.mask(description),
    });
  }

  private text({ code, description }: StatusText): string {
    return this.observer.mask([code, description].filter((part) => part !== '').join(': '));
  }
}
