import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { healthRouter } from '../../lib/api/health.js';
import { assertHas } from '../support/values/assert-has.js';
import { appWith, serve, type TestServer } from '../support/network/http.js';

describe('health routes', () => {
  let server: TestServer;
  let ready = true;

  before(async () => {
    server = await serve(appWith('/', healthRouter({ ready: () => ready })));
  });
  after(() => server.close());

  it('are both 200 while the service accepts connections', async () => {
    ready = true;
    for (const path of ['/healthz', '/readyz']) {
      const { status, json, headers } = await server.get(path);
      assert.equal(status, 200);
      assert.deepEqual(json, { status: 'ok' });
      assert.equal(headers['cache-control'], 'no-store');
      assert.equal((await server.request('HEAD', path)).status, 200);
    }
  });

  it('distinguish a service that is shutting down from a dead one', async () => {
    ready = false;
    assert.equal((await server.get('/healthz')).status, 200);
    const { status, json } = await server.get('/readyz');
    assert.equal(status, 503);
    assertHas(json, { error: 'not_ready' });
  });

  it('accept GET only, and pass other paths on', async () => {
    const { status, headers } = await server.request('POST', '/readyz');
    assert.equal(status, 405);
    assert.equal(headers.allow, 'GET, HEAD, OPTIONS');
    assert.equal((await server.request('OPTIONS', '/healthz')).status, 204);
    assert.equal((await server.get('/other')).status, 404);
  });
});
