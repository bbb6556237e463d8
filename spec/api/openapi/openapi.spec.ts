import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import { openApiDocument } from '../../../lib/api/openapi/openapi.js';
import { managementRouter } from '../../../lib/api/router.js';
import { appWith, serve, type Reply, type TestServer } from '../../support/network/http.js';
import {
  MemoryManagement,
  sampleClosed,
  sampleOrder,
  sampleStream,
  sampleTrack,
  sampleUpstream,
  table,
} from '../../support/management/memory-management.js';

/** Allows no property that the document does not name: an answer may hold nothing undocumented. */
function closed(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(closed);
  if (typeof value !== 'object' || value === null) return value;
  const copy = Object.fromEntries(Object.entries(value).map(([key, child]) => [key, closed(child)]));
  if ('properties' in copy && 'type' in copy) copy['additionalProperties'] = false;
  return copy;
}

/** Compiles the schema of an answer: of `document.paths[path][method].responses[status]`. */
function answerSchema(ajv: Ajv2020, path: string, method: string, status: number): ValidateFunction {
  const escape = (part: string): string => encodeURIComponent(part.replaceAll('~', '~0').replaceAll('/', '~1'));
  const at = ['paths', path, method, 'responses', String(status), 'content', 'application/json', 'schema'];
  return ajv.compile({ $ref: `openapi#/${at.map(escape).join('/')}` });
}

describe('OpenAPI document', () => {
  let server: TestServer;
  const management = new MemoryManagement([
    ['u1', sampleUpstream()],
    [
      '__proto__',
      sampleUpstream({
        state: 'reconnecting',
        last_status: null,
        last_error: { reason: 'handshake_failed', message: 'could not connect', age: 7 },
        remote_addr: '',
        streams: table([
          ['a', sampleStream({ tracks: {} })],
          ['b', sampleStream({ tracks: { audio: sampleTrack() } })],
        ]),
      }),
    ],
    ['u2', sampleUpstream({ streams: table([]) })],
    ['u3', sampleUpstream({ state: 'waiting', next_attempt: 3, next_attempt_at: '2026-11-28T12:00:07.000Z' })],
  ]);
  management.standing.push(sampleOrder());
  management.ended.push(sampleClosed(), sampleClosed({ last_status: null, layer: null, live_again_at: '2026-11-28' }));
  const document = openApiDocument({ write: true });
  const ajv = new Ajv2020({ strict: false, allErrors: true });

  before(async () => {
    ajv.addSchema(closed(document) as object, 'openapi');
    server = await serve(appWith('/api', managementRouter(management, { write: true })));
  });
  after(() => server.close());

  // What is asked for, and the path and status of the document that it must fit.
  const rows: readonly (readonly [string, string, string, number, body?: unknown])[] = [
    ['GET', '/', '/', 200],
    ['GET', '/?list=1', '/', 200],
    ['GET', '/upstreams/u1?list=1', '/upstreams/{upstream_id}', 200],
    ['GET', '/upstreams/u1?pretty=1', '/upstreams/{upstream_id}', 200],
    [
      'POST',
      '/multi',
      '/multi',
      200,
      [
        { method: 'GET', uri: '/upstreams' },
        { method: 'GET', uri: '/none' },
      ],
    ],
    ['POST', '/multi', '/multi', 415, {}],
    ['POST', '/multi', '/multi', 413, Array.from({ length: 1001 }, () => ({ method: 'GET', uri: '/' }))],
    ['GET', '/upstreams', '/upstreams', 200],
    ['GET', '/closed', '/closed', 200],
    ['POST', '/upstreams/u2/disable', '/upstreams/{upstream_id}/disable', 204],
    ['POST', '/upstreams/none/disable', '/upstreams/{upstream_id}/disable', 404],
    ['POST', '/routes/rtmp%3A%2F%2Fhost%2Fapp/disable', '/routes/{route}/disable', 200],
    ['POST', '/routes/none/disable', '/routes/{route}/disable', 400],
    ['POST', '/upstreams/u2/enable', '/upstreams/{upstream_id}/enable', 204],
    ['POST', '/upstreams/none/enable', '/upstreams/{upstream_id}/enable', 404],
    ['POST', '/routes/rtmp%3A%2F%2Fhost%2Fapp/enable', '/routes/{route}/enable', 200],
    ['POST', '/routes/none/enable', '/routes/{route}/enable', 400],
    ['POST', '/upstreams/u2/retry', '/upstreams/{upstream_id}/retry', 204],
    ['POST', '/upstreams/none/retry', '/upstreams/{upstream_id}/retry', 404],
    ['POST', '/routes/rtmp%3A%2F%2Fhost%2Fapp/retry', '/routes/{route}/retry', 200],
    ['POST', '/routes/none/retry', '/routes/{route}/retry', 400],
    ['POST', '/upstreams/u2/elsewhere', '/upstreams/{upstream_id}/elsewhere', 204, { url: 'rtmp://host/app/x' }],
    ['GET', '/upstreams/u2', '/upstreams/{upstream_id}', 200],
    ['POST', '/upstreams/u2/elsewhere', '/upstreams/{upstream_id}/elsewhere', 400, { url: 1 }],
    ['POST', '/upstreams/u2/elsewhere', '/upstreams/{upstream_id}/elsewhere', 415],
    ['POST', '/upstreams/u2/elsewhere', '/upstreams/{upstream_id}/elsewhere', 413, { url: 'x'.repeat(1_100_000) }],
    ['POST', '/routes/rtmp%3A%2F%2Fhost%2Fapp/elsewhere', '/routes/{route}/elsewhere', 413, ['x'.repeat(1_100_000)]],
    ['POST', '/upstreams/none/elsewhere', '/upstreams/{upstream_id}/elsewhere', 404, { url: 'rtmp://host/app/x' }],
    ['DELETE', '/upstreams/u2/elsewhere', '/upstreams/{upstream_id}/elsewhere', 204],
    ['DELETE', '/upstreams/none/elsewhere', '/upstreams/{upstream_id}/elsewhere', 404],
    ['POST', '/routes/rtmp%3A%2F%2Fhost%2Fapp/elsewhere', '/routes/{route}/elsewhere', 200, { url: 'rtmp://host/app' }],
    ['POST', '/routes/none/elsewhere', '/routes/{route}/elsewhere', 400, { url: 'rtmp://host/app' }],
    ['DELETE', '/routes/rtmp%3A%2F%2Fhost%2Fapp/elsewhere', '/routes/{route}/elsewhere', 200],
    ['DELETE', '/routes/none/elsewhere', '/routes/{route}/elsewhere', 400],
    ['GET', '/orders', '/orders', 200],
    ['GET', '/fleet/drain', '/fleet/drain', 200],
    ['POST', '/fleet/drain', '/fleet/drain', 200],
    ['DELETE', '/fleet/drain', '/fleet/drain', 200],
    ['DELETE', '/orders/1', '/orders/{order}', 204],
    ['DELETE', '/orders/1', '/orders/{order}', 404],
    ['DELETE', '/orders/none', '/orders/{order}', 400],
    ['GET', '/closed?limit=1&upstream_id=u9', '/closed', 200],
    ['GET', '/closed?limit=none', '/closed', 400],
    ['GET', '/upstreams?list=1', '/upstreams', 200],
    ['GET', '/upstreams/u1', '/upstreams/{upstream_id}', 200],
    ['GET', '/upstreams/__proto__', '/upstreams/{upstream_id}', 200],
    ['GET', '/upstreams/none', '/upstreams/{upstream_id}', 404],
    ['GET', '/upstreams/%zz', '/upstreams/{upstream_id}', 400],
    ['GET', '/upstreams/u1/streams', '/upstreams/{upstream_id}/streams', 200],
    ['GET', '/upstreams/u1/streams?list=1', '/upstreams/{upstream_id}/streams', 200],
    ['GET', '/upstreams/u2/streams', '/upstreams/{upstream_id}/streams', 200],
    ['GET', '/upstreams/none/streams', '/upstreams/{upstream_id}/streams', 404],
    ['GET', '/upstreams/u1/streams/name', '/upstreams/{upstream_id}/streams/{stream_name}', 200],
    ['GET', '/upstreams/__proto__/streams/b', '/upstreams/{upstream_id}/streams/{stream_name}', 200],
    ['GET', '/upstreams/u1/streams/none', '/upstreams/{upstream_id}/streams/{stream_name}', 404],
    ['GET', '/openapi.json', '/openapi.json', 200],
    ['DELETE', '/upstreams/none', '/upstreams/{upstream_id}', 404],
    ['DELETE', '/upstreams/u1/tracks/x', '/upstreams/{upstream_id}/tracks/{connection}', 400],
    ['DELETE', '/upstreams/u1/tracks/99', '/upstreams/{upstream_id}/tracks/{connection}', 404],
    ['DELETE', '/upstreams/u1/tracks/8', '/upstreams/{upstream_id}/tracks/{connection}', 204],
    ['DELETE', '/upstreams/u2', '/upstreams/{upstream_id}', 204],
  ];

  it('is served beside the API', async () => {
    const { json, headers } = await server.get('/api/openapi.json');
    assert.equal(headers['content-type'], 'application/json');
    assert.deepEqual(json, JSON.parse(JSON.stringify(document)));
    assert.match(document.openapi, /^3\.1\./);
  });

  for (const [method, path, documented, status, body] of rows) {
    it(`describes the answer ${status} to ${method} ${path}`, async () => {
      const type = body === undefined ? {} : { 'content-type': 'application/json' };
      const text = body === undefined ? undefined : JSON.stringify(body);
      const reply: Reply = await server.request(method, `/api${path}`, type, text);
      assert.equal(reply.status, status);
      if (status === 204) {
        assert.equal(reply.text, '');
        assert.ok(document.paths[documented]?.[method === 'POST' ? 'post' : 'delete']?.responses['204']);
        return;
      }
      const validate = answerSchema(ajv, documented, method.toLowerCase(), status);
      assert.ok(validate(reply.json), JSON.stringify(validate.errors));
    });
  }

  for (const [refused, status] of [
    ['destination_refused', 422],
    ['too_many_orders', 409],
  ] as const) {
    it(`describes an order that is refused with ${status}`, async () => {
      management.refusal = { error: refused, message: 'no' };
      const headers = { 'content-type': 'application/json' };
      const body = JSON.stringify({ url: 'rtmp://host/app/x' });
      const reply = await server.request('POST', '/api/upstreams/u1/elsewhere', headers, body);
      management.refusal = undefined;
      assert.deepEqual([reply.status, reply.json], [status, { error: refused, message: 'no' }]);
      assert.ok(answerSchema(ajv, '/upstreams/{upstream_id}/elsewhere', 'post', status)(reply.json));
    });
  }

  for (const [path, documented] of [
    ['/upstreams/u1/disable', '/upstreams/{upstream_id}/disable'],
    ['/routes/rtmp%3A%2F%2Fhost%2Fapp/disable', '/routes/{route}/disable'],
  ] as const) {
    it(`describes the limit of orders for POST ${documented}`, async () => {
      management.refusal = { error: 'too_many_orders', message: 'no' };
      const reply = await server.request('POST', `/api${path}`);
      management.refusal = undefined;
      assert.equal(reply.status, 409);
      assert.ok(answerSchema(ajv, documented, 'post', 409)(reply.json));
    });
  }

  it('describes a read-only API: without DELETE and POST, and every 405 is an Error', async () => {
    const readOnly = await serve(appWith('/api', managementRouter(management, { write: false })));
    try {
      const { json } = await readOnly.get('/api/openapi.json');
      assert.ok(!/"delete"|"post"/.test(JSON.stringify(json)));
      const reply = await readOnly.request('DELETE', '/api/upstreams/u1');
      assert.equal(reply.status, 405);
      assert.ok(answerSchema(ajv, '/upstreams/{upstream_id}', 'delete', 405)(reply.json));
    } finally {
      await readOnly.close();
    }
  });

  it('detects a field that is missing, misspelt, of another type or undocumented', () => {
    const validate = ajv.compile({ $ref: 'openapi#/components/schemas/Upstream' });
    assert.ok(validate(sampleUpstream()));
    const { mem_left: _, ...missing } = sampleUpstream();
    assert.ok(!validate(missing));
    assert.ok(!validate({ ...sampleUpstream(), memLeft: 1 }));
    assert.ok(!validate({ ...sampleUpstream(), mem_left: '1' }));
    assert.ok(!validate({ ...sampleUpstream(), state: 'live' }));
  });

  it('documents exactly the paths of the rows above', () => {
    const asked = new Set(rows.map(([method, , documented]) => `${method.toLowerCase()} ${documented}`));
    const described = Object.entries(document.paths).flatMap(([path, item]) =>
      Object.keys(item).map((method) => `${method} ${path}`),
    );
    assert.deepEqual(described.sort(), [...asked].sort());
  });
});
