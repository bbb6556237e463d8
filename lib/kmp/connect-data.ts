import { KmpError } from './error.js';

/** The connect data of a KMP connection: which upstream its track belongs to (module.md, Connect Data JSON). */
export interface ConnectData {
  /** Never empty. All tracks of one id share one RTMP connection. */
  readonly upstreamId: string;
  /** `[rtmp://]host[:port]/app/stream`, never empty, not yet taken apart. Holds the stream key: not for logs. */
  readonly url: string;
  /** Sent first on the TCP connection to the RTMP server. */
  readonly header: string | undefined;
  /** Whatever the sender wants to find again in the API. */
  readonly opaque: string | undefined;
  /** In place of the app in `url`. */
  readonly app: string | undefined;
  /** The stream's name, in place of the one in `url`. May hold the stream key too. */
  readonly name: string | undefined;
  readonly flashVer: string | undefined;
  readonly swfUrl: string | undefined;
  readonly tcUrl: string | undefined;
  readonly pageUrl: string | undefined;
}

// Not BOM-keeping: a leading byte order mark is dropped, though JSON would not allow it.
const utf8 = new TextDecoder('utf-8', { fatal: true });

/**
 * Reads connect data (docs/protocol/kmp.md, Rules of the input, 2). Fields that are not known are ignored; `null` is a wrong type
 * like any other. Bytes that are no UTF-8 are an error: replaced, they would publish under another name than was asked.
 *
 * Values never appear in the errors, since urls and names hold stream keys.
 *
 * @throws KmpError KMP_BAD_CONNECT_DATA, whose `field` is the field's name, or `data` if it is no JSON object at all
 */
export function parseConnectData(data: Buffer): ConnectData {
  const fields = parseObject(data);
  return {
    upstreamId: required(fields, 'upstream_id'),
    url: required(fields, 'url'),
    header: optional(fields, 'header'),
    opaque: optional(fields, 'opaque'),
    app: optional(fields, 'app'),
    name: optional(fields, 'name'),
    flashVer: optional(fields, 'flash_ver'),
    swfUrl: optional(fields, 'swf_url'),
    tcUrl: optional(fields, 'tc_url'),
    pageUrl: optional(fields, 'page_url'),
  };
}

function parseObject(data: Buffer): object {
  let text: string;
  try {
    text = utf8.decode(data);
  } catch {
    throw refused('data', `${data.length} bytes that are not valid UTF-8`);
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    // V8's message quotes the text round the fault, stream key included: only the position is passed on.
    const position = error instanceof Error ? /at position (\d+)/.exec(error.message)?.[1] : undefined;
    const where = position === undefined ? '' : `, from character ${position} on`;
    throw refused('data', data.length === 0 ? 'empty' : `${data.length} bytes that are not valid JSON${where}`);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw refused('data', typeName(value));
  return value;
}

function optional(fields: object, name: string): string | undefined {
  // Own properties only: a `__proto__` in the JSON, or anything put on Object.prototype, has no say.
  if (!Object.hasOwn(fields, name)) return undefined;
  const value: unknown = Reflect.get(fields, name);
  if (typeof value !== 'string') throw refused(name, typeName(value));
  return value;
}

function required(fields: object, name: string): string {
  const value = optional(fields, name);
  if (value === undefined) throw refused(name, 'missing');
  if (value === '') throw refused(name, 'empty');
  return value;
}

function typeName(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'an array';
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}

function refused(field: string, value: string): KmpError {
  const allowed =
    field === 'data'
      ? 'connect data must be a JSON object with "upstream_id" and "url"'
      : `connect data needs a ${field === 'upstream_id' || field === 'url' ? 'non-empty ' : ''}string here`;
  return new KmpError('KMP_BAD_CONNECT_DATA', { field, value, packetType: 'cnct' }, allowed);
}
