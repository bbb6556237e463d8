import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { managementRouter } from '../../lib/api/router.js';
import { appWith, serve, type Reply, type TestServer } from '../support/network/http.js';
import { MemoryManagement, sampleStream, sampleUpstream, table } from '../support/management/memory-management.js';

const JSON_TYPE = { 'content-type': 'application/json' };

interface Part {
  readonly code: number;
  readonly body?: unknown;
}

describe('POST /multi', () => {
  let server: TestServer;
  const management = new MemoryManagement([
    ['u1', sampleUpstream()],
    ['u2', sampleUpstream({ connection: 9, streams: table([['__proto__', sampleStream({ id: 3 })]]) })],
    ['a%20b', sampleUpstream({ connection: 10 })],
    ['gone', sampleUpstream({ connection: 11 })],
  ]);

  before(async () => {
    server = await serve(appWith('/api', managementRouter(management, { write: true })));
  });
  after(() => server.close());

  const post = (body: unknown, headers: object = JSON_TYPE, query = ''): Promise<Reply> =>
    server.request(
      'POST',
      `/api/multi${query}`,
      { ...headers },
      typeof body === 'string' ? body : JSON.stringify(body),
    );
  async function parts(...requests: unknown[]): Promise<Part[]> {
    const reply = await post(requests);
    assert.equal(reply.status, 200, reply.text);
    return reply.json as Part[];
  }
  const codes = async (...requests: unknown[]): Promise<number[]> => (await parts(...requests)).map(({ code }) => code);

  it('answers each request with its code and body, in order', async () => {
    const reply = await post([
      { method: 'GET', uri: '/upstreams/u1/streams' },
      { method: 'DELETE', uri: '/upstreams/gone' },
      { method: 'GET', uri: 'upstreams/u2/streams' },
    ]);
    assert.equal(reply.status, 200);
    assert.equal(reply.headers['content-type'], 'application/json');
    const streams = JSON.stringify({ name: sampleStream() });
    const other = `{"__proto__":${JSON.stringify(sampleStream({ id: 3 }))}}`;
    assert.equal(reply.text, `[{"code":200,"body":${streams}},{"code":204},{"code":200,"body":${other}}]`);
    assert.equal((await server.get('/api/upstreams/gone')).status, 404);
  });

  it('passes the body of a request on where there is one', async () => {
    const elsewhere = { method: 'POST', uri: '/upstreams/u1/elsewhere' };
    const body = { url: 'rtmp://host/app/x' };
    assert.deepEqual(
      await codes(
        { ...elsewhere, body },
        elsewhere,
        { ...elsewhere, body: [] },
        { method: 'DELETE', uri: '/upstreams/u1/elsewhere', body },
        { method: 'POST', uri: '/upstreams/u1/retry', body },
        { method: 'DELETE', uri: '/upstreams/u1/elsewhere' },
      ),
      [204, 415, 415, 415, 415, 204],
    );
    assert.deepEqual(management.given, ['elsewhere u1 rtmp://host/app/x', 'elsewhere u1 back']);
  });

  it('answers every GET of the API, also with list=1', async () => {
    const uris = ['/', '/upstreams', '/upstreams/u1', '/upstreams/u1/streams', '/upstreams/u1/streams/name'];
    const bodies = (await parts(...uris.map((uri) => ({ method: 'GET', uri })))).map(({ body }) => body);
    for (const [index, uri] of uris.entries()) {
      assert.deepEqual(bodies[index], (await server.get(`/api${uri}`)).json, uri);
    }
    const [list] = await parts({ method: 'GET', uri: '/upstreams?list=1' });
    assert.deepEqual(list, { code: 200, body: ['u1', 'u2', 'a%20b'] });
  });

  it('takes the segments of the uri literally, as the module does', async () => {
    assert.deepEqual(
      await codes({ method: 'GET', uri: '/upstreams/a%20b' }, { method: 'GET', uri: '/upstreams/a b' }),
      [200, 404],
    );
  });

  it('reports the failure of a request in its code, and continues', async () => {
    assert.deepEqual(
      await codes(
        { method: 'GET', uri: '/nothing' },
        { method: 'GET', uri: '/upstreams/none' },
        { method: 'DELETE', uri: '/upstreams' },
        { method: 'DELETE', uri: '/upstreams/u1/tracks/x' },
        { method: 'PATCH', uri: '/' },
        { method: 'GET' },
        { uri: '/' },
        { method: 5, uri: '/' },
        { method: 'GET', uri: '/', body: {} },
        { method: 'POST', uri: '/multi', body: [] },
        { method: 'GET', uri: '/upstreams/u1', body: null },
      ),
      [404, 404, 405, 400, 415, 415, 415, 415, 415, 404, 200],
    );
    const [failed] = await parts({ method: 'GET', uri: '/upstreams/none' });
    assert.deepEqual(failed?.body, { error: 'not_found', message: 'there is no upstream with the id "none"' });
  });

  it('indents with ?pretty=1', async () => {
    const { text, json } = await post([{ method: 'GET', uri: '/upstreams?list=1' }], JSON_TYPE, '?pretty=1');
    assert.equal(text, JSON.stringify(json, null, 4));
    assert.match(text, /^\[\n {4}\{\n {8}"code": 200,/);
  });

  it('rejects a body that is not a list of objects, or not JSON', async () => {
    for (const body of ['{}', '[]', '[1]', '[[]]', '[null]', '"x"', 'null']) {
      const { status, json } = await post(body);
      assert.equal(status, 415, body);
      assert.equal((json as { error: string }).error, 'unsupported_body');
    }
    assert.equal((await post('[{]')).status, 400);
    assert.equal((await post('[{"method":"GET","uri":"/"}]', {})).status, 415);
    assert.equal((await post('[{"method":"GET","uri":"/"}]', { 'content-type': 'text/plain' })).status, 415);
    assert.equal((await post('', JSON_TYPE)).status, 415);
  });

  it('limits the body, the number of requests, and the size of the answer', async () => {
    assert.equal((await post(`[{"uri":"${'x'.repeat(1_100_000)}"}]`)).status, 413);
    const many = Array.from({ length: 1001 }, () => ({ method: 'GET', uri: '/upstreams?list=1' }));
    assert.equal((await post(many)).status, 413);
    const large = new MemoryManagement([['u1', sampleUpstream({ opaque: 'x'.repeat(10 * 2 ** 20) })]]);
    const other = await serve(appWith('/api', managementRouter(large, { write: true })));
    try {
      const seven = JSON.stringify(Array.from({ length: 7 }, () => ({ method: 'GET', uri: '/upstreams/u1' })));
      const { json } = await other.request('POST', '/api/multi', JSON_TYPE, seven);
      assert.deepEqual(
        (json as Part[]).map(({ code }) => code),
        [200, 200, 200, 200, 200, 200, 507],
      );
      // What comes after the limit is not run.
      const more = JSON.stringify([...(JSON.parse(seven) as object[]), { method: 'DELETE', uri: '/upstreams/u1' }]);
      const last = (await other.request('POST', '/api/multi', JSON_TYPE, more)).json as Part[];
      assert.equal(last.at(-1)?.code, 507);
      assert.equal((await other.get('/api/upstreams/u1')).status, 200);
    } finally {
      await other.close();
    }
  });

  it('answers a change that it ran with its own result where the limit of the answer is reached', async () => {
    const size = 8 * 2 ** 20;
    const bare = Buffer.byteLength(JSON.stringify(sampleUpstream({ opaque: '' })));
    const large = new MemoryManagement([['u1', sampleUpstream({ opaque: 'x'.repeat(size - bare) })]]);
    const other = await serve(appWith('/api', managementRouter(large, { write: true })));
    try {
      assert.equal(Buffer.byteLength((await other.get('/api/upstreams/u1')).text), size);
      const requests: object[] = Array.from({ length: 8 }, () => ({ method: 'GET', uri: '/upstreams/u1' }));
      requests.push({ method: 'POST', uri: '/upstreams/none/retry' }, { method: 'POST', uri: '/upstreams/u1/retry' });
      const { json } = await other.request('POST', '/api/multi', JSON_TYPE, JSON.stringify(requests));
      const [run, notRun] = (json as Part[]).slice(8);
      // The eight bodies fill the limit exactly, so that the body of the first change is beyond it.
      assert.deepEqual([run?.code, notRun?.code], [404, 507]);
      assert.deepEqual(run?.body, { error: 'not_found', message: 'there is no upstream with the id "none"' });
      assert.deepEqual(large.given, ['retry none']);
    } finally {
      await other.close();
    }
  });

  it('rejects a page of another site', async () => {
    const headers = { ...JSON_TYPE, 'sec-fetch-site': 'cross-site' };
    assert.equal((await post([{ method: 'DELETE', uri: '/upstreams/u1' }], headers)).status, 403);
    assert.equal((await server.get('/api/upstreams/u1')).status, 200);
  });

  it('answers other methods with 405', async () => {
    const { status, headers } = await server.get('/api/multi');
    assert.deepEqual([status, headers.allow], [405, 'POST, OPTIONS']);
  });
});
