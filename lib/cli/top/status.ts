import { backupName } from '../../api/status/public/data/states.js';

/**
 * The answer of the API, as far as `top` needs it. Missing fields count as zero or empty: nginx-kmp-rtmp-module answers
 * in the same form with fewer fields.
 */
export interface ServiceSample {
  /** Monotonic ms of the request. */
  readonly at: number;
  readonly version: string;
  readonly pid: number;
  /** s */
  readonly uptime: number;
  readonly upstreams: ReadonlyMap<string, UpstreamSample>;
  /** What does not answer and why, such as `node n2: nothing listens at its HTTP address`; absent: all answer. */
  readonly missing?: readonly string[];
  /** Upstreams that have failed and are not published again, the last failure first. */
  readonly failed?: readonly FailedSample[];
  /** Why they are not known; undefined if they are, or if the service has no record of them. */
  readonly failedUnknown?: string;
}

/** How an upstream has failed. */
export interface FailedSample {
  readonly id: string;
  readonly reason: string;
  /** What happened, and what to do. */
  readonly why: string;
  /** ms since 1970; NaN: not known. */
  readonly since: number;
  readonly count: number;
  readonly droppedFrames: number;
  readonly node?: string;
}

export interface UpstreamSample {
  readonly state: string;
  /** The node of the fleet that has it; empty: there is no fleet. */
  readonly node?: string;
  /** What is wrong while it is published, and for how long; empty: nothing. */
  readonly degraded: string;
  /** The last status of the server. */
  readonly lastStatus: string;
  /** Which backup is in use: "backup 1 of 2"; empty: none. */
  readonly backup: string;
  /** Why the last connection broke or could not be made. */
  readonly lastError: string;
  /** s until the next attempt to connect; undefined: it waits for none. */
  readonly nextAttempt: number | undefined;
  /** bytes */
  readonly memLimit: number;
  readonly memLeft: number;
  readonly sentBytes: number;
  readonly reconnects: number;
  readonly tracks: readonly TrackSample[];
}

export interface TrackSample {
  readonly mediaType: string;
  readonly droppedFrames: number;
  /** ms; undefined if the API does not give it. */
  readonly delay: number | undefined;
  /** ms; 0 if the service does not show it */
  readonly lag: number;
  readonly input: InputSample | undefined;
}

export interface InputSample {
  readonly connection: number;
  /** s */
  readonly uptime: number;
  readonly receivedBytes: number;
  readonly receivedFrames: number;
}

type Fields = Readonly<Record<string, unknown>>;

function fieldsOf(value: unknown): Fields | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : undefined;
}

function number(fields: Fields, name: string): number {
  const value = Object.hasOwn(fields, name) ? fields[name] : undefined;
  return typeof value === 'number' && Number.isFinite(value) ? value : 0;
}

function text(fields: Fields, name: string): string {
  const value = Object.hasOwn(fields, name) ? fields[name] : undefined;
  return typeof value === 'string' ? value : '';
}

function entries(value: unknown): [string, Fields][] {
  return Object.entries(fieldsOf(value) ?? {}).flatMap(([key, part]) => {
    const fields = fieldsOf(part);
    return fields === undefined ? [] : [[key, fields]];
  });
}

/** Reads the JSON of `GET /`; undefined if it is not an answer of this API. */
export function readStatus(json: unknown, at: number): ServiceSample | undefined {
  const status = fieldsOf(json);
  if (status === undefined || fieldsOf(status['upstreams']) === undefined) return undefined;
  const upstreams = new Map(entries(status['upstreams']).map(([id, fields]) => [id, upstreamOf(fields)]));
  return {
    at,
    version: text(status, 'version'),
    pid: number(status, 'pid'),
    uptime: number(status, 'uptime'),
    upstreams,
    ...missingOf(status),
  };
}

/** The workers and the nodes that do not answer. */
function missingOf(status: Fields): Pick<ServiceSample, 'missing'> {
  const workers = (list: unknown, of: string): string[] =>
    (Array.isArray(list) ? list : []).map((one: unknown) => `worker ${String(one)}${of}`);
  const nodes = entries(status['nodes']);
  const missing = [
    ...nodes.flatMap(([name, node]) => {
      const reason = text(node, 'missing');
      return reason === '' ? [] : [`node ${name}: ${reason}`];
    }),
    ...workers(status['missing_workers'], ''),
    ...Object.entries(fieldsOf(status['missing_workers_of']) ?? {}).flatMap(([name, list]) =>
      workers(list, ` of node ${name}`),
    ),
  ];
  return missing.length === 0 ? {} : { missing };
}

/** Reads the JSON of `GET /closed`, of the last end of each upstream. Anything else has no failures. */
export function readFailed(json: unknown): FailedSample[] {
  const seen = new Set<string>();
  return (Array.isArray(json) ? json : []).flatMap((part: unknown) => {
    const fields = fieldsOf(part);
    const id = fields && text(fields, 'upstream_id');
    if (fields === undefined || id === undefined || seen.has(id)) return [];
    seen.add(id);
    if (fields['failed'] !== true || fields['live_again_at'] !== null) return [];
    const why = [joined(fields, 'reason', 'message'), text(fields, 'advice')].filter(Boolean).join('. ');
    return [
      {
        id,
        reason: text(fields, 'reason'),
        why,
        since: Date.parse(text(fields, 'since')),
        count: number(fields, 'count'),
        droppedFrames: number(fieldsOf(fields['lost']) ?? {}, 'dropped_frames'),
        ...nodeOf(fields),
      },
    ];
  });
}

function troubleOf(fields: Fields): string {
  const degraded = fieldsOf(fields['degraded']);
  switch (text(fields, 'state')) {
    case 'degraded':
      return degraded === undefined ? '' : `for ${number(degraded, 'age')} s: ${text(degraded, 'message')}`;
    case 'input_stalled':
      return `for ${number(fields, 'input_stalled')} s: a sender is connected but sends no frames`;
    case 'input_lost':
      return 'no media arrives; the stream stays published';
    default:
      return '';
  }
}

function nodeOf(fields: Fields): { readonly node?: string } {
  const node = text(fields, 'node');
  return node === '' ? {} : { node };
}

function upstreamOf(fields: Fields): UpstreamSample {
  const said = fieldsOf(fields['last_status']);
  const error = fieldsOf(fields['last_error']);
  return {
    state: text(fields, 'state'),
    ...nodeOf(fields),
    degraded: troubleOf(fields),
    lastStatus: joined(said, 'code', 'description'),
    backup: backupOf(fields),
    lastError: joined(error, 'reason', 'message'),
    nextAttempt: typeof fields['next_attempt'] === 'number' ? fields['next_attempt'] : undefined,
    memLimit: number(fields, 'mem_limit'),
    memLeft: number(fields, 'mem_left'),
    sentBytes: number(fields, 'sent_bytes'),
    reconnects: number(fields, 'reconnects'),
    tracks: entries(fields['streams']).flatMap(([, stream]) => entries(stream['tracks']).map(trackOf)),
  };
}

function backupOf(fields: Fields): string {
  const index = number(fields, 'destination');
  return index === 0 ? '' : backupName(index, number(fields, 'destinations') - 1);
}

function joined(fields: Fields | undefined, ...names: readonly string[]): string {
  if (fields === undefined) return '';
  return names
    .map((name) => text(fields, name))
    .filter(Boolean)
    .join(': ');
}

function trackOf([mediaType, fields]: [string, Fields]): TrackSample {
  const input = fieldsOf(fields['input']);
  return {
    mediaType,
    droppedFrames: number(fields, 'dropped_frames'),
    delay: typeof fields['delay'] === 'number' ? fields['delay'] : undefined,
    lag: typeof fields['lag_ms'] === 'number' ? fields['lag_ms'] : 0,
    input: input && {
      connection: number(input, 'connection'),
      uptime: number(input, 'uptime'),
      receivedBytes: number(input, 'received_bytes'),
      receivedFrames: number(input, 'received_frames'),
    },
  };
}
