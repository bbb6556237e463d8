import { KmpRtmpError } from '../base/errors.js';

/** Longest name of an input that is looked at, in UTF-16 units. */
export const LONGEST_NAME = 256;

/** A callback about a track, as far as the routes need it. */
export interface TrackCallback {
  readonly event: 'publish' | 'republish';
  /** What the routes are asked for. */
  readonly name: string;
  readonly media: 'video' | 'audio';
  /** Of `republish`: the upstream whose connection is gone; undefined: the sender does not say. */
  readonly id: string | undefined;
}

/** A callback that only wants to be noted. */
export interface Notice {
  readonly event: 'connect' | 'unpublish';
  readonly name: string | undefined;
}

/** A body that is no callback. `message` says which field is wrong, and how. */
export class CallbackError extends KmpRtmpError {
  constructor(message: string) {
    super('bad_callback', message);
  }
}

/**
 * Reads a callback's body. The input's name is `rtmp.name`, for MPEG-TS inputs `mpegts.stream_id`, else `input_id` without the
 * media type that it ends with, so that video and audio of one input have one name.
 *
 * @throws CallbackError
 */
export function parseCallback(body: unknown): TrackCallback | Notice {
  const fields = object(body, 'the body');
  const event = text(fields, 'event_type');
  switch (event) {
    case 'connect':
    case 'unpublish':
      return { event, name: inputName(fields, undefined) };
    case 'publish':
    case 'republish': {
      const media = mediaType(fields);
      const name = inputName(fields, media);
      if (name === undefined) throw new CallbackError('neither "rtmp.name" nor "input_id" names the input');
      checkName(name);
      return { event, name, media, id: text(fields, 'id') };
    }
    case undefined:
      throw new CallbackError('"event_type" is missing; expected publish, unpublish, republish or connect');
    default:
      throw new CallbackError(`"event_type" is ${shown(event)}; expected publish, unpublish, republish or connect`);
  }
}

function checkName(name: string): void {
  if (name.length > LONGEST_NAME) {
    throw new CallbackError(`the name of the input has ${name.length} characters; at most ${LONGEST_NAME} are taken`);
  }
  // eslint-disable-next-line no-control-regex
  if (/[\u0000-\u001f\u007f]|\p{Surrogate}/u.test(name)) {
    throw new CallbackError('the name of the input has control characters, or half a character, in it');
  }
}

function inputName(fields: object, media: string | undefined): string | undefined {
  const rtmp = part(fields, 'rtmp');
  const mpegts = part(fields, 'mpegts');
  const given = (rtmp && text(rtmp, 'name', 'rtmp.')) ?? (mpegts && text(mpegts, 'stream_id', 'mpegts.'));
  if (given !== undefined && given !== '') return given;
  const id = text(fields, 'input_id');
  if (id === undefined || id === '') return undefined;
  return media !== undefined && id.endsWith(`/${media}`) ? id.slice(0, -media.length - 1) : id;
}

function mediaType(fields: object): 'video' | 'audio' {
  const info = part(fields, 'media_info');
  if (!info) throw new CallbackError('"media_info" is missing');
  const media = text(info, 'media_type', 'media_info.');
  if (media === 'video' || media === 'audio') return media;
  const given = media === undefined ? 'missing' : shown(media);
  throw new CallbackError(`"media_info.media_type" is ${given}; only video and audio can be published by RTMP`);
}

function part(fields: object, name: string): object | undefined {
  const value = own(fields, name);
  return value === undefined ? undefined : object(value, `"${name}"`);
}

function text(fields: object, name: string, prefix = ''): string | undefined {
  const value = own(fields, name);
  if (value === undefined || typeof value === 'string') return value;
  throw new CallbackError(`"${prefix}${name}" is ${typeName(value)}; expected a string`);
}

function object(value: unknown, what: string): object {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value;
  throw new CallbackError(`${what} is ${typeName(value)}; expected an object`);
}

/** Own properties only: `__proto__` in JSON has no say. */
function own(fields: object, name: string): unknown {
  return Object.hasOwn(fields, name) ? Reflect.get(fields, name) : undefined;
}

function typeName(value: unknown): string {
  if (value === null) return 'null';
  if (value === undefined) return 'missing';
  if (Array.isArray(value)) return 'an array';
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}

function shown(value: string): string {
  return JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}...` : value);
}
