import { PublishError } from '../rtmp/publish-error.js';
import type { ServerEvent } from '../rtmp/server-event.js';
import { ServerReader } from '../rtmp/server-reader.js';
import { replyOf, type SentCommands } from '../rtmp/server-reply.js';

/** Transaction id of connect, the first command of a session (docs/protocol/rtmp.md, Commands). */
const CONNECT = 1;

/** What is known of the server's answer to a publish. */
export type VerdictState =
  /** The server has sent nothing since the handshake. */
  | 'silent'
  /** The server has sent something, but has not answered the publish. */
  | 'pending'
  /** The server has said that the stream is published. */
  | 'published'
  /** The server has refused. */
  | 'refused';

/** Finds the server's answer to the publish. */
export interface Verdict {
  readonly state: VerdictState;
  /** Takes the next bytes of the server; returns the refusal if they hold one. */
  feed(bytes: Buffer): PublishError | undefined;
}

/**
 * The verdict for a publisher that does not know which commands were sent (docs/protocol/servers.md, Waiting for
 * answers).
 */
export class PublishVerdict implements Verdict {
  state: VerdictState = 'silent';
  private readonly reader = new ServerReader();

  feed(bytes: Buffer): PublishError | undefined {
    if (this.state === 'refused') return undefined;
    if (this.state === 'silent') this.state = 'pending';
    for (const event of this.reader.feed(bytes)) {
      const refusal = refusalOf(event, { connectTransaction: CONNECT, streams: new Map<never, never>() });
      if (refusal !== undefined) {
        this.state = 'refused';
        return refusal;
      }
      if (event.kind === 'status' && event.code === 'NetStream.Publish.Start') this.state = 'published';
    }
    return undefined;
  }
}

/** The error that a server's event stands for; undefined if it is no refusal. There is no second attempt here. */
export function refusalOf<S>(event: ServerEvent, sent: SentCommands<S>): PublishError | undefined {
  if (event.kind === 'broken') {
    return new PublishError('recv', `what the server sends is not RTMP: ${event.error.message}`);
  }
  if (event.kind === 'redirect') return new PublishError('connect_rejected', 'the server redirects; see publishTo');
  const reply = replyOf(event, sent);
  if (reply?.kind !== 'refused' && reply?.kind !== 'streamRefused') return undefined;
  const { code, description } = reply.status;
  const stage = reply.kind === 'refused' ? reply.stage : 'publish_rejected';
  return new PublishError(stage, `the server says: ${code} ${description}`);
}
