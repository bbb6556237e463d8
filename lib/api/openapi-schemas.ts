/** A JSON Schema (draft 2020-12), as far as this API needs one. */
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

/** Values by id; ids come from senders, and may be any text. */
export function byId(schema: Schema, description: string): Schema {
  return { type: 'object', additionalProperties: schema, description };
}

const text = (description: string): Schema => ({ type: 'string', description });
const count = (description: string): Schema => ({ type: 'integer', minimum: 0, description });

/** An object all of whose properties are always there. */
function object(description: string, properties: Readonly<Record<string, Schema>>): Schema {
  return { type: 'object', description, properties, required: Object.keys(properties) };
}

/** The objects of lib/upstream/report/status.ts (docs/protocol/behaviour.md, API objects), in the order from the outside in. */
export const schemas: Readonly<Record<string, Schema>> = {
  Global: object('The whole status', {
    version: text('version of kmp-rtmp'),
    nginx_version: text('the runtime, e.g. node/20.20.2; the name of the key is kept for tools that read it'),
    compiler: text('the TypeScript compiler that this was built with'),
    built: text('time of the build'),
    pid: count('process id'),
    uptime: count('seconds since the start'),
    upstreams: byId(ref('Upstream'), 'by upstream id'),
  }),
  Upstream: object('An RTMP connection to an upstream server', {
    url: text('URL of the upstream, as given by the sender'),
    header: text('bytes sent ahead of the handshake, as given by the sender'),
    opaque: text('whatever the sender stored here'),
    remote_addr: text('address and port of the server; empty while not connected'),
    local_addr: text('own address and port; empty while not connected'),
    connection: count('number of the connection, unique in the service'),
    mem_limit: count('bytes that this upstream may hold'),
    mem_left: { type: 'integer', description: 'bytes left of mem_limit' },
    written_bytes: count('bytes written to the output queue, handshake included'),
    sent_bytes: count('bytes that the kernel has taken'),
    received_bytes: count('bytes received from the server, handshake included'),
    streams: byId(ref('Stream'), 'by stream name, which may be a stream key'),
    state: {
      type: 'string',
      enum: ['resolving', 'connecting', 'handshaking', 'publishing', 'reconnecting', 'closing'],
      description: 'where the upstream is in its life',
    },
    last_status: { oneOf: [ref('LastStatus'), { type: 'null' }], description: 'what the server last said' },
    acked_bytes: count('bytes that the server says it has read, of sent_bytes; 0 if it does not acknowledge'),
    reconnects: count('how often the connection was made anew'),
    uptime: count('seconds since the upstream was made'),
    last_error: {
      oneOf: [ref('LastError'), { type: 'null' }],
      description: 'why the connection last broke, or could not be made; null as long as neither happened',
    },
  }),
  LastError: object('What an upstream reconnects for', {
    reason: text('the close reason that it would have ended with'),
    message: text('what happened, for people'),
    age: count('seconds since then'),
  }),
  LastStatus: object('An onStatus, an _error or a close', {
    level: text('status, warning or error'),
    code: text('e.g. NetStream.Publish.Start'),
    description: text("the server's own words"),
  }),
  Stream: object('An RTMP message stream', {
    id: count('RTMP message stream id'),
    uptime: count('seconds since the stream was made'),
    tracks: {
      type: 'object',
      description: 'by media type; a type without a track is missing',
      properties: { video: ref('Track'), audio: ref('Track') },
    },
  }),
  Track: object('One rendition of video or audio', {
    pending_frames: count('frames that wait to be merged'),
    mem_used: count('bytes held by the pending frames'),
    input: { oneOf: [ref('Input'), { type: 'null' }], description: 'the KMP connection; null while there is none' },
    codec: text('e.g. H.264'),
    sent_frames: count('frames written to the upstream'),
    sent_data_bytes: count('payload bytes of those frames'),
    resent_frames: count('frames written once more after a break'),
    dropped_frames: count('frames dropped on purpose, because the server took too little'),
    delay: { type: 'number', minimum: 0, description: 'ms that the last written frame spent in the service' },
  }),
  Input: object('A KMP connection', {
    connection: count('number of the connection, unique in the service; what DELETE .../tracks/{connection} takes'),
    remote_addr: text('address and port of the sender'),
    channel_id: text("the sender's channel"),
    track_id: text("the sender's track"),
    uptime: count('seconds since it connected'),
    received_bytes: count('bytes received'),
    received_data_bytes: count('payload bytes of the frames that counted'),
    received_frames: count('frames that counted'),
    received_key_frames: count('key frames among them'),
    last_created: { type: 'integer', description: 'created of the last frame, in timescale units since 1970' },
    skipped_frames: object('Frames that did not count, by why', {
      duplicate: count('received before, on an earlier connection'),
      empty: count('without data'),
      empty_duration: count('without duration'),
      no_media_info: count('ahead of the media info'),
      no_key: count('ahead of the first key frame'),
    }),
    latency: { oneOf: [ref('Latency'), { type: 'null' }], description: 'null while nothing was counted' },
  }),
  Latency: object('Server clock less created, in timescale units', {
    min: { type: 'number', description: 'smallest' },
    max: { type: 'number', description: 'largest' },
    avg: { type: 'number', description: 'mean' },
  }),
  Error: object('What went wrong', {
    error: text('stable code: not_found, bad_request, method_not_allowed, forbidden, unauthorized, cross_site, ...'),
    message: text('for people'),
  }),
};
