import { asRecord } from './amf0/amf0-reader.js';
import type { ServerEvent, StatusText } from './server-event.js';
import { statusText } from './server-reader.js';
import type { StreamState } from './session-writer.js';
import { statusMeaning, type StatusMeaning } from './status-meaning.js';

/** Whether another attempt after a refusal can succeed; see docs/protocol/servers.md, Refusals. */
export type Refusal = Extract<StatusMeaning, 'final' | 'temporary' | 'doubtful'>;

/** What an answer of the server means for a publisher. `S` is the caller's key of a stream. */
export type ServerReply<S> =
  /** connect is accepted. */
  | { readonly kind: 'accepted' }
  /** The answer to createStream: publish can be sent with this id. */
  | { readonly kind: 'created'; readonly stream: S; readonly id: number }
  /** The id is that of another stream: the server supports one stream per connection. */
  | { readonly kind: 'idTaken'; readonly stream: S }
  /** The id cannot be used; `problem` says why. */
  | { readonly kind: 'badId'; readonly problem: string }
  /** The publish is confirmed. It may be confirmed more than once. */
  | { readonly kind: 'confirmed'; readonly stream: S }
  /** One stream is refused, or ended by the server. */
  | { readonly kind: 'streamRefused'; readonly stream: S; readonly refusal: Refusal; readonly status: StatusText }
  /** All streams are refused. `answersConnect`: it is the answer to connect, so it may be a request to log in. */
  | {
      readonly kind: 'refused';
      readonly stage: 'connect_rejected' | 'publish_rejected';
      readonly answersConnect: boolean;
      readonly refusal: Refusal;
      readonly status: StatusText;
    };

/** What a reply depends on: the commands that were sent on the connection. */
export interface SentCommands<S> {
  /** Transaction id of connect. */
  readonly connectTransaction: number;
  readonly streams: ReadonlyMap<S, StreamState>;
}

/**
 * Interprets an event of the server as the answer to a command, or as the end of a stream (docs/protocol/servers.md,
 * Waiting for answers). Returns undefined for all other events.
 */
export function replyOf<S>(event: ServerEvent, sent: SentCommands<S>): ServerReply<S> | undefined {
  switch (event.kind) {
    case 'result':
      return resultReply(event, sent);
    case 'error':
      // An `_error` refuses, whatever its code.
      return refusedReply(event.transaction, refusalIn(event) ?? 'doubtful', event, sent);
    case 'status':
      return statusReply(event, sent);
    default:
      return undefined;
  }
}

/** The failure that a `_result` reports, as some servers do; undefined if it reports none. */
export function failureIn({ object, info }: Extract<ServerEvent, { kind: 'result' }>): StatusText | undefined {
  const record = asRecord(info) ?? asRecord(object);
  const status = record === undefined ? undefined : statusText(record);
  return status !== undefined && refusalIn(status) !== undefined ? status : undefined;
}

/** The kind of refusal that a status is; undefined if it refuses nothing. */
export function refusalIn(status: StatusText): Refusal | undefined {
  const meaning = statusMeaning(status);
  return meaning === 'none' || meaning === 'accepted' ? undefined : meaning;
}

function resultReply<S>(
  event: Extract<ServerEvent, { kind: 'result' }>,
  sent: SentCommands<S>,
): ServerReply<S> | undefined {
  const { transaction, info } = event;
  const failure = failureIn(event);
  if (failure !== undefined) return refusedReply(transaction, refusalIn(failure) ?? 'doubtful', failure, sent);
  if (transaction === sent.connectTransaction) return { kind: 'accepted' };
  for (const [stream, state] of sent.streams) {
    if (state.createTransaction === transaction) {
      return createReply(stream, state, typeof info === 'number' ? info : NaN, sent);
    }
    if (state.published && state.publishTransaction === transaction) return { kind: 'confirmed', stream };
  }
  return undefined;
}

function createReply<S>(
  stream: S,
  state: StreamState,
  id: number,
  { streams }: SentCommands<S>,
): ServerReply<S> | undefined {
  if (state.published) {
    // The id was assumed.
    if (id === state.msid) return undefined;
    const hint = 'set "kmp_rtmp_out_stream_id negotiate" to use the ids that the server gives';
    return { kind: 'badId', problem: `the server gave stream id ${id} where ${state.msid} was assumed; ${hint}` };
  }
  if (!Number.isInteger(id) || id < 0 || id > 0xffffffff) {
    return { kind: 'badId', problem: `the server gave an invalid stream id (${id})` };
  }
  for (const other of streams.values()) if (other.published && other.msid === id) return { kind: 'idTaken', stream };
  return { kind: 'created', stream, id };
}

function refusedReply<S>(
  transaction: number,
  refusal: Refusal,
  status: StatusText,
  { connectTransaction, streams }: SentCommands<S>,
): ServerReply<S> | undefined {
  if (transaction === connectTransaction) {
    return { kind: 'refused', stage: 'connect_rejected', answersConnect: true, refusal, status };
  }
  for (const [stream, state] of streams) {
    // A server that cannot create a stream is busy or not ready yet, so a later attempt may succeed.
    if (state.createTransaction === transaction) return { kind: 'streamRefused', stream, refusal: 'temporary', status };
    if (state.published && state.publishTransaction === transaction) {
      return { kind: 'streamRefused', stream, refusal, status };
    }
  }
  return undefined;
}

/** An onStatus. */
function statusReply<S>(
  status: Extract<ServerEvent, { kind: 'status' }>,
  { streams }: SentCommands<S>,
): ServerReply<S> | undefined {
  const ofStream = status.code.startsWith('NetStream.');
  const stream = streamOf(streams, status.streamId, ofStream);
  const refusal = refusalIn(status);
  if (refusal === undefined) {
    const accepted = statusMeaning(status) === 'accepted' && ofStream;
    return accepted && stream !== undefined ? { kind: 'confirmed', stream } : undefined;
  }
  if (stream !== undefined) return { kind: 'streamRefused', stream, refusal, status };
  const stage = ofStream ? 'publish_rejected' : 'connect_rejected';
  return { kind: 'refused', stage, answersConnect: false, refusal, status };
}

/**
 * The stream that a status is about. Some servers send the status of a stream with a wrong id. If there is only one
 * stream, it is that one.
 */
function streamOf<S>(streams: ReadonlyMap<S, StreamState>, streamId: number, ofStream: boolean): S | undefined {
  for (const [stream, state] of streams) if (state.published && state.msid === streamId) return stream;
  const [only] = streams.keys();
  return ofStream && streams.size === 1 ? only : undefined;
}
