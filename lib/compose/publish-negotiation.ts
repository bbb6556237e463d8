import type { MediaSettings } from '../config/settings.js';
import type { ControlOut } from '../rtmp/message/control.js';
import { protocolReply } from '../rtmp/protocol-reply.js';
import { PublishError } from '../rtmp/publish-error.js';
import type { ServerEvent } from '../rtmp/server-event.js';
import { ServerReader } from '../rtmp/server-reader.js';
import { replyOf } from '../rtmp/server-reply.js';
import type { SessionWriter, StreamState } from '../rtmp/session-writer.js';
import type { Clock, Timer } from '../time/clock.js';
import { refusalOf, type Verdict, type VerdictState } from './publish-verdict.js';

/** What the negotiation needs from its merger. */
export interface NegotiationOwner {
  /** Sends the commands that were written. */
  flush(): void;
  /** Metadata and media may follow on `stream`. Called once. */
  publishReady(stream: StreamState): void;
  /** The stream cannot be published. */
  publishFailed(error: PublishError): void;
  /** Answers a message of the RTMP protocol itself. */
  answer(reply: ControlOut): void;
}

export interface NegotiationOptions {
  readonly session: SessionWriter;
  readonly streamName: string;
  readonly connectTransaction: number;
  readonly settings: Pick<MediaSettings, 'outStreamId' | 'outAnswerTimeout' | 'outTimeout'>;
  readonly clock: Clock;
}

/**
 * The commands that publish the stream of a merger, and the answers that they wait for. The rules are those of the
 * service (docs/protocol/servers.md, Waiting for answers). Without a publisher that brings the answers, nothing is
 * waited for, and the server is assumed to give id 1.
 */
export class PublishNegotiation implements Verdict {
  state: VerdictState = 'silent';
  /** True once metadata and media may be written. */
  isReady = false;
  private isAttached = false;
  private hasBegun = false;
  private waitsForConnect = false;
  private timer: Timer | undefined;
  private readonly reader = new ServerReader();
  /**
   * The stream, with its state as it was when the last command was sent. Answers may arrive after the end of a short
   * stream, when the session has forgotten that it was published.
   */
  private readonly streams = new Map<StreamState, StreamState>();

  constructor(
    private readonly options: NegotiationOptions,
    private readonly owner: NegotiationOwner,
  ) {}

  /** A publisher brings the answers. It has no effect after the first bytes were sent. */
  attach(): void {
    if (!this.hasBegun) this.isAttached = true;
  }

  /**
   * The first bytes are about to be sent. Writes what follows connect, if no answer is waited for. Returns {@link
   * isReady}.
   */
  begin(): boolean {
    if (this.hasBegun) return this.isReady;
    this.hasBegun = true;
    const { outAnswerTimeout } = this.options.settings;
    if (!this.isAttached) this.assume();
    else if (outAnswerTimeout === 0) this.create(false);
    else this.waitsForConnect = true;
    return this.isReady;
  }

  /** The handshake is done: connect is sent. */
  connected(): void {
    this.owner.flush();
    const { outAnswerTimeout, outTimeout, outStreamId } = this.options.settings;
    if (!this.waitsForConnect) return;
    this.after(outAnswerTimeout, () => {
      // A server that has said nothing at all is one that never answers.
      if (outStreamId !== 'negotiate' && this.state === 'silent') this.createNow(false);
      else this.await('connect', Math.max(0, outTimeout - outAnswerTimeout));
    });
  }

  feed(bytes: Buffer): PublishError | undefined {
    if (this.state === 'refused') return undefined;
    if (this.state === 'silent') this.state = 'pending';
    for (const event of this.reader.feed(bytes)) {
      const reply = protocolReply(event);
      if (reply !== undefined) this.owner.answer(reply);
      const error = refusalOf(event, this.sent) ?? this.act(event);
      if (error === undefined) continue;
      this.fail(error);
      return error;
    }
    return undefined;
  }

  close(): void {
    this.timer?.cancel();
  }

  private get sent(): { connectTransaction: number; streams: ReadonlyMap<StreamState, StreamState> } {
    return { connectTransaction: this.options.connectTransaction, streams: this.streams };
  }

  private act(event: ServerEvent): PublishError | undefined {
    const reply = replyOf(event, this.sent);
    if (reply?.kind === 'accepted') {
      if (this.waitsForConnect) this.createNow(true);
    } else if (reply?.kind === 'created') {
      this.options.session.publish(reply.stream, reply.id);
      this.streams.set(reply.stream, { ...reply.stream });
      this.owner.flush();
      this.await('publish');
    } else if (reply?.kind === 'confirmed') {
      this.state = 'published';
      this.ready(reply.stream);
    } else if (reply?.kind === 'badId') {
      return new PublishError('stream_id', reply.problem);
    }
    return undefined;
  }

  private createNow(accepted: boolean): void {
    this.create(accepted);
    this.owner.flush();
  }

  /** @param accepted the server has accepted connect */
  private create(accepted: boolean): void {
    this.waitsForConnect = false;
    this.timer?.cancel();
    const { session, streamName, settings } = this.options;
    const { outStreamId } = settings;
    if (outStreamId === 'assume' || (outStreamId === 'auto' && !accepted)) {
      this.assume();
      return;
    }
    const stream = session.createStream(streamName, false);
    this.streams.set(stream, { ...stream });
    this.await('createStream');
  }

  private assume(): void {
    const { session, streamName } = this.options;
    const stream = session.createStream(streamName, true);
    this.streams.set(stream, { ...stream });
    this.ready(stream);
  }

  private ready(stream: StreamState): void {
    if (this.isReady) return;
    this.timer?.cancel();
    stream.live = true;
    this.isReady = true;
    this.owner.publishReady(stream);
  }

  /** @param ms default: `outTimeout` */
  private await(command: string, ms = this.options.settings.outTimeout): void {
    const { outTimeout } = this.options.settings;
    this.after(ms, () => this.fail(new PublishError('recv', `no answer to ${command} in ${outTimeout} ms`)));
  }

  private fail(error: PublishError): void {
    this.timer?.cancel();
    this.state = 'refused';
    this.owner.publishFailed(error);
  }

  private after(ms: number, then: () => void): void {
    this.timer?.cancel();
    this.timer = this.options.clock.after(ms, then, false);
  }
}
