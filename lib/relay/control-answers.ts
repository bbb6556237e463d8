import type { KmpTarget } from '../send/client-options.js';
import { ControlError, type MovedTarget, type PublishTargets, type UpstreamTarget } from './controller.js';

/** Longest channel id and track id, bytes (docs/protocol/kmp.md, Connect packet). */
const MAX_ID = 32;
/** Most upstreams of one track. */
const MAX_UPSTREAMS = 64;

type Fields = Readonly<Record<string, unknown>>;

/** The answer to `publish` (docs/control.md, Answers). @throws ControlError if it cannot be used */
export function readPublish(answer: unknown): PublishTargets {
  const fields = fieldsOf(answer, 'the answer');
  const channelId = id(fields, 'channel_id');
  const trackId = id(fields, 'track_id');
  const { upstreams } = fields;
  if (!Array.isArray(upstreams)) throw unusable('"upstreams" is not an array');
  if (upstreams.length > MAX_UPSTREAMS)
    throw unusable(`it names ${upstreams.length} upstreams; at most ${MAX_UPSTREAMS}`);
  return { channelId, trackId, upstreams: upstreams.map((one: unknown) => upstreamOf(fieldsOf(one, 'an upstream'))) };
}

/** The answer to `republish`. @throws ControlError if it cannot be used */
export function readRepublish(answer: unknown): MovedTarget {
  const fields = fieldsOf(answer, 'the answer');
  const { host, port, connectData } = target(fields);
  return fields['connect_data'] === undefined ? { host, port } : { host, port, connectData };
}

function upstreamOf(fields: Fields): UpstreamTarget {
  const { id: upstreamId = '', required = true } = fields;
  if (typeof upstreamId !== 'string') throw unusable('"id" of an upstream is not a string');
  if (typeof required !== 'boolean') throw unusable('"required" of an upstream is not true or false');
  return { ...target(fields), id: upstreamId, required };
}

function target({ url, connect_data: data = '' }: Fields): KmpTarget {
  const [, host, port] =
    typeof url === 'string' ? (/^(?:kmp:\/\/)?([\w.-]+|\[[\da-f:.]+\]):(\d{1,5})$/i.exec(url) ?? []) : [];
  if (host === undefined || Number(port) === 0 || Number(port) > 65_535)
    throw unusable(`"url" is ${JSON.stringify(url)?.slice(0, 80)}; expected kmp://HOST:PORT`);
  if (typeof data !== 'string') throw unusable('"connect_data" is not a string');
  return { host: host.replace(/[[\]]/g, ''), port: Number(port), connectData: Buffer.from(data, 'base64') };
}

function id(fields: Fields, name: string): string {
  const value = fields[name];
  if (typeof value !== 'string' || Buffer.byteLength(value) > MAX_ID)
    throw unusable(`"${name}" is not a string of at most ${MAX_ID} bytes`);
  return value;
}

function fieldsOf(value: unknown, what: string): Fields {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Fields;
  throw unusable(`${what} is not an object`);
}

function unusable(why: string): ControlError {
  return new ControlError('control_failed', `the answer of the controller cannot be used: ${why}`);
}
