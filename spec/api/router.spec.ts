import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { managementRouter } from '../../lib/api/router.js';
import type { LogFields, Logger } from '../../lib/base/logger.js';
import { noLog } from '../../lib/base/logger.js';
import { assertHas } from '../support/values/assert-has.js';
import { appWith, serve, type TestServer } from '../support/network/http.js';
import { MemoryManagement, sampleStream, sampleUpstream, table } from '../support/management/memory-management.js';

const STRANGE_IDS = ['__proto__', 'constructor', 'a/b', 'a b', 'ünï ☃ 𝄞', '100%', '?list=1', '..', 'x'.repeat(2000)];

function sample(): MemoryManagement {
  return new MemoryManagement([
    ['u1', sampleUpstream()],
    ['u2', sampleUpstream({ connection: 9, streams: table([['__proto__', sampleStream({ id: 3 })]]) })],
  ]);
}

describe('management API, read-only', () => {
  let server: TestServer;
  const management = sample();

  before(async () => {
    server = await serve(appWith('/kmp_rtmp_api', managementRouter(management, { write: false })));
  });
  after(() => server.close());

  it('lists upstreams in pages, sorted by id', async () => {
    const ids = ['b', 'a/1', '10', 'é', '9', '__proto__'];
    const management = new MemoryManagement(ids.map((id) => [id, sampleUpstream()]));
    const own = await serve(appWith('/', managementRouter(management, { write: false })));
    try {
      const found: string[][] = [];
      let after: string | undefined;
      do {
        const query = after === undefined ? '' : `&after=${after}`;
        const { json, headers } = await own.get(`/upstreams?limit=2${query}`);
        found.push(Object.keys(json as object).sort());
        after = headers['x-kmp-rtmp-next'] as string | undefined;
      } while (after !== undefined);
      assert.deepEqual(found, [
        ['10', '9'],
        ['__proto__', 'a/1'],
        ['b', 'é'],
      ]);
      const { json } = await own.get('/upstreams?list=1&after=a%2F1');
      assert.deepEqual(json, ['b', 'é']);
      for (const limit of ['0', '1001', '-1', 'x', '1e3']) {
        assert.equal((await own.get(`/upstreams?limit=${limit}`)).status, 400, limit);
      }
    } finally {
      await own.close();
    }
  });

  it('builds the status only of the upstreams that a list shows', async () => {
    const management = new MemoryManagement(['c', 'b', 'a', 'd'].map((id) => [id, sampleUpstream()]));
    const own = await serve(appWith('/', managementRouter(management, { write: false })));
    try {
      for (const [query, built] of [
        ['list=1', []],
        ['list=1&limit=2', []],
        ['list=1&after=a', []],
        ['limit=2', ['a', 'b']],
        ['after=b&limit=1', ['c']],
        ['after=d', []],
        ['limit=0', []],
      ] as const) {
        management.built.length = 0;
        await own.get(`/upstreams?${query}`);
        assert.deepEqual(management.built, built, query);
      }
    } finally {
      await own.close();
    }
  });

  it('answers the complete status at its root, with and without a trailing slash', async () => {
    for (const path of ['/kmp_rtmp_api', '/kmp_rtmp_api/', '/kmp_rtmp_api/?x=1']) {
      const { status, headers, json } = await server.get(path);
      assert.equal(status, 200, path);
      assert.equal(headers['content-type'], 'application/json');
      assert.equal(headers['cache-control'], 'no-store');
      assertHas(json, { version: '0.1.0', nginx_version: 'node/20.20.2', pid: 12828, uptime: 2 });
      assert.deepEqual(Object.keys((json as { upstreams: object }).upstreams), ['u1', 'u2']);
    }
  });

  it('answers upstreams, one upstream, its streams and one stream', async () => {
    const all = await server.get('/kmp_rtmp_api/upstreams');
    assert.deepEqual(Object.keys(all.json as object), ['u1', 'u2']);
    const one = await server.get('/kmp_rtmp_api/upstreams/u1');
    assert.equal(one.text, JSON.stringify(sampleUpstream()));
    const streams = await server.get('/kmp_rtmp_api/upstreams/u1/streams');
    assert.equal(streams.text, JSON.stringify({ name: sampleStream() }));
    const stream = await server.get('/kmp_rtmp_api/upstreams/u1/streams/name');
    assert.equal(stream.text, JSON.stringify(sampleStream()));
  });

  it('answers ids with ?list=1 only', async () => {
    assert.deepEqual((await server.get('/kmp_rtmp_api/upstreams?list=1')).json, ['u1', 'u2']);
    assert.deepEqual((await server.get('/kmp_rtmp_api/upstreams/?list=1')).json, ['u1', 'u2']);
    assert.deepEqual((await server.get('/kmp_rtmp_api/upstreams/u1/streams?list=1')).json, ['name']);
    assert.deepEqual((await server.get('/kmp_rtmp_api/upstreams/u2/streams?list=1')).json, ['__proto__']);
    assert.deepEqual(Object.keys((await server.get('/kmp_rtmp_api/upstreams?list=0')).json as object), ['u1', 'u2']);
  });

  it('lists the paths below the root and below an upstream with ?list=1, as the module does', async () => {
    assert.deepEqual((await server.get('/kmp_rtmp_api/?list=1')).json, ['multi', 'upstreams']);
    assert.deepEqual((await server.get('/kmp_rtmp_api/upstreams/u1?list=1')).json, ['streams', 'tracks']);
    assert.equal((await server.get('/kmp_rtmp_api/upstreams/none?list=1')).status, 404);
  });

  it('indents with ?pretty=1 by four spaces, as the module does', async () => {
    for (const path of ['/?pretty=1', '/upstreams?pretty=1', '/upstreams/u1?pretty=1', '/upstreams?list=1&pretty=1']) {
      const { text, json, headers } = await server.get(`/kmp_rtmp_api${path}`);
      assert.equal(text, JSON.stringify(json, null, 4), path);
      assert.match(text, /^[{[]\n {4}"/, path);
      assert.equal(headers['content-length'], String(Buffer.byteLength(text)));
    }
    assert.equal((await server.get('/kmp_rtmp_api/upstreams/u1?pretty=0')).text, JSON.stringify(sampleUpstream()));
  });

  it('does not allow POST /multi', async () => {
    const type = { 'content-type': 'application/json' };
    const body = JSON.stringify([{ method: 'GET', uri: '/' }]);
    const { status, headers } = await server.request('POST', '/kmp_rtmp_api/multi', type, body);
    assert.equal(status, 405);
    assert.equal(headers.allow, 'GET, HEAD, OPTIONS');
  });

  it('keeps a stream called __proto__ as a plain key', async () => {
    const { text } = await server.get('/kmp_rtmp_api/upstreams/u2/streams');
    assert.equal(text, `{"__proto__":${JSON.stringify(sampleStream({ id: 3 }))}}`);
    assert.equal((await server.get('/kmp_rtmp_api/upstreams/u2/streams/__proto__')).status, 200);
    assert.equal((await server.get('/kmp_rtmp_api/upstreams/u1/streams/__proto__')).status, 404);
    assert.equal((await server.get('/kmp_rtmp_api/upstreams/u1/streams/toString')).status, 404);
  });

  it('answers 404 with a JSON body for unknown paths', async () => {
    for (const path of [
      '/upstreams/none',
      '/upstreams/none/streams',
      '/upstreams/none/streams?list=1',
      '/upstreams/none/streams/name',
      '/upstreams/u1/streams/none',
      '/upstreams/__proto__',
      '/nothing',
      '/UPSTREAMS',
      '/upstreams/u1/streams/name/more',
    ]) {
      const { status, json } = await server.get(`/kmp_rtmp_api${path}`);
      assert.equal(status, 404, path);
      assertHas(json, { error: 'not_found' });
    }
  });

  it('answers 400 with a JSON body for a malformed escape', async () => {
    for (const path of ['/upstreams/%', '/upstreams/%zz', '/upstreams/%ff', '/upstreams/u1/streams/%e0%a4']) {
      const { status, json } = await server.get(`/kmp_rtmp_api${path}`);
      assert.equal(status, 400, path);
      assertHas(json, { error: 'bad_request' });
    }
  });

  it('answers 405 with Allow to all methods that change something', async () => {
    for (const method of ['DELETE', 'POST', 'PUT', 'PATCH']) {
      for (const path of ['/', '/upstreams/u1', '/upstreams/none', '/upstreams/u1/tracks/8', '/nothing']) {
        const { status, headers, json } = await server.request(method, `/kmp_rtmp_api${path}`);
        assert.equal(status, 405, `${method} ${path}`);
        assert.equal(headers.allow, 'GET, HEAD, OPTIONS');
        assertHas(json, { error: 'method_not_allowed' });
      }
    }
    assert.deepEqual(management.dropped, []);
  });

  it('answers HEAD like GET, without the body', async () => {
    const get = await server.get('/kmp_rtmp_api/upstreams/u1');
    const head = await server.request('HEAD', '/kmp_rtmp_api/upstreams/u1');
    assert.equal(head.status, 200);
    assert.equal(head.text, '');
    assert.equal(head.headers['content-length'], get.headers['content-length']);
    assert.equal((await server.request('HEAD', '/kmp_rtmp_api/upstreams/none')).status, 404);
  });

  it('answers OPTIONS with the allowed methods, and without CORS headers', async () => {
    const { status, headers } = await server.request('OPTIONS', '/kmp_rtmp_api/upstreams/u1', {
      Origin: 'http://evil.test',
      'Access-Control-Request-Method': 'DELETE',
    });
    assert.equal(status, 204);
    assert.equal(headers.allow, 'GET, HEAD, OPTIONS');
    assert.deepEqual(
      Object.keys(headers).filter((name) => name.startsWith('access-control')),
      [],
    );
    assert.equal((await server.request('OPTIONS', '/kmp_rtmp_api/nothing')).status, 404);
  });

  it('sends headers that prevent a browser from executing, framing or sniffing a response', async () => {
    for (const path of ['/', '/nothing', '/upstreams/%']) {
      const { headers } = await server.get(`/kmp_rtmp_api${path}`);
      assert.match(String(headers['content-security-policy']), /default-src 'none'/);
      assert.equal(headers['x-content-type-options'], 'nosniff');
      assert.equal(headers['x-frame-options'], 'DENY');
      assert.equal(headers['referrer-policy'], 'no-referrer');
      assert.equal(headers['x-powered-by'], undefined);
      assert.equal(headers['access-control-allow-origin'], undefined);
    }
  });
});

describe('management API, read-write', () => {
  let server: TestServer;
  let management: MemoryManagement;

  before(async () => {
    management = sample();
    for (const id of STRANGE_IDS) management.upstreams.set(id, sampleUpstream({ opaque: id }));
    server = await serve(appWith('/', managementRouter(management, { write: true })));
  });
  after(() => server.close());

  it('finds upstreams by their decoded ids', async () => {
    for (const id of STRANGE_IDS) {
      const { status, json } = await server.get(`/upstreams/${encodeURIComponent(id)}`);
      assert.equal(status, 200, id);
      assertHas(json, { opaque: id });
    }
    const { text } = await server.get('/upstreams');
    assert.ok(text.includes('"__proto__":{"url"'));
  });

  it('answers 204 to DELETE of an upstream, then 404', async () => {
    for (const id of ['u1', 'a/b', '__proto__']) {
      const path = `/upstreams/${encodeURIComponent(id)}`;
      const { status, text } = await server.request('DELETE', path);
      assert.equal(status, 204);
      assert.equal(text, '');
      assert.equal((await server.request('DELETE', path)).status, 404);
      assert.ok(!management.upstreams.has(id));
    }
  });

  it('answers 204, 400 and 404 to DELETE of a KMP connection', async () => {
    assert.equal((await server.request('DELETE', '/upstreams/u2/tracks/8')).status, 204);
    assert.ok(management.dropped.includes('u2 8'));
    for (const id of ['x', '8x', '-8', '+8', '8.0', '0x8', '%208', '8e0', '99999999999999999', '٨']) {
      const { status, json } = await server.request('DELETE', `/upstreams/u2/tracks/${encodeURI(id)}`);
      assert.equal(status, 400, id);
      assertHas(json, { error: 'bad_request' });
    }
    assert.equal((await server.request('DELETE', '/upstreams/u2/tracks/9')).status, 404);
    assert.equal((await server.request('DELETE', '/upstreams/none/tracks/8')).status, 404);
    assert.equal((await server.request('DELETE', '/upstreams/none/tracks/x')).status, 400);
  });

  it('lists the allowed methods of each path in 405 and OPTIONS', async () => {
    const rows = [
      ['/', 'GET, HEAD, OPTIONS'],
      ['/upstreams', 'GET, HEAD, OPTIONS'],
      ['/upstreams/u2', 'GET, HEAD, DELETE, OPTIONS'],
      ['/upstreams/u2/tracks/8', 'DELETE, OPTIONS'],
    ] as const;
    for (const [path, allow] of rows) {
      for (const [method, expected] of [
        ['OPTIONS', 204],
        ['POST', 405],
      ] as const) {
        const { status, headers } = await server.request(method, path);
        assert.equal(status, expected, path);
        assert.equal(headers.allow, allow);
      }
    }
    assert.equal((await server.get('/upstreams/u2/tracks/8')).status, 405);
    assert.equal((await server.request('DELETE', '/nothing')).status, 404);
  });

  it('rejects DELETE from a page of another site', async () => {
    const host = `127.0.0.1:${server.port}`;
    const refused = [
      { 'Sec-Fetch-Site': 'cross-site' },
      { 'Sec-Fetch-Site': 'same-site', Origin: `http://${host}` },
      { Origin: 'http://evil.test' },
      { Origin: 'null' },
      { Origin: 'http://127.0.0.1:1' },
    ];
    for (const headers of refused) {
      const { status, json } = await server.request('DELETE', '/upstreams/u2', headers);
      assert.equal(status, 403, JSON.stringify(headers));
      assertHas(json, { error: 'cross_site' });
    }
    assert.ok(management.upstreams.has('u2'));
    const own = { 'Sec-Fetch-Site': 'same-origin', Origin: `http://${host}` };
    assert.equal((await server.request('DELETE', '/upstreams/none', own)).status, 404);
    assert.equal((await server.request('DELETE', '/upstreams/none', { Origin: `http://${host}` })).status, 404);
    assert.equal((await server.get('/upstreams/u2', { Origin: 'http://evil.test' })).status, 200);
  });
});

describe('management API, when the service fails', () => {
  it('answers 500 without details, and logs the error', async () => {
    const lines: [string, LogFields | undefined][] = [];
    const log: Logger = { ...noLog, error: (message, fields) => void lines.push([message, fields]) };
    const management = sample();
    management.failure = new Error('worker 3 is gone');
    const server = await serve(appWith('/', managementRouter(management, { write: true, log })));
    try {
      for (const [method, path] of [
        ['GET', '/'],
        ['GET', '/upstreams'],
        ['DELETE', '/upstreams/u1'],
        ['DELETE', '/upstreams/u1/tracks/8'],
      ] as const) {
        const { status, json, text } = await server.request(method, `${path}?token=secret`);
        assert.equal(status, 500);
        assertHas(json, { error: 'internal_error' });
        assert.ok(!text.includes('worker 3'));
        const line = lines.pop()?.[0] ?? '';
        assert.ok(line.includes(`${method} ${path} failed: worker 3 is gone`), line);
        assert.ok(!line.includes('secret'));
      }
    } finally {
      await server.close();
    }
  });
});

describe('management API, with 1000 upstreams', () => {
  it('takes one snapshot from the service', async () => {
    const management = new MemoryManagement(
      Array.from({ length: 1000 }, (_, n) => [`u${n}`, sampleUpstream({ connection: n })] as const),
    );
    const server = await serve(appWith('/', managementRouter(management, { write: false })));
    try {
      const { json } = await server.get('/');
      assert.equal(Object.keys((json as { upstreams: object }).upstreams).length, 1000);
      assert.equal(management.calls, 1);
    } finally {
      await server.close();
    }
  });
});
