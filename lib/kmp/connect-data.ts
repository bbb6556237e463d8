import { KmpError } from './error.js';

/** The connect data of a KMP connection (docs/protocol/behaviour.md, Connect data). */
export interface ConnectData {
  /** Never empty. All tracks with the same id share one RTMP connection. */
  readonly upstreamId: string;
  /** `[rtmp://]host[:port]/app/stream`, never empty, not parsed yet. Contains the stream key: never log it. */
  readonly url: string;
  /** Sent first on the TCP connection to the RTMP server. */
  readonly header: string | undefined;
  /** Any text; it appears in the API and in notifications. */
  readonly opaque: string | undefined;
  /** RTMP app, instead of the one in `url`. */
  readonly app: string | undefined;
  /** Name of the stream, instead of the one in `url`. May contain the stream key. */
  readonly name: string | undefined;
  readonly flashVer: string | undefined;
  readonly swfUrl: string | undefined;
  readonly tcUrl: string | undefined;
  readonly pageUrl: string | undefined;
  /**
   * Destinations that are tried in this order when the one before fails; absent: none. At most
   * {@link MAX_BACKUP_URLS}, none of them empty, and not parsed yet. They contain stream keys, as `url` does.
   */
  readonly backupUrls?: readonly string[];
  /** The node of a fleet that the track was placed at; absent: the controller has not placed it. */
  readonly fleet?: FleetPlacement;
}

/** The node that a controller has placed an upstream at. */
export interface FleetPlacement {
  /** Name of the node, never empty. */
  readonly node: string;
  /** Grows each time the upstream gets another owner; 0: the controller could not ask the engine. At most 2^53 - 1. */
  readonly epoch: number;
}

/** The most backup URLs of an upstream. Further ones are ignored. */
export const MAX_BACKUP_URLS = 8;

// A leading byte order mark is dropped, although JSON does not allow it.
const utf8 = new TextDecoder('utf-8', { fatal: true });

/**
 * Called for each optional field that is ignored. `found` is for people: what was found in place of a string ("null",
 * "a number") or of an array.
 */
export type OnIgnoredField = (field: string, found: string) => void;

/**
 * Parses connect data (docs/protocol/kmp.md, Rules of the input, 2). Unknown fields are ignored, and so are optional
 * fields of a wrong type, as in the nginx module. Invalid UTF-8 is an error: with replaced bytes, the stream would
 * be published under another name.
 *
 * Errors never contain values, because URLs and names contain stream keys.
 *
 * @throws KmpError kmp_bad_connect_data; `field` is the name of the field, or `data` if the data is not a JSON object
 */
export function parseConnectData(data: Buffer, onIgnored: OnIgnoredField = () => {}): ConnectData {
  const fields = parseObject(data);
  const optional = (name: string): string | undefined => {
    const value = ownProperty(fields, name);
    if (value === undefined || typeof value === 'string') return value;
    onIgnored(name, typeName(value));
    return undefined;
  };
  return {
    upstreamId: required(fields, 'upstream_id'),
    url: required(fields, 'url'),
    header: optional('header'),
    opaque: optional('opaque'),
    app: optional('app'),
    name: optional('name'),
    flashVer: optional('flash_ver'),
    swfUrl: optional('swf_url'),
    tcUrl: optional('tc_url'),
    pageUrl: optional('page_url'),
    ...backupUrls(fields, onIgnored),
    ...fleetPlacement(fields, onIgnored),
  };
}

/** The fields `fleet_node` and `fleet_epoch`: both are needed. */
function fleetPlacement(fields: object, onIgnored: OnIgnoredField): Pick<ConnectData, 'fleet'> {
  const node = ownProperty(fields, 'fleet_node');
  const epoch = ownProperty(fields, 'fleet_epoch');
  if (node === undefined && epoch === undefined) return {};
  const hasNode = typeof node === 'string' && node !== '';
  const hasEpoch = typeof epoch === 'number' && Number.isSafeInteger(epoch) && epoch >= 0;
  if (hasNode && hasEpoch) return { fleet: { node, epoch } };
  if (!hasNode) onIgnored('fleet_node', node === '' ? 'empty' : typeName(node));
  if (!hasEpoch) onIgnored('fleet_epoch', typeof epoch === 'number' ? 'not a whole number from 0' : typeName(epoch));
  return {};
}

/** The field `backup_urls`: an array of URLs. */
function backupUrls(fields: object, onIgnored: OnIgnoredField): Pick<ConnectData, 'backupUrls'> {
  const name = 'backup_urls';
  const value = ownProperty(fields, name);
  if (value === undefined) return {};
  if (!Array.isArray(value)) {
    onIgnored(name, typeName(value));
    return {};
  }
  const list: readonly unknown[] = value;
  const urls: string[] = [];
  for (const [index, url] of list.entries()) {
    if (urls.length === MAX_BACKUP_URLS) {
      onIgnored(name, `more than ${MAX_BACKUP_URLS}`);
      break;
    }
    if (typeof url === 'string' && url !== '') urls.push(url);
    else onIgnored(`${name}[${index}]`, url === '' ? 'empty' : typeName(url));
    // An array of a million numbers must not cost a million lines.
    if (index >= 4 * MAX_BACKUP_URLS) break;
  }
  return urls.length === 0 ? {} : { backupUrls: urls };
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
    // The message of V8 quotes the text around the error, stream key included: only the position is used.
    const position = error instanceof Error ? /at position (\d+)/.exec(error.message)?.[1] : undefined;
    const where = position === undefined ? '' : `, from character ${position} on`;
    throw refused('data', data.length === 0 ? 'empty' : `${data.length} bytes that are not valid JSON${where}`);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw refused('data', typeName(value));
  return value;
}

/** Reads own properties only, so `__proto__` in the JSON, or a property of Object.prototype, has no effect. */
function ownProperty(fields: object, name: string): unknown {
  return Object.hasOwn(fields, name) ? Reflect.get(fields, name) : undefined;
}

function required(fields: object, name: string): string {
  const value = ownProperty(fields, name);
  if (value === undefined) throw refused(name, 'missing');
  if (typeof value !== 'string') throw refused(name, typeName(value));
  if (value === '') throw refused(name, 'empty');
  return value;
}

function typeName(value: unknown): string {
  if (value === null) return 'null';
  if (value === undefined) return 'missing';
  if (Array.isArray(value)) return 'an array';
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}

function refused(field: string, value: string): KmpError {
  const allowed =
    field === 'data'
      ? 'connect data must be a JSON object with "upstream_id" and "url"'
      : 'connect data needs a non-empty string here';
  return new KmpError('kmp_bad_connect_data', { field, value, packetType: 'cnct' }, allowed);
}
