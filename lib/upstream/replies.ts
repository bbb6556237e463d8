import { messageOf } from '../errors.js';
import { maskIn } from '../mask.js';
import { authAnswer } from '../rtmp/auth.js';
import { PublishError } from '../rtmp/publish-error.js';
import type { ServerEvent, StatusText } from '../rtmp/server-event.js';
import { STABLE_AFTER } from './backoff.js';
import { withAuth, withTcUrl } from './destination.js';
import type { Line } from './line.js';
import type { Link, LinkOwner } from './link.js';
import type { LastStatus } from './status.js';
import type { UpstreamStream } from './stream.js';

/** A server may send us elsewhere this often in a row. */
const MAX_REDIRECTS = 5;

/** What the answers of a server do to a link. */
export type ReplyTarget = Pick<
  Link,
  | 'isCurrent'
  | 'accepted'
  | 'activate'
  | 'removeStream'
  | 'lineBroken'
  | 'again'
  | 'prepareNext'
  | 'reconnects'
  | 'streams'
  | 'destination'
>;

/**
 * Decides what a server's answers mean for a link and its upstream: ids, refusals, logins, redirects
 * (spec/ingest-services.md). The link does what is decided.
 */
export class Replies {
  private redirects = 0;
  private authRound: 0 | 1 | 2 = 0;

  /**
   * @param assume stream ids are assumed, not asked for
   * @param now monotonic ms
   */
  constructor(
    private readonly link: ReplyTarget,
    private readonly owner: LinkOwner,
    private readonly assume: boolean,
    private readonly now: () => number,
  ) {}

  /** A new series of connections begins: logins and redirects are counted anew. */
  reset(): void {
    this.redirects = 0;
    this.authRound = 0;
  }

  handle(line: Line, event: ServerEvent): void {
    switch (event.kind) {
      case 'result':
        this.result(line, event.transaction, event.info);
        return;
      case 'error':
        this.owner.lastStatus(lastStatus(event));
        this.refused(line, event.transaction, event);
        return;
      case 'status':
        this.owner.lastStatus(lastStatus(event));
        if (event.level === 'error') this.statusError(line, event.streamId, event);
        else this.owner.log.info(`server: ${this.text(event)}`);
        return;
      case 'redirect':
        this.owner.lastStatus(lastStatus(event));
        this.redirect(line, event.url);
        return;
      case 'reconnectRequest':
        this.owner.lastStatus({
          level: 'status',
          code: 'NetConnection.Connect.ReconnectRequest',
          description: event.description ?? '',
        });
        if (this.link.isCurrent(line)) this.link.prepareNext(event.tcUrl);
        return;
      case 'broken':
        this.link.lineBroken(
          line,
          new PublishError('recv', `what the server sends is not RTMP: ${messageOf(event.error)}`),
        );
        return;
      case 'unreadable':
        this.owner.log.warn(`a message of the server was passed over: ${messageOf(event.error)}`);
        return;
      default:
    }
  }

  private result(line: Line, transaction: number, info: unknown): void {
    if (transaction === line.connectTransaction) {
      this.link.accepted(line);
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
    if (state === undefined || !Number.isInteger(id)) return;
    if (this.assume) {
      if (id === state.msid) return;
      this.owner.fail(
        'stream_id_mismatch',
        `the server gave stream id ${id} where ${state.msid} was assumed; ` +
          'set "kmp_rtmp_out_stream_id negotiate" to use the ids that the server gives',
      );
      return;
    }
    if (state.published) return;
    for (const other of line.states.values()) {
      if (other.published && other.msid === id) {
        this.link.removeStream(stream);
        line.merger.flush();
        this.owner.split(stream);
        return;
      }
    }
    line.sink.charged('create_stream_failed', () => line.session.publish(state, id));
    if (this.link.isCurrent(line)) this.link.activate(stream);
    line.merger.flush();
  }

  private refused(line: Line, transaction: number, status: StatusText): void {
    if (transaction === line.connectTransaction) {
      if (!this.logIn(line, status.description)) this.rejected(line, 'connect_rejected', status);
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
    const [only] = line.states.keys();
    if (status.code.startsWith('NetStream.') && line.states.size === 1 && only !== undefined) {
      this.streamRefused(line, only, status);
    } else {
      this.rejected(line, 'connect_rejected', status);
    }
  }

  private streamRefused(line: Line, stream: UpstreamStream, status: StatusText): void {
    // The server may still hold the session that broke just now (spec/ingest-services.md, BadName).
    const lingering = status.code === 'NetStream.Publish.BadName' && this.link.reconnects > 0;
    if (!this.link.isCurrent(line) || (lingering && this.now() - line.openedAt < STABLE_AFTER)) {
      this.link.lineBroken(line, new PublishError('publish_rejected', this.text(status)));
      return;
    }
    if (this.link.streams.size > 1) this.owner.streamRejected(stream, this.text(status));
    else this.rejected(line, 'publish_rejected', status);
  }

  private rejected(line: Line, stage: 'connect_rejected' | 'publish_rejected', status: StatusText): void {
    const error = new PublishError(stage, `the server says: ${this.text(status)}`);
    if (this.link.isCurrent(line)) this.owner.fail(stage, messageOf(error));
    else this.link.lineBroken(line, error);
  }

  /** Answers a request to log in by connecting once more; false if it was none, or there is nothing to answer. */
  private logIn(line: Line, description: string): boolean {
    if (!this.link.isCurrent(line)) return false;
    const { url, params } = this.link.destination;
    const credentials = url.user === undefined ? undefined : { user: url.user, password: url.password ?? '' };
    const answer = authAnswer(description, credentials, params.app, { lastRound: this.authRound });
    if (answer === undefined) return false;
    if (answer.kind === 'rejected') {
      this.owner.fail('connect_rejected', answer.reason);
      return true;
    }
    this.authRound = answer.round;
    this.link.again(withAuth(this.link.destination, answer.query));
    return true;
  }

  private redirect(line: Line, url: string): void {
    if (!this.link.isCurrent(line)) return;
    this.redirects++;
    const there = this.redirects > MAX_REDIRECTS ? undefined : withTcUrl(this.link.destination, url);
    if (there === undefined) {
      const why =
        this.redirects > MAX_REDIRECTS ? `more than ${MAX_REDIRECTS} in a row` : 'not a url that may be followed';
      this.owner.fail('connect_rejected', `the server redirects: ${why}`);
      return;
    }
    this.owner.log.info(`redirected to ${there.target.host} port ${there.target.port}`);
    this.link.again(there, true);
  }

  /** What the server says, for logs and reasons. Many quote the stream's name, which is the key. */
  private text({ code, description }: StatusText): string {
    const { url } = this.link.destination;
    const names = [url.stream, ...[...this.link.streams].map(({ name }) => name)];
    const secrets = [
      ...names,
      ...names.map((name) => name.replace(/[?#].*$/s, '')),
      url.user ?? '',
      url.password ?? '',
    ];
    return [code, maskIn(description, secrets)].filter((part) => part !== '').join(': ');
  }
}

function lastStatus({ level, code, description }: StatusText): LastStatus {
  return { level, code, description };
}
