import { parseAmf, type Amf, type ParsedMessage } from '../rtmp/rtmp-parse.js';
import { u32 } from './script-bytes.js';
import { authRefusal } from './script-auth.js';
import type { Script, Status } from './script.js';
import type { IngestConnection } from './script-connection.js';

/** Does what a server does about a command, by the script. */
export function answer(connection: IngestConnection, message: ParsedMessage): void {
  const [name, transaction, object, first] = parseAmf(message.payload);
  const number = typeof transaction === 'number' ? transaction : 0;
  if (connection.script.unanswered?.some((one) => one === name) === true) return;
  if (name === 'connect') connect(connection, number, isRecord(object) ? object : {});
  else if (name === 'createStream') createStream(connection, number);
  else if (name === 'publish') publish(connection, message.streamId, String(first));
}

function isRecord(value: Amf): value is { [key: string]: Amf } {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function info({ code, description, level = 'error', more = {} }: Status): { [key: string]: Amf } {
  return { level, code, description, ...more };
}

function refusalOf(connection: IngestConnection, object: { [key: string]: Amf }): Status | undefined {
  const { redirect, rejectConnect, auth } = connection.script;
  if (redirect !== undefined) {
    const more = { ex: { code: 302, redirect } };
    return { code: 'NetConnection.Connect.Rejected', description: 'moved', more };
  }
  const rejected = typeof rejectConnect === 'function' ? rejectConnect(connection.index, object) : rejectConnect;
  return rejected ?? (auth === undefined ? undefined : authRefusal(auth, String(object['app'])));
}

function connect(connection: IngestConnection, transaction: number, object: { [key: string]: Amf }): void {
  const { windowAckSize, peerBandwidth, chunkSize } = connection.script;
  if (windowAckSize !== undefined) connection.send({ type: 5, payload: u32(windowAckSize) });
  if (peerBandwidth !== undefined) {
    const payload = Buffer.concat([u32(peerBandwidth.window), Buffer.of(peerBandwidth.limitType)]);
    connection.send({ type: 6, payload });
  }
  if (chunkSize !== undefined) connection.setChunkSize(chunkSize);
  const refusal = refusalOf(connection, object);
  if (refusal === undefined) {
    const accepted = { level: 'status', code: 'NetConnection.Connect.Success', description: 'Connection succeeded.' };
    connection.sendCommand(0, '_result', transaction, { fmsVer: 'FMS/3,0,1,123', capabilities: 31 }, accepted);
    return;
  }
  connection.sendCommand(0, '_error', transaction, null, info(refusal));
  // A server that refuses hangs up; the answer goes out first.
  connection.end();
}

function streamId(ids: NonNullable<Script['streamIds']>, index: number): number {
  if (ids === 'one') return 1;
  if (ids === 'count') return index + 1;
  const list = ids === '1,3,4' ? [1, 3, 4] : ids;
  return list[Math.min(index, list.length - 1)] ?? 1;
}

function createStream(connection: IngestConnection, transaction: number): void {
  const { rejectCreateStream, streamIds = 'count' } = connection.script;
  if (rejectCreateStream !== undefined) {
    connection.sendCommand(0, '_error', transaction, null, info(rejectCreateStream));
    return;
  }
  connection.sendCommand(0, '_result', transaction, null, streamId(streamIds, connection.streams++));
}

function publish(connection: IngestConnection, streamId: number, name: string): void {
  const { rejectPublish } = connection.script;
  const attempt = connection.publishes++;
  const rejected = typeof rejectPublish === 'function' ? rejectPublish(attempt, name) : rejectPublish;
  if (rejected !== undefined) {
    connection.sendStatus(streamId, rejected.level ?? 'error', rejected.code, rejected.description, rejected.more);
    return;
  }
  connection.sendStatus(streamId, 'status', 'NetStream.Publish.Start', 'Start publishing');
}
