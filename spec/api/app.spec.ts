import assert from 'node:assert/strict';
import { hostname } from 'node:os';
import { describe, it } from 'node:test';
import express from 'express';
import { createApp, type AppSettings, type LocationSettings } from '../../lib/api/app.js';
import { assertHas } from '../support/values/assert-has.js';
import { serve, type TestServer } from '../support/network/http.js';
import { MemoryManagement, sampleUpstream } from '../support/management/memory-management.js';

const page = express.Router().use((req, res) => void res.type('html').send(`page ${req.url}`));
const denyAll = [{ action: 'deny', who: 'all' }] as const;

async function withApp(
  locations: readonly (Partial<LocationSettings> & { path: string })[],
  run: (server: TestServer) => Promise<void>,
  settings: Partial<AppSettings> = {},
): Promise<void> {
  const app = createApp({
    locations: locations.map((location) => ({ access: [], ...location })),
    management: new MemoryManagement([['a/b', sampleUpstream()]]),
    health: { ready: () => true },
    status: () => page,
    control: ({ control }) => express.Router().post('/', (_req, res) => void res.json(control)),
    ...settings,
  });
  const server = await serve(app);
  try {
    await run(server);
  } finally {
    await server.close();
  }
}

describe('app of locations', () => {
  it('serves each location at its path, and 404 as JSON elsewhere', async () => {
    const locations = [
      { path: '/kmp_rtmp_api/', api: { write: true } },
      { path: '/metrics', metrics: { upstreams: true } },
      { path: '/control', control: { code: 'ok' } },
      { path: '/status', status: true, health: true },
    ];
    await withApp(locations, async (server) => {
      for (const path of ['/kmp_rtmp_api', '/kmp_rtmp_api/', '/kmp_rtmp_api/?x', '/kmp_rtmp_api/upstreams']) {
        const { status, headers } = await server.get(path);
        assert.equal(status, 200, path);
        assert.equal(headers['content-type'], 'application/json');
      }
      assert.equal((await server.get('/kmp_rtmp_api/upstreams/a%2Fb')).status, 200);
      assert.equal((await server.request('DELETE', '/kmp_rtmp_api/upstreams/a%2fb')).status, 204);
      assert.match((await server.get('/metrics')).text, /^kmp_rtmp_upstreams\{/m);
      assert.deepEqual((await server.request('POST', '/control')).json, { code: 'ok' });
      assert.equal((await server.get('/status/x%2Fy?z=1')).text, 'page /x%2Fy?z=1');
      assert.equal((await server.get('/status/readyz')).status, 200);
      for (const path of ['/', '/healthz', '/kmp_rtmp_apix', '/KMP_RTMP_API', '/control/x', '/upstreams', '/%zz']) {
        const { status, json, headers } = await server.get(path);
        assert.equal(status, 404, path);
        assertHas(json, { error: 'not_found' });
        assert.equal(headers['x-powered-by'], undefined);
        assert.equal(headers['x-content-type-options'], 'nosniff');
      }
    });
  });

  it('uses only the location with the longest path', async () => {
    const locations = [
      { path: '/', status: true, health: true },
      { path: '/api', api: { write: false } },
      { path: '/api/upstreams/secret', api: { write: false }, access: denyAll },
      { path: '/closed/', status: true, access: denyAll },
      { path: '/api/exact', exact: true, status: true },
    ];
    await withApp(locations, async (server) => {
      assert.equal((await server.get('/anything')).text, 'page /anything');
      assert.equal((await server.get('/healthz')).status, 200);
      assertHas((await server.get('/api')).json, { pid: 12828 });
      assert.equal((await server.get('/api/nothing')).status, 404, 'not looked for in /');
      assert.equal((await server.get('/api/exact')).text, 'page /');
      assertHas((await server.get('/api/exact/more')).json, { error: 'not_found' });
      // All of these are one place for nginx too.
      const spellings = [
        '/closed',
        '/closed/x',
        '//closed/x',
        '/%63losed/x',
        '/api/upstreams/secret',
        '/api//upstreams/%73ecret',
      ];
      for (const path of spellings) {
        assert.equal((await server.get(path)).status, 403, path);
      }
    });
  });

  it('accepts an absolute URL as the request target', async () => {
    await withApp([{ path: '/api', api: { write: false } }], async (server) => {
      assert.equal((await server.get(`http://127.0.0.1:${server.port}/api/upstreams?list=1`)).text, '["a/b"]');
    });
  });

  it('checks the address first, then the token, and needs no token for health checks', async () => {
    const locations = [
      { path: '/api', api: { write: false }, token: 's3cret' },
      { path: '/', status: true, token: ['s3cret', 'old'], health: true },
      { path: '/closed', status: true, token: 's3cret', health: true, access: denyAll },
    ];
    await withApp(locations, async (server) => {
      assert.equal((await server.get('/api/upstreams')).status, 401);
      assert.equal((await server.get('/api/nothing')).status, 401);
      assert.equal((await server.get('/api', { authorization: 'Bearer s3cret' })).status, 200);
      assert.equal((await server.get('/api', { authorization: 'Bearer old' })).status, 401);
      assert.equal((await server.get('/', { authorization: 'Bearer old' })).status, 200);
      assert.equal((await server.get('/')).status, 401);
      assert.equal((await server.get('/healthz')).status, 200);
      assert.equal((await server.get('/closed/healthz')).status, 403);
      assert.equal((await server.get('/closed', { authorization: 'Bearer s3cret' })).status, 403);
    });
  });

  it('answers 500 without details when the service fails', async () => {
    const management = new MemoryManagement();
    management.failure = new Error('worker 3 is gone');
    const locations = [
      { path: '/api', api: { write: false } },
      { path: '/metrics', metrics: { upstreams: true } },
    ];
    await withApp(
      locations,
      async (server) => {
        for (const path of ['/api', '/metrics']) {
          const { status, json, text } = await server.get(path);
          assert.equal(status, 500);
          assertHas(json, { error: 'internal_error' });
          assert.ok(!text.includes('worker'));
        }
      },
      { management },
    );
  });
});

describe('app, requests over loopback', () => {
  it('accepts only host names that a foreign web page cannot use', async () => {
    await withApp(
      [{ path: '/api', api: { write: false } }],
      async (server) => {
        const { port } = server;
        const known = [
          '127.0.0.1',
          `localhost:${port}`,
          'LOCALHOST',
          '[::1]:80',
          '10.0.0.1',
          'a.localhost',
          hostname(),
          'kmp.test',
        ];
        for (const host of known) assert.equal((await server.get('/api', { host })).status, 200, host);
        for (const host of [
          'evil.test',
          `evil.test:${port}`,
          'localhost.evil.test',
          'kmp.test.evil',
          '127.0.0.1.evil',
          '@',
        ]) {
          const { status, json } = await server.get('/api', { host });
          assert.equal(status, 421, host);
          assertHas(json, { error: 'unknown_host' });
        }
      },
      { serverNames: ['KMP.test'] },
    );
  });
});
