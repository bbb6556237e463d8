import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import net from 'node:net';
import { after, before, describe, it } from 'node:test';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { createApp } from '../../lib/api/app.js';
import { openApiDocument } from '../../lib/api/openapi/openapi.js';
import { createHttpServer } from '../../lib/api/server/http-server.js';
import { statusRouter } from '../../lib/api/status/router.js';
import { API_ERRORS } from '../../lib/base/api-error.js';
import { controlRouter } from '../../lib/control/router.js';
import { fullToken } from '../../lib/config/access/tokens.js';
import { gone } from '../support/time/gone.js';
import { serve, type Reply, type TestServer } from '../support/network/http.js';
import { MemoryManagement, sampleUpstream } from '../support/management/memory-management.js';

const JSON_BODY = { 'content-type': 'application/json' };

describe('error codes of HTTP answers', () => {
  let server: TestServer;
  /** The same with little time for a request. */
  let hasty: TestServer;
  const validate = new Ajv2020({ strict: false })
    .addSchema(openApiDocument({ write: true }) as object, 'openapi')
    .compile({ $ref: 'openapi#/components/schemas/Error' });

  before(async () => {
    const management = new MemoryManagement([['u1', sampleUpstream()]]);
    const app = createApp({
      locations: [
        { path: '/', access: [], status: true, health: true },
        { path: '/api', access: [], api: { write: true } },
        { path: '/read', access: [], api: { write: false } },
        { path: '/metrics', access: [], metrics: { upstreams: true } },
        { path: '/control', access: [], control: {} },
        { path: '/guarded', access: [], api: { write: false }, tokens: [{ ...fullToken('t'), roles: ['write'] }] },
        { path: '/denied', access: [{ action: 'deny', who: 'all' }], api: { write: false } },
      ],
      management,
      health: { ready: () => false },
      status: () => statusRouter(management, { maxViewers: 0 }),
      control: () => controlRouter([], { kmp: () => undefined }),
    });
    server = await serve(createHttpServer(app, { maxHeaderSize: 4000 }));
    hasty = await serve(createHttpServer(app, { headersTimeout: 150, requestTimeout: 150 }));
  });
  after(async () => {
    await server.close();
    await hasty.close();
  });

  /** An error answer must have the code, its status in the table, and the form of the OpenAPI document. */
  function expectError({ status, headers, json }: Reply, code: string): void {
    const { error, message } = json as { error: unknown; message: unknown };
    assert.equal(error, code, String(message));
    assert.ok(Object.hasOwn(API_ERRORS, code) && status === API_ERRORS[code as keyof typeof API_ERRORS].status);
    assert.equal(headers['content-type'], 'application/json');
    assert.equal(headers['cache-control'], 'no-store');
    assert.ok(validate(json), JSON.stringify(validate.errors));
  }

  const large = JSON.stringify([{ method: 'GET', uri: 'x'.repeat(1_100_000) }]);
  const rows: readonly (readonly [
    code: string,
    method: string,
    path: string,
    headers?: Record<string, string>,
    body?: string,
  ])[] = [
    ['bad_request', 'GET', '/api/upstreams/%zz'],
    ['bad_request', 'GET', '/api/closed?limit=many'],
    ['bad_request', 'POST', '/api/multi', JSON_BODY, '[{'],
    ['unauthorized', 'GET', '/guarded/'],
    ['forbidden', 'GET', '/guarded/', { authorization: 'Bearer t' }],
    ['forbidden', 'GET', '/denied/'],
    ['cross_site', 'DELETE', '/api/upstreams/u1', { origin: 'http://evil.test' }],
    ['not_found', 'GET', '/api/nothing'],
    ['not_found', 'GET', '/api/upstreams/none'],
    ['not_found', 'GET', '/nothing'],
    ['not_found', 'GET', '/metrics/nothing'],
    ['method_not_allowed', 'DELETE', '/read/upstreams/u1'],
    ['method_not_allowed', 'PATCH', '/api/upstreams'],
    ['method_not_allowed', 'POST', '/metrics'],
    ['method_not_allowed', 'POST', '/healthz'],
    ['method_not_allowed', 'POST', '/'],
    ['body_too_large', 'POST', '/api/multi', JSON_BODY, large],
    ['too_many_requests', 'POST', '/api/multi', JSON_BODY, JSON.stringify(Array.from({ length: 1001 }, () => ({})))],
    ['unsupported_body', 'POST', '/api/multi', { 'content-type': 'text/plain' }, '[]'],
    ['unsupported_body', 'POST', '/api/multi', { 'content-type': 'application/json; charset=koi8-r' }, '[]'],
    ['unsupported_body', 'POST', '/api/multi', { ...JSON_BODY, 'content-encoding': 'rot13' }, '[]'],
    ['unknown_host', 'GET', '/api/', { host: 'evil.test' }],
    ['not_ready', 'GET', '/readyz'],
    ['too_many_viewers', 'GET', '/events'],
  ];
  for (const [code, method, path, headers, body] of rows) {
    it(`${code}: ${method} ${path} ${JSON.stringify(headers ?? {})}`, async () => {
      expectError(await server.request(method, path, headers, body), code);
    });
  }

  it('in an answer of POST /multi too', async () => {
    const requests = [{ method: 'GET', uri: '/none' }, { method: 'PUT', uri: '/' }, { method: 'FETCH' }];
    const { json } = await server.request('POST', '/api/multi', JSON_BODY, JSON.stringify(requests));
    const codes = (json as { code: number; body: { error: string } }[]).map(({ code, body }) => [code, body.error]);
    assert.deepEqual(codes, [
      [404, 'not_found'],
      [405, 'method_not_allowed'],
      [415, 'unsupported_request'],
    ]);
  });

  it('beside "code", which senders read, in answers to callbacks', async () => {
    const callback = (body: object | string): Promise<Reply> =>
      server.request('POST', '/control', JSON_BODY, typeof body === 'string' ? body : JSON.stringify(body));
    const media = { media_info: { media_type: 'video' }, rtmp: { name: 'cam7' } };
    const answers: [Reply, string, number][] = [
      [await callback({ event_type: 'publish', ...media }), 'control_no_route', 200],
      [await callback({ event_type: 'play' }), 'control_bad_callback', 400],
      [await callback('{'), 'bad_request', 400],
      [await callback(`"${'x'.repeat(70_000)}"`), 'body_too_large', 413],
      [await server.get('/control'), 'method_not_allowed', 405],
      [await server.request('POST', '/control/nothing'), 'not_found', 404],
    ];
    for (const [{ status, json }, error, expected] of answers) {
      const body = json as { code: string; error: string; message: string };
      assert.deepEqual([status, body.code, body.error], [expected, 'error', error], body.message);
      assert.ok(body.message.length > 10);
    }
  });

  const raw: readonly (readonly [code: string, bytes: string])[] = [
    ['bad_request', 'HELO there\r\n\r\n'],
    ['bad_request', 'GET / HTTP/1.1\r\n\r\n'],
    ['bad_request', 'GET /%@%# HTTP/1.1\r\nHost: localhost\r\n\r\n'],
    ['bad_request', 'GET / HTTP/1.1\r\nHost: localhost\r\nExpect: cake\r\n\r\n'],
    ['headers_too_large', `GET / HTTP/1.1\r\nHost: localhost\r\nX: ${'x'.repeat(5000)}\r\n\r\n`],
    ['request_timeout', 'GET / HTTP/1.1\r\nHost: loc'],
    [
      'request_timeout',
      'POST /api/multi HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n' +
        'Content-Type: application/json\r\n\r\n[',
    ],
  ];
  for (const [code, bytes] of raw) {
    it(`${code}: ${JSON.stringify(bytes.slice(0, 90))}`, async () => {
      const socket = net.connect((code === 'request_timeout' ? hasty : server).port, '127.0.0.1').on('error', () => {});
      await once(socket, 'connect');
      let text = '';
      socket.on('data', (data) => (text += data.toString()));
      socket.write(bytes);
      if (code === 'bad_request') socket.end();
      await gone(socket);
      const [head = '', body = ''] = text.split('\r\n\r\n');
      const headers = Object.fromEntries(
        head
          .split('\r\n')
          .slice(1)
          .map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 2)]),
      );
      const json: unknown = JSON.parse(body);
      const status = Number(head.split(' ', 2)[1]);
      assert.equal(Number(headers['content-length']), Buffer.byteLength(body));
      expectError({ status, headers, text: body, json }, code);
    });
  }

  it('each has words in lower case, and stands in docs/api.md', () => {
    const page = readFileSync(new URL('../../../docs/api.md', import.meta.url), 'utf8');
    for (const [code, { status }] of Object.entries(API_ERRORS)) {
      assert.match(code, /^[a-z]+(_[a-z]+)*$/);
      assert.ok(page.includes(`| \`${code}\` | ${status} |`), code);
    }
  });
});
