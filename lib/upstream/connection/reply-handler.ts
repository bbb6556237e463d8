import { messageOf } from '../../base/errors.js';
import type { Logger } from '../../base/logger.js';
import { authAnswer } from '../../rtmp/auth.js';
import { Budget } from '../../rtmp/budget.js';
import { PublishError } from '../../rtmp/publish-error.js';
import type { ServerEvent, StatusText } from '../../rtmp/server-event.js';
import { withAuth, withTcUrl, type Destination } from './destination.js';
import type { Line } from './rtmp-connection.js';
import type { LastStatus } from '../report/status.js';
import type { UpstreamStream } from '../tracks/stream.js';

/** A server may send us elsewhere this often in a row. */
const MAX_REDIRECTS = 5;
/** Lines of the log that a server may fill by what it says, at once and in each second after that. */
const LINES = { burst: 50, perSecond: 1 };

/** What the answers of a server do: to a link, or to the connection that is to take over. */
export interface ReplyTarget {
  /** The server has accepted connect. */
  accepted(line: Line): void;
  /** The stream is published, by the id that the server gave it. */
  published(line: Line, stream: UpstreamStream): void;
  /** The server gave the stream the id of another one: it needs a connection of its own. */
  idTaken(line: Line, stream: UpstreamStream): void;
  /** Connects once more at once: elsewhere, or as somebody. */
  again(destination: Destination): void;
  /** The server says no, and asking again will not mend it. */
  rejected(error: PublishError): void;
  /** The server refuses one stream. */
  streamRejected(line: Line, stream: UpstreamStream, code: string, error: PublishError): void;
  /** The connection is of no more use. */
  lineBroken(line: Line, error: Error): void;
  /** The server asks to reconnect: to `tcUrl`, whole or relative, or to where we are. */
  prepareNext(tcUrl: string | undefined): void;
}

/** Who wants to know what the server says. */
export interface ReplyOwner {
  readonly log: Logger;
  lastStatus(status: LastStatus): void;
  /** `text` without stream keys, user names and passwords, which servers like to repeat. */
  mask(text: string): string;
}

/**
 * Decides what a server's answers mean: ids, refusals, logins, redirects (spec/ingest-services.md). The target does what is
 * decided.
 */
export class Replies {
  /** Where the connection goes, redirects followed, without what a login adds. */
  here: Destination;
  private redirects = 0;
  private authRound: 0 | 1 | 2 = 0;
  private readonly lines: Budget;
  /** Lines that were too many. */
  private unsaid = 0;

  /**
   * @param origin where every series of connections begins
   * @param assume stream ids are assumed, not asked for
   * @param now monotonic ms
   */
  constructor(
    private readonly target: ReplyTarget,
    private readonly owner: ReplyOwner,
    private readonly origin: Destination,
    private readonly assume: boolean,
    now: () => number,
  ) {
    this.here = origin;
    this.lines = new Budget(LINES.burst, LINES.perSecond, now);
  }

  /** A new series of connections begins: at the origin, with logins and redirects counted anew. */
  reset(): void {
    this.here = this.origin;
    this.redirects = 0;
    this.authRound = 0;
  }

  /** Goes on where `other` has come to. */
  continue(other: Replies): void {
    this.here = other.here;
    this.redirects = other.redirects;
    this.authRound = other.authRound;
  }

  handle(line: Line, event: ServerEvent): void {
    switch (event.kind) {
      case 'result':
        this.result(line, event.transaction, event.info);
        return;
      case 'error':
        this.note(event);
        this.refused(line, event.transaction, event);
        return;
      case 'status':
        this.note(event);
        if (event.level === 'error') this.statusError(line, event.streamId, event);
        else this.say('info', () => `server: ${this.text(event)}`);
        return;
      case 'redirect':
        this.note(event);
        this.redirect(event.url);
        return;
      case 'reconnectRequest':
        this.note({
          level: 'status',
          code: 'NetConnection.Connect.ReconnectRequest',
          description: event.description ?? '',
        });
        this.target.prepareNext(event.tcUrl);
        return;
      case 'broken':
        this.target.lineBroken(
          line,
          new PublishError('recv', `what the server sends is not RTMP: ${messageOf(event.error)}`),
        );
        return;
      case 'unreadable':
        this.say('warn', () => `a message of the server was passed over: ${messageOf(event.error)}`);
        return;
      default:
    }
  }

  /** Writes a line that the server is the cause of, unless there were many. */
  private say(level: 'info' | 'warn', line: () => string): void {
    if (!this.lines.take()) {
      this.unsaid++;
      return;
    }
    const more = this.unsaid === 0 ? '' : ` (${this.unsaid} lines before this one were left out)`;
    this.unsaid = 0;
    this.owner.log[level](line() + more);
  }

  private result(line: Line, transaction: number, info: unknown): void {
    if (transaction === line.connectTransaction) {
      this.target.accepted(line);
      return;
    }
    for (const [stream, state] of line.states) {
      if (state.createTransaction !== transaction) continue;
      this.streamId(line, stream, typeof info === 'number' ? info : NaN);
      return;
    }
  }

  private streamId(line: Line, stream: UpstreamStream, id: number): void {
    const state = line.states.get(stream);
    if (state === undefined) return;
    if (this.assume) {
      if (id === state.msid) return;
      const hint = 'set "kmp_rtmp_out_stream_id negotiate" to use the ids that the server gives';
      const problem = `the server gave stream id ${id} where ${state.msid} was assumed`;
      this.target.rejected(new PublishError('stream_id', `${problem}; ${hint}`));
      return;
    }
    if (state.published) return;
    if (!Number.isInteger(id) || id < 0 || id > 0xffffffff) {
      this.target.rejected(new PublishError('stream_id', `the server gave a stream id that is none (${id})`));
      return;
    }
    for (const other of line.states.values()) {
      if (other.published && other.msid === id) {
        this.target.idTaken(line, stream);
        return;
      }
    }
    if (!line.sink.charged('create_stream_failed', () => line.session.publish(state, id))) return;
    this.target.published(line, stream);
    line.merger.flush();
  }

  private refused(line: Line, transaction: number, status: StatusText): void {
    if (transaction === line.connectTransaction) {
      if (!this.logIn(status.description)) this.rejected('connect_rejected', status);
      return;
    }
    for (const [stream, state] of line.states) {
      if (state.createTransaction === transaction) this.streamRefused(line, stream, status);
    }
  }

  private statusError(line: Line, streamId: number, status: StatusText): void {
    for (const [stream, state] of line.states) {
      if (state.published && state.msid === streamId) {
        this.streamRefused(line, stream, status);
        return;
      }
    }
    const ofStream = status.code.startsWith('NetStream.');
    const [only] = line.states.keys();
    if (ofStream && line.states.size === 1 && only !== undefined) this.streamRefused(line, only, status);
    else this.rejected(ofStream ? 'publish_rejected' : 'connect_rejected', status);
  }

  private streamRefused(line: Line, stream: UpstreamStream, status: StatusText): void {
    this.target.streamRejected(line, stream, status.code, this.error('publish_rejected', status));
  }

  private rejected(stage: 'connect_rejected' | 'publish_rejected', status: StatusText): void {
    this.target.rejected(this.error(stage, status));
  }

  private error(stage: 'connect_rejected' | 'publish_rejected', status: StatusText): PublishError {
    return new PublishError(stage, `the server says: ${this.text(status)}`);
  }

  /** Answers a request to log in by connecting once more; false if it was none, or there is nothing to answer. */
  private logIn(description: string): boolean {
    const { url, params } = this.here;
    const credentials = url.user === undefined ? undefined : { user: url.user, password: url.password ?? '' };
    const answer = authAnswer(description, credentials, params.app, { lastRound: this.authRound });
    if (answer === undefined) return false;
    if (answer.kind === 'rejected') {
      this.target.rejected(new PublishError('connect_rejected', answer.reason));
      return true;
    }
    this.authRound = answer.round;
    this.target.again(withAuth(this.here, answer.query));
    return true;
  }

  private redirect(url: string): void {
    this.redirects++;
    const there = this.redirects > MAX_REDIRECTS ? undefined : withTcUrl(this.here, url);
    if (there === undefined) {
      const why =
        this.redirects > MAX_REDIRECTS
          ? `more than ${MAX_REDIRECTS} times in a row`
          : 'to what is no RTMP url, or leaves TLS';
      this.target.rejected(new PublishError('connect_rejected', `the server redirects ${why}`));
      return;
    }
    this.owner.log.info(`redirected to ${there.target.host} port ${there.target.port}`);
    this.here = there;
    this.authRound = 0;
    this.target.again(there);
  }

  private note({ level, code, description }: StatusText): void {
    const { owner } = this;
    owner.lastStatus({ level, code, description: owner.mask(description) });
  }

  private text(status: StatusText): string {
    return [status.code, this.owner.mask(status.description)].filter((part) => part !== '').join(': ');
  }
}
