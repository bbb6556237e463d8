import { KmpRtmpError } from '../base/errors.js';

/** Maximum length of the name of an input, in UTF-16 units. */
export const MAX_NAME_LENGTH = 256;

/** The fields of a callback about a track that routing needs. */
export interface TrackCallback {
  readonly event: 'publish' | 'republish';
  /** Name of the input, which the routes are matched against. */
  readonly name: string;
  readonly media: 'video' | 'audio';
  /** For `republish`: the upstream whose connection broke; undefined: not given. */
  readonly id: string | undefined;
}

/** A callback that needs no routing: it is answered with "ok". */
export interface UnroutedCallback {
  readonly event: 'connect' | 'unpublish';
  readonly name: string | undefined;
}

/** The body is not a valid callback. `message` names the wrong field. */
export class CallbackError extends KmpRtmpError {
  constructor(message: string) {
    super('control_bad_callback', message);
  }
}

/**
 * Parses the body of a callback. The name of the input is `rtmp.name`, `mpegts.stream_id` for MPEG-TS inputs, or else
 * `input_id` without the media type at its end, so video and audio of one input have the same name.
 *
 * @throws CallbackError
 */
export function parseCallback(body: unknown): TrackCallback | UnroutedCallback {
  const fields = asObject(body, 'the body');
  const event = optionalString(fields, 'event_type');
  switch (event) {
    case 'connect':
    case 'unpublish':
      return { event, name: inputName(fields, undefined) };
    case 'publish':
    case 'republish': {
      const media = mediaType(fields);
      const name = inputName(fields, media);
      if (name === undefined)
        throw new CallbackError('the input has no name: neither "rtmp.name" nor "input_id" is given');
      checkName(name);
      return { event, name, media, id: optionalString(fields, 'id') };
    }
    case undefined:
      throw new CallbackError('"event_type" is missing; expected publish, unpublish, republish or connect');
    default:
      throw new CallbackError(`"event_type" is ${quoted(event)}; expected publish, unpublish, republish or connect`);
  }
}

function checkName(name: string): void {
  if (name.length > MAX_NAME_LENGTH) {
    throw new CallbackError(`the name of the input has ${name.length} characters; the maximum is ${MAX_NAME_LENGTH}`);
  }
  // eslint-disable-next-line no-control-regex
  if (/[\u0000-\u001f\u007f]|\p{Surrogate}/u.test(name)) {
    throw new CallbackError('the name of the input contains control characters or an incomplete surrogate pair');
  }
}

function inputName(fields: object, media: string | undefined): string | undefined {
  const rtmp = optionalObject(fields, 'rtmp');
  const mpegts = optionalObject(fields, 'mpegts');
  const given =
    (rtmp && optionalString(rtmp, 'name', 'rtmp.')) ?? (mpegts && optionalString(mpegts, 'stream_id', 'mpegts.'));
  if (given !== undefined && given !== '') return given;
  const id = optionalString(fields, 'input_id');
  if (id === undefined || id === '') return undefined;
  return media !== undefined && id.endsWith(`/${media}`) ? id.slice(0, -media.length - 1) : id;
}

function mediaType(fields: object): 'video' | 'audio' {
  const info = optionalObject(fields, 'media_info');
  if (!info) throw new CallbackError('"media_info" is missing');
  const media = optionalString(info, 'media_type', 'media_info.');
  if (media === 'video' || media === 'audio') return media;
  const given = media === undefined ? 'missing' : quoted(media);
  throw new CallbackError(`"media_info.media_type" is ${given}; only video and audio can be published over RTMP`);
}

function optionalObject(fields: object, name: string): object | undefined {
  const value = ownProperty(fields, name);
  return value === undefined ? undefined : asObject(value, `"${name}"`);
}

function optionalString(fields: object, name: string, prefix = ''): string | undefined {
  const value = ownProperty(fields, name);
  if (value === undefined || typeof value === 'string') return value;
  throw new CallbackError(`"${prefix}${name}" is ${typeName(value)}; expected a string`);
}

function asObject(value: unknown, what: string): object {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value;
  throw new CallbackError(`${what} is ${typeName(value)}; expected an object`);
}

/** Reads own properties only, so `__proto__` in JSON has no effect. */
function ownProperty(fields: object, name: string): unknown {
  return Object.hasOwn(fields, name) ? Reflect.get(fields, name) : undefined;
}

function typeName(value: unknown): string {
  if (value === null) return 'null';
  if (value === undefined) return 'missing';
  if (Array.isArray(value)) return 'an array';
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}

function quoted(value: string): string {
  return JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}...` : value);
}
