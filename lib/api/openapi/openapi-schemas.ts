import { API_ERRORS } from '../../base/api-error.js';
import { CLOSE_REASONS } from '../../upstream/report/close-reason.js';
import { UPSTREAM_STATES } from '../../upstream/report/status.js';

/** The part of JSON Schema (draft 2020-12) that this API uses. */
export interface Schema {
  readonly $ref?: string;
  readonly type?: string | readonly string[];
  readonly description?: string;
  readonly minimum?: number;
  readonly enum?: readonly string[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: Schema;
  readonly items?: Schema;
  readonly oneOf?: readonly Schema[];
}

/** A reference to one of {@link schemas}. */
export function ref(name: string): Schema {
  return { $ref: `#/components/schemas/${name}` };
}

/** A map from ids to values. Ids come from senders and may be any text. */
export function byId(schema: Schema, description: string): Schema {
  return { type: 'object', additionalProperties: schema, description };
}

const text = (description: string): Schema => ({ type: 'string', description });
const count = (description: string): Schema => ({ type: 'integer', minimum: 0, description });

/** An object. All its properties are required, except for those of `optional`. */
function object(
  description: string,
  properties: Readonly<Record<string, Schema>>,
  optional: Readonly<Record<string, Schema>> = {},
): Schema {
  const required = Object.keys(properties);
  return { type: 'object', description, properties: { ...properties, ...optional }, required };
}

/** `schema` with properties that may be absent. */
function withOptional(schema: Schema, properties: Readonly<Record<string, Schema>>): Schema {
  return { ...schema, properties: { ...schema.properties, ...properties } };
}

const missingNodes: Readonly<Record<string, Schema>> = {
  missing_nodes: {
    type: 'array',
    items: { type: 'string' },
    description: 'nodes of the fleet that do not answer: theirs are missing here. Absent without a fleet',
  },
};

/**
 * The objects of lib/upstream/report/status.ts (docs/protocol/behaviour.md, API objects), in the order from the outside
 * in.
 */
export const schemas: Readonly<Record<string, Schema>> = {
  Global: withOptional(
    object('The complete status', {
      version: text('version of kmp-rtmp'),
      nginx_version: text('the runtime, e.g. node/20.20.2; the name of the key is kept for tools that read it'),
      compiler: text('the TypeScript compiler of the build'),
      built: text('time of the build'),
      pid: count('process id'),
      uptime: count('seconds since the start'),
      upstreams: byId(ref('Upstream'), 'by upstream id'),
    }),
    {
      missing_workers: {
        type: 'array',
        items: count('number of a worker, from 0'),
        description:
          'workers that do not answer or are being replaced: upstreams lacks theirs. Absent with one process',
      },
      ...missingNodes,
      node: text('name of the node of the fleet that answers; absent without a fleet'),
      nodes: byId(ref('Node'), 'the nodes of the fleet, by name; absent without a fleet'),
      missing_workers_of: byId(
        { type: 'array', items: count('number of a worker, from 0') },
        'workers of other nodes that do not answer, by the name of the node; absent if there are none',
      ),
    },
  ),
  Node: object('A node of the fleet', {
    version: text('version of kmp-rtmp'),
    kmp: text('host and port of its KMP server'),
    http: text('host and port of its HTTP server'),
    draining: { type: 'boolean', description: 'true if it gets no new upstreams' },
    missing: { type: ['string', 'null'], description: 'why it does not answer; null: it answers' },
    upstreams: { type: ['integer', 'null'], minimum: 0, description: 'number of its upstreams; null: not known' },
    uptime: { type: ['integer', 'null'], minimum: 0, description: 'seconds since its start; null: not known' },
    missing_workers: {
      type: 'array',
      items: count('number of a worker, from 0'),
      description: 'its workers that do not answer',
    },
  }),
  Upstream: withOptional(
    object('An RTMP connection to an upstream server', {
      url: text('URL of the upstream, from the sender'),
      header: text('bytes sent before the handshake, from the sender'),
      opaque: text('arbitrary data of the sender'),
      remote_addr: text('address and port of the server; empty if not connected'),
      local_addr: text('local address and port; empty if not connected'),
      connection: count('number of the connection, unique in the service'),
      mem_limit: count('maximum number of bytes that the upstream may hold'),
      mem_left: { type: 'integer', description: 'free bytes of mem_limit' },
      written_bytes: count('bytes written to the output queue, handshake included'),
      sent_bytes: count('bytes that the kernel has taken'),
      received_bytes: count('bytes received from the server, handshake included'),
      streams: byId(ref('Stream'), 'by stream name, which may be a stream key'),
      state: {
        type: 'string',
        enum: UPSTREAM_STATES,
        description:
          'state of the upstream; waiting: its destination has failed lately, and it waits for its turn to connect; ' +
          'degraded: it publishes, but its server is too far behind or takes far less than comes in, or frames are dropped; ' +
          'disabled: an operator has disabled it; ' +
          'input_lost: it is published, but the media of all its tracks is missing; ' +
          'input_stalled: it is published, but a sender that is connected sends no frames',
      },
      degraded: {
        oneOf: [ref('Degraded'), { type: 'null' }],
        description: 'why the upstream is degraded; null if it is not',
      },
      input_stalled: {
        type: ['integer', 'null'],
        minimum: 0,
        description: 'seconds for which a connected sender has sent no frames; null unless the state is input_stalled',
      },
      last_status: { oneOf: [ref('LastStatus'), { type: 'null' }], description: 'last status message of the server' },
      acked_bytes: count('bytes of sent_bytes that the server has acknowledged; 0 if it sends no acknowledgements'),
      lag_ms: count('the largest lag_ms of its tracks'),
      outage: {
        oneOf: [ref('Outage'), { type: 'null' }],
        description: 'the time without a server; null while it publishes, and before the first attempt has failed',
      },
      reconnects: count('number of reconnects'),
      destination: count('the destination that is in use, or tried: 0 is that of url, n the n-th backup'),
      destinations: count('number of destinations: 1, and the backups'),
      destination_url: text('URL of that destination, without user and password'),
      elsewhere: {
        oneOf: [ref('Elsewhere'), { type: 'null' }],
        description: 'where an operator has sent the upstream, instead of to url; null: nowhere else',
      },
      failovers: count('how often another destination was taken into use'),
      uptime: count('seconds since the upstream was created'),
      last_error: {
        oneOf: [ref('LastError'), { type: 'null' }],
        description: 'why the connection last broke or failed; null if it never did',
      },
      last_error_at: { type: ['string', 'null'], description: 'when that was (ISO 8601, UTC)' },
      last_error_layer: {
        type: ['string', 'null'],
        description: 'where that was: dns, tcp, tls or rtmp; null: not between this service and the server',
      },
      last_error_advice: text('what to do about it; empty if nothing has to be done'),
      next_attempt: {
        type: ['integer', 'null'],
        minimum: 0,
        description:
          'seconds until the next attempt at the destination; 0 while another upstream makes one; ' +
          'null if it waits for none',
      },
      next_attempt_at: {
        type: ['string', 'null'],
        description: 'the same as a time (ISO 8601, UTC)',
      },
    }),
    {
      node: text('name of the node of the fleet that has it; absent without a fleet'),
      also_on: {
        type: 'array',
        items: { type: 'string' },
        description: 'other nodes that have an upstream with this id at this moment; absent if there are none',
      },
    },
  ),
  ClosedUpstream: withOptional(
    object('An upstream that has ended; failures of the same id in a row are one record', {
      id: count('number of the record; later ones have higher numbers'),
      upstream_id: text('id of the upstream'),
      url: text('URL of the upstream, masked'),
      reason: { type: 'string', enum: CLOSE_REASONS, description: 'close reason' },
      message: text('what happened, for people'),
      advice: text('what to do about it; empty if nothing needs to be done'),
      layer: {
        type: ['string', 'null'],
        description: 'where it failed: dns, tcp, tls or rtmp; null: not between this service and the server',
      },
      failed: { type: 'boolean', description: 'false if it ended in order (done, api_delete, shutdown, fleet_moved)' },
      last_status: { oneOf: [ref('LastStatus'), { type: 'null' }], description: 'last status message of the server' },
      started_at: text('when the first of them began (ISO 8601, UTC)'),
      since: text('since when it has failed: the first failure that it did not recover from; or when it began'),
      closed_at: text('when the last of them ended'),
      attempts: count('how often a connection was tried'),
      count: count('how many upstreams ended so, one after the other'),
      connection: count('number of the connection of the last one'),
      lost: object('Frames that were lost here', {
        dropped_frames: count('dropped, for the reasons of dropped_frames of a track'),
        unacked_frames: count('received, but not known to have left; senders may send them again'),
      }),
      live_again_at: {
        type: ['string', 'null'],
        description: 'when an upstream of this id was published again after that; null: not yet',
      },
    }),
    {
      node: text(
        'name of the node of the fleet that had it: numbers of records are those of the node; absent without a fleet',
      ),
    },
  ),
  LastError: object('Why an upstream reconnects', {
    reason: text('the close reason that the upstream would have ended with'),
    message: text('what happened, for people'),
    age: count('seconds since then'),
  }),
  Outage: object('The time in which an upstream has no server', {
    since: text('time of the first failure since it was last published (ISO 8601, UTC)'),
    attempts: count('attempts to connect, with the one whose connection broke'),
  }),
  Degraded: object('Why viewers get less than they should, or later', {
    reason: text(
      'lag: the server is further behind than kmp_rtmp_out_max_lag; frames_dropped: frames are dropped because ' +
        'the server is too slow; ' +
        'slow_output: for ten seconds, the server has taken less than half of what comes in',
    ),
    message: text('for people'),
    age: count('seconds since it began'),
    dropped_frames: count('frames dropped since then, because the server is too slow'),
  }),
  LastStatus: object('An onStatus, _error or close message', {
    level: text('status, warning or error'),
    code: text('e.g. NetStream.Publish.Start'),
    description: text('text of the server'),
  }),
  Stream: object('An RTMP message stream', {
    id: count('RTMP message stream id'),
    uptime: count('seconds since the stream was created'),
    tracks: {
      type: 'object',
      description: 'by media type; absent if there is no track of the type',
      properties: { video: ref('Track'), audio: ref('Track') },
    },
  }),
  Track: object('One rendition of video or audio', {
    pending_frames: count('frames that wait in the queue'),
    mem_used: count('bytes held by the pending frames'),
    input: { oneOf: [ref('Input'), { type: 'null' }], description: 'the KMP connection; null if there is none' },
    codec: text('e.g. H.264'),
    media: ref('Media'),
    sent_frames: count('frames written to the upstream'),
    sent_data_bytes: count('payload bytes of those frames'),
    resent_frames: count('frames written again after a reconnect'),
    dropped_frames: count(
      'frames dropped: the server was too slow, they came before the key frame with which a connection begins, ' +
        'or a slate had replaced them',
    ),
    slate_frames: count('frames of the slate that were written; they are not among sent_frames'),
    slate: { type: 'boolean', description: 'true while the slate fills the track' },
    delay: { type: 'number', minimum: 0, description: 'time that the last written frame spent in the service, in ms' },
    input_lost: {
      type: ['integer', 'null'],
      minimum: 0,
      description:
        'seconds for which its media has been missing while the track waits for it; null if it is not missing',
    },
    lag_ms: count('age of the oldest frame that the server has not taken yet, in ms; 0 if there is none'),
  }),
  Media: object(
    'What a track carries, by its media info; 0: the sender does not say',
    { bitrate: count('bit/s') },
    {
      width: count('video: pixels'),
      height: count('video: pixels'),
      frame_rate: { type: 'number', description: 'video: frames per second' },
      key_frame_interval: {
        type: ['integer', 'null'],
        minimum: 0,
        description: 'video: milliseconds from one key frame to the next; null before the second',
      },
      channels: count('audio: number of channels'),
      sample_rate: count('audio: samples per second'),
    },
  ),
  Input: object('A KMP connection', {
    connection: count('number of the connection, unique in the service; the id in DELETE .../tracks/{connection}'),
    remote_addr: text('address and port of the sender'),
    channel_id: text('channel id of the sender'),
    track_id: text('track id of the sender'),
    uptime: count('seconds since the sender connected'),
    received_bytes: count('bytes received'),
    received_data_bytes: count('payload bytes of accepted frames'),
    received_frames: count('accepted frames'),
    received_key_frames: count('key frames among them'),
    last_created: { type: 'integer', description: 'created of the last frame, in timescale units since 1970-01-01' },
    skipped_frames: object('Skipped frames, by reason', {
      duplicate: count('already received on an earlier connection'),
      empty: count('without data'),
      empty_duration: count('without duration'),
      no_media_info: count('before the media info'),
      no_key: count('before the first key frame'),
    }),
    latency: { oneOf: [ref('Latency'), { type: 'null' }], description: 'null before the first frame' },
  }),
  Latency: object('Clock of this service minus created, in timescale units', {
    min: { type: 'number', description: 'minimum' },
    max: { type: 'number', description: 'maximum' },
    avg: { type: 'number', description: 'mean' },
  }),
  Elsewhere: object('Where an operator has sent an upstream', {
    url: text('URL of the primary destination there, without user and password'),
    backup_urls: { type: 'array', items: { type: 'string' }, description: 'URLs of its backups' },
    since: text('when that was ordered (ISO 8601, UTC)'),
  }),
  StandingOrder: object('An order of an operator that is in force until it is taken back', {
    order: count('number of the order, unique until the service restarts'),
    kind: {
      type: 'string',
      enum: ['disabled', 'elsewhere'],
      description: 'the upstreams do not publish, or publish elsewhere',
    },
    upstream_id: { type: ['string', 'null'], description: 'the upstream that it is about; null: it is about a route' },
    route: {
      type: ['string', 'null'],
      description: 'the server and app that it is about, masked; null: it is about an upstream',
    },
    url: { type: ['string', 'null'], description: 'where the upstreams are sent, masked; null: they are disabled' },
    backup_urls: { type: 'array', items: { type: 'string' }, description: 'the backups there, masked' },
    since: text('when it was given (ISO 8601, UTC)'),
    by: { type: ['string', 'null'], description: 'name of the token of the operator; null: the API requires none' },
  }),
  Destinations: {
    type: 'object',
    description: 'Where upstreams are sent',
    required: ['url'],
    properties: {
      url: text(
        '[rtmp://|rtmps://][user:password@]host[:port]/app/stream. Without a stream, each stream keeps its name',
      ),
      backup_urls: {
        type: 'array',
        items: { type: 'string' },
        description: 'at most 8 URLs, which are tried when the one before fails',
      },
    },
  },
  MultiRequest: {
    type: 'object',
    description: 'A request in the body of POST /multi',
    required: ['method', 'uri'],
    properties: {
      method: { type: 'string', enum: ['GET', 'DELETE', 'POST'], description: 'HTTP method' },
      uri: text('path below the API, with ?list=1 if needed; not percent-encoded, as in the module'),
      body: { description: 'the body of a POST that has one' },
    },
  },
  MultiResult: {
    type: 'object',
    description: 'The result of a request in POST /multi',
    required: ['code'],
    properties: {
      code: count('HTTP status of the request; 507 if the answers together exceed 64 MiB'),
      body: { description: 'JSON of the answer; absent for 204' },
      ...missingNodes,
    },
  },
  Concerned: withOptional(
    object('Upstreams that an order is about', { upstreams: count('number of present upstreams') }),
    missingNodes,
  ),
  Drain: object('How far a node is with giving its upstreams away', {
    draining: { type: 'boolean', description: 'true if the node gets no new upstreams' },
    moved: count('upstreams that have moved since the drain began'),
    left: count('upstreams that have not moved yet; 0 while it drains: it is done'),
  }),
  Error: object('What went wrong', {
    error: { type: 'string', enum: Object.keys(API_ERRORS), description: 'stable code, for programs' },
    message: text('for people'),
  }),
};
