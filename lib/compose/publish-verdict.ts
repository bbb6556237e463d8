import { PublishError } from '../rtmp/publish-error.js';
import { asRecord } from '../rtmp/amf0/amf0-reader.js';
import { ServerReader, statusText, type ServerEvent, type StatusText } from '../rtmp/server-reader.js';
import { statusMeaning } from '../rtmp/status-meaning.js';

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

/** Reads what the server sends and finds its answer to the publish (docs/protocol/servers.md, RTMP servers). */
export class PublishVerdict {
  state: VerdictState = 'silent';
  private readonly reader = new ServerReader();

  /** Takes the next bytes; returns the refusal if they hold one. */
  feed(bytes: Buffer): PublishError | undefined {
    if (this.state === 'refused') return undefined;
    if (this.state === 'silent') this.state = 'pending';
    for (const event of this.reader.feed(bytes)) {
      const refusal = refusalOf(event, CONNECT);
      if (refusal !== undefined) {
        this.state = 'refused';
        return refusal;
      }
      if (event.kind === 'status' && event.code === 'NetStream.Publish.Start') this.state = 'published';
    }
    return undefined;
  }
}

/**
 * The error that a server's event stands for; undefined if it is no refusal.
 *
 * @param connectTransaction transaction id of the connect command
 */
export function refusalOf(event: ServerEvent, connectTransaction: number): PublishError | undefined {
  if (event.kind === 'broken') {
    return new PublishError('recv', `what the server sends is not RTMP: ${event.error.message}`);
  }
  if (event.kind === 'redirect') return new PublishError('connect_rejected', 'the server redirects; see publishTo');
  if (event.kind === 'error') {
    // The server may not know releaseStream and FCPublish: nothing depends on those.
    return event.transaction === connectTransaction ? refused('connect_rejected', event) : undefined;
  }
  if (event.kind === 'result' && event.transaction === connectTransaction) {
    const record = asRecord(event.info);
    const status = record === undefined ? undefined : statusText(record);
    return status !== undefined && isRefusal(status) ? refused('connect_rejected', status) : undefined;
  }
  return event.kind === 'status' && isRefusal(event) ? refused('publish_rejected', event) : undefined;
}

/** The service decides by the same table (docs/protocol/servers.md, Refusals); there is no second try here. */
function isRefusal(status: StatusText): boolean {
  const meaning = statusMeaning(status);
  return meaning !== 'none' && meaning !== 'accepted';
}

function refused(stage: 'connect_rejected' | 'publish_rejected', { code, description }: StatusText): PublishError {
  return new PublishError(stage, `the server says: ${code} ${description}`);
}
