// docs/api.md: the management API from its own OpenAPI document, and what notifications carry.

const INTRODUCTION = `\
# HTTP API

<!-- Made from the OpenAPI document (lib/api/openapi.ts) by scripts/reference.js: edit that, or scripts/api-page.js. -->

\`kmp_rtmp_api;\` in a \`location\` serves the management API there, for reading only; \`kmp_rtmp_api write=on;\` lets it drop, too. The
built-in configuration has it, writable, at http://127.0.0.1:8001/kmp_rtmp_api/. The same description, for programs, is at
\`openapi.json\` below that address.

\`\`\`sh
curl 'http://127.0.0.1:8001/kmp_rtmp_api/upstreams?list=1'
curl -X DELETE http://127.0.0.1:8001/kmp_rtmp_api/upstreams/first
\`\`\`

Stream names and URLs may hold stream keys, and the API gives them in full: limit who gets there, by \`allow\` and \`deny\`, by
\`kmp_rtmp_api_token\` (\`Authorization: Bearer TOKEN\`), and by listening on loopback only. Over loopback, a request must name the
host by \`localhost\`, this machine's name, an IP address or a \`server_name\`, so that a web page elsewhere cannot reach it under a name of its own.
`;

const NOTIFICATIONS = `\
## Notifications

With \`kmp_rtmp_out_notif_url\` set, the service posts JSON when an upstream ends, and, where \`kmp_rtmp_out_notif_events\` has
\`rtmp_reconnect\`, each time one reconnects:

\`\`\`json
{
  "event_type": "rtmp_close",
  "reason": "done",
  "upstream_id": "id1",
  "url": "rtmp://127.0.0.1:1935/app/stream",
  "header": "",
  "opaque": ""
}
\`\`\`

\`status\` (as \`last_status\` above) is added if the server told an error. \`rtmp_reconnect\` has the reason that would else have ended the
upstream, or \`reconnect_request\`. Notifications never hold media up; one that fails is logged, and not repeated.

## Close reasons

| reason | when |
|---|---|
`;

/** The text for each reason. */
const REASONS = {
  done: 'all streams have ended, and every byte was sent',
  api_delete: 'dropped by the API or the status page',
  start_resolve_failed: 'the host in the URL is not a host name',
  resolve_failed:
    'the host name has no address, the DNS server does not answer, or no address of it may be connected to',
  handshake_failed:
    'no TCP or TLS connection, or no RTMP handshake: refused, timed out, closed, a certificate that does not fit, or no RTMP server at all',
  send_failed: 'the connection broke in sending, or the server took nothing for `kmp_rtmp_out_timeout`',
  recv_failed: 'the server closed the connection, or what it sent is not RTMP',
  get_buf_failed: 'the memory limit was reached by frames received',
  alloc_chain_failed: 'the memory limit was reached by frames in many small pieces',
  add_media_info_failed: 'the memory limit left no room for codec private data',
  start_connect_failed: 'no socket could be made',
  alloc_failed: 'the connect data is larger than the memory limit',
  flush_failed: 'the memory limit was reached by bytes to be flushed',
  create_stream_failed: 'the memory limit left no room for the messages that begin a stream',
  unpublish_stream_failed: 'the memory limit left no room for the messages that end a stream',
  write_connect_failed: 'the memory limit left no room for the connect message',
  write_meta_failed: 'the memory limit left no room for metadata and sequence headers',
  create_track_failed: 'the memory limit left no room for a track',
  mem_limit_exceeded: 'what a sender had sent ahead of its upstream did not fit into the memory limit',
  push_frame_failed: 'the memory limit was reached by queued frames',
  process_frame_failed: 'the memory limit was reached in encoding a frame',
  connect_rejected: 'the server refused the RTMP connect: its words are in the log, the API and the notification',
  publish_rejected: 'the server refused to take the stream: a wrong key, or one that is in use',
  stream_id_mismatch:
    'the server gave another stream id than the assumed one, and data was under way; see `kmp_rtmp_out_stream_id`',
  shutdown: 'the service was stopped',
};

/** A value's type, with links to the objects of the page. */
function typeOf(schema) {
  if (schema.$ref !== undefined) {
    const name = schema.$ref.split('/').at(-1);
    return `[${name}](#${name.toLowerCase()})`;
  }
  if (schema.oneOf !== undefined) return schema.oneOf.map(typeOf).join(' or ');
  if (schema.type === 'array') return `array of ${typeOf(schema.items)}`;
  if (schema.additionalProperties !== undefined) return `object of ${typeOf(schema.additionalProperties)}`;
  if (schema.enum !== undefined) return schema.enum.map((value) => `\`${value}\``).join(', ');
  return [schema.type].flat().join(' or ');
}

/** One line for a property, with those of an object within it below. */
function property(name, schema, indent = '') {
  const line = `${indent}- \`${name}\`: ${typeOf(schema)}${schema.description ? `; ${schema.description}` : ''}`;
  const inner = Object.entries(schema.properties ?? {}).map(([key, value]) => property(key, value, `${indent}  `));
  return [line, ...inner].join('\n');
}

const answer = ([status, { description, content }]) => {
  const type = content === undefined ? '' : ` (${typeOf(content['application/json'].schema)})`;
  return `- ${status}: ${description}${type}`;
};

/** @param common lines that need not be repeated */
function operation(method, path, { summary, parameters = [], responses }, common) {
  const given = parameters.map(
    ({ name, in: where, description, schema }) => `- \`${name}\` (${where}, ${schema.type}): ${description}`,
  );
  const answers = Object.entries(responses)
    .map(answer)
    .filter((line) => !common.includes(line));
  return [`### ${method.toUpperCase()} ${path}`, `${summary}.`, given.join('\n'), answers.join('\n')]
    .filter((part) => part !== '')
    .join('\n\n');
}

/**
 * The page as text.
 *
 * @param document what openApiDocument({ write: true }) gives
 * @param reasons all close reasons
 */
export function apiPage(document, reasons) {
  const failures = Object.entries(document.paths['/'].get.responses).filter(([status]) => status !== '200');
  const common = failures.map(answer);
  const operations = Object.entries(document.paths).flatMap(([path, item]) =>
    Object.entries(item).map(([method, what]) => operation(method, path, what, common)),
  );
  const objects = Object.entries(document.components.schemas).map(([name, schema]) => {
    const lines = Object.entries(schema.properties).map(([key, value]) => property(key, value));
    return `### ${name}\n\n${schema.description}.\n\n${lines.join('\n')}`;
  });
  const rows = reasons.map((reason) => {
    if (REASONS[reason] === undefined) throw new Error(`scripts/api-page.js has no text for close reason ${reason}`);
    return `| \`${reason}\` | ${REASONS[reason]} |`;
  });
  return [
    INTRODUCTION,
    '## Requests\n',
    `Paths are below that of the location. Each may also answer:\n\n${common.join('\n')}\n`,
    `${operations.join('\n\n')}\n`,
    '## Objects\n',
    `${objects.join('\n\n')}\n`,
    `${NOTIFICATIONS}${rows.join('\n')}\n`,
  ].join('\n');
}
