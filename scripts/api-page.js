// Generates docs/api.md from the OpenAPI document, and describes notifications and close reasons.

const INTRODUCTION = `\
# HTTP API

<!-- Generated from the OpenAPI document (lib/api/openapi/openapi.ts) by scripts/reference.js. Edit that, or scripts/api-page.js. -->

The management API shows the status of all upstreams, and can drop upstreams and KMP connections. \`kmp_rtmp_api;\` in a
\`location\` serves it read-only; \`kmp_rtmp_api write=on;\` also allows changes. The built-in configuration serves it, writable, at
http://127.0.0.1:8001/kmp_rtmp_api/. Its OpenAPI document is at \`openapi.json\` below that address.

\`\`\`sh
curl 'http://127.0.0.1:8001/kmp_rtmp_api/upstreams?list=1'
curl -X DELETE http://127.0.0.1:8001/kmp_rtmp_api/upstreams/first
curl 'http://127.0.0.1:8001/kmp_rtmp_api/multi?pretty=1' -H 'Content-Type: application/json' -d '[{"method":"GET","uri":"/upstreams"}]'
\`\`\`

Responses contain stream names and URLs in full, including stream keys. Restrict access with \`allow\` and \`deny\`, with
\`kmp_rtmp_api_token\` or \`kmp_rtmp_api_token_file\` (\`Authorization: Bearer TOKEN\`), or listen on the loopback interface only. The host of a
request must be \`localhost\`, the name of the machine, an IP address or a \`server_name\`. This prevents foreign web pages from
reaching the API through their own host names (DNS rebinding).

In a [fleet](fleet.md#one-view), every node answers for all nodes. Each upstream has its \`node\`. A node that does not answer within
\`peer_timeout\` is named in the header \`X-Kmp-Rtmp-Missing-Nodes\`, and in \`missing_nodes\` of the status: the answer lacks its
upstreams. Workers that do not answer are in the header \`X-Kmp-Rtmp-Missing-Workers\`, those of another node as \`NODE/NUMBER\`.
An order for a missing node is given to it when it answers again.
`;

const ERROR_CODES = `\
## Error codes

Every error answer of every location, and of requests that are not valid HTTP, is JSON with \`error\`, a code for programs, and
\`message\`, a text for people. A code does not change; a message may.

\`\`\`json
{ "error": "not_found", "message": "there is no upstream with the id \\"first\\"" }
\`\`\`

All codes have one form: words in lower case, joined by \`_\`. Close reasons, event types of notifications, problems in
the output of \`kmp-rtmp inspect --json FILE\` and \`code\` of errors that the library throws have it too.

| code | status | when |
|---|---|---|
`;

const NOTIFICATIONS = `\
## Notifications

The service can post JSON to a URL when something happens to an upstream: see [notifications](notifications.md).

## Close reasons

| reason | when |
|---|---|
`;

/** The text for each reason. */
const REASONS = {
  done: 'all streams have ended, and every byte was sent',
  api_delete: 'dropped by the API or the status page',
  start_resolve_failed: 'the host in the URL is not a host name',
  resolve_failed: 'the host name has no address, the DNS server does not answer, or all addresses are denied',
  handshake_failed:
    'the TCP connection, TLS or the RTMP handshake failed: refused, timed out, closed, an invalid certificate, or not an RTMP server',
  send_failed: 'the connection broke while sending, or the server read nothing for `kmp_rtmp_out_timeout`',
  recv_failed: 'the server closed the connection, or sent invalid RTMP',
  get_buf_failed: 'received frames reached the memory limit',
  alloc_chain_failed: 'frames in many small pieces reached the memory limit',
  add_media_info_failed: 'the memory limit left no room for codec private data',
  start_connect_failed: 'a socket could not be created',
  alloc_failed: 'the connect data is larger than the memory limit',
  flush_failed: 'buffered bytes reached the memory limit',
  create_stream_failed: 'the memory limit left no room for the messages that begin a stream',
  unpublish_stream_failed: 'the memory limit left no room for the messages that end a stream',
  write_connect_failed: 'the memory limit left no room for the connect message',
  write_meta_failed: 'the memory limit left no room for metadata and sequence headers',
  create_track_failed: 'the memory limit left no room for a track',
  mem_limit_exceeded: 'the data that a sender sent before it joined the upstream exceeds the memory limit',
  push_frame_failed: 'queued frames reached the memory limit',
  process_frame_failed: 'the memory limit was reached while a frame was encoded',
  connect_rejected: 'the server refused the RTMP connect; its message is in the log, the API and the notification',
  publish_rejected: 'the server refused the stream: a wrong key, or one that is in use',
  stream_id_mismatch:
    'the server returned another stream id than the assumed one after data was sent; see `kmp_rtmp_out_stream_id`',
  input_timeout: 'the sender was connected, but sent nothing for `kmp_rtmp_in_read_timeout`',
  shutdown: 'the service was stopped',
  fleet_moved: 'another node of the fleet owns the upstream by now, or this node was drained',
};

/** The type of a value, with links to the objects of the page. */
function typeOf(schema) {
  if (schema.$ref !== undefined) {
    const name = schema.$ref.split('/').at(-1);
    return `[${name}](#${name.toLowerCase()})`;
  }
  if (schema.oneOf !== undefined) return schema.oneOf.map(typeOf).join(' or ');
  if (schema.type === 'array') return `array of ${typeOf(schema.items)}`;
  if (schema.additionalProperties !== undefined) return `object of ${typeOf(schema.additionalProperties)}`;
  if (schema.enum !== undefined) return schema.enum.map((value) => `\`${value}\``).join(', ');
  if (schema.type === undefined) return 'any';
  return [schema.type].flat().join(' or ');
}

/** One line for a property, followed by the properties of an object in it. */
function property(name, schema, indent = '') {
  const line = `${indent}- \`${name}\`: ${typeOf(schema)}${schema.description ? `; ${schema.description}` : ''}`;
  const inner = Object.entries(schema.properties ?? {}).map(([key, value]) => property(key, value, `${indent}  `));
  return [line, ...inner].join('\n');
}

const answer = ([status, { description, content }]) => {
  const type = content === undefined ? '' : ` (${typeOf(content['application/json'].schema)})`;
  return `- ${status}: ${description}${type}`;
};

/** @param common lines that are described once for all operations */
function operation(method, path, { summary, parameters = [], requestBody, responses }, common) {
  const given = parameters.map(
    ({ name, in: where, description, schema }) => `- \`${name}\` (${where}, ${schema.type}): ${description}`,
  );
  if (requestBody !== undefined) given.push(`- body: ${typeOf(requestBody.content['application/json'].schema)}`);
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
 * @param document the result of openApiDocument({ write: true })
 * @param reasons all close reasons
 * @param errors all error codes, each with its status and when it is the answer
 */
export function apiPage(document, reasons, errors) {
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
  const codes = Object.entries(errors).map(([code, { status, when }]) => `| \`${code}\` | ${status} | ${when} |`);
  return [
    INTRODUCTION,
    '## Requests\n',
    `Paths are relative to the path of the location. Every request may also be answered with:\n\n${common.join('\n')}\n`,
    `${operations.join('\n\n')}\n`,
    '## Objects\n',
    `${objects.join('\n\n')}\n`,
    `${ERROR_CODES}${codes.join('\n')}\n`,
    `${NOTIFICATIONS}${rows.join('\n')}\n`,
  ].join('\n');
}
