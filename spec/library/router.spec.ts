import { afterEach, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import express from 'express';
import { healthRouter, managementRouter, metricsRouter, parseConfig, Service } from '../../lib/index.js';
import { eventually } from '../support/time/eventually.js';
import { loadScenario, playScenario } from '../support/rtmp/golden.js';
import { serve, type TestServer } from '../support/network/http.js';
import { ScriptableIngest } from '../support/ingest/scriptable-ingest.js';

const config = parseConfig(`
  stream {
    server {
      listen 127.0.0.1:0;
      kmp_rtmp;
      kmp_rtmp_out_answer_timeout 0;
    }
  }
`);

describe("the routers in an app of the user's own", () => {
  let close: (() => Promise<unknown>)[] = [];

  afterEach(async () => {
    for (const one of close.reverse()) await one();
    close = [];
  });

  async function start(): Promise<{ service: Service; server: TestServer }> {
    const service = new Service(config);
    await service.start();
    close.push(async () => service.kill());
    const app = express();
    app.get('/hello', (_req, res) => void res.send('mine'));
    app.use('/live/kmp', managementRouter(service.management, { write: true }));
    app.use('/live/metrics', metricsRouter(service.management, { upstreams: true }));
    app.use('/live', healthRouter({ ready: () => service.ready }));
    const server = await serve(app);
    close.push(() => server.close());
    return { service, server };
  }

  it("answer below their paths, and leave the app's own routes alone", async () => {
    const { server } = await start();
    assert.equal((await server.get('/hello')).text, 'mine');
    assert.deepEqual((await server.get('/live/kmp/upstreams')).json, {});
    assert.equal((await server.get('/live/readyz')).status, 200);
    assert.match((await server.get('/live/metrics')).text, /^# HELP kmp_rtmp_/m);
    assert.equal((await server.get('/live/kmp/nothing')).status, 404);
    assert.equal((await server.get('/kmp/upstreams')).status, 404);
  });

  it('show and drop what the service publishes', async () => {
    const { service, server } = await start();
    const ingest = await ScriptableIngest.start();
    close.push(() => ingest.close());
    const [kmp] = service.kmpAddresses;
    // Without its last two steps, which end the tracks.
    const scenario = loadScenario('av');
    const steps = scenario.steps.filter(({ send }) => send?.[0] === 0);
    const senders = await playScenario({ ...scenario, steps }, kmp?.port ?? 0, ingest.port);
    close.push(async () => senders.forEach((sender) => sender.destroy()));
    const connection = await ingest.next();
    await connection.message(({ type }) => type === 9);

    const list = await server.get('/live/kmp/upstreams?list=1');
    assert.deepEqual(list.json, ['u1']);
    const { json } = await server.get('/live/kmp/upstreams/u1/streams');
    assert.deepEqual(Object.keys(json as object), ['stream']);
    assert.equal((await server.request('DELETE', '/live/kmp/upstreams/u1')).status, 204);
    await connection.closed;
    await eventually(() => senders.every((sender) => sender.destroyed), 'the senders being hung up on');
    assert.deepEqual((await server.get('/live/kmp/upstreams?list=1')).json, []);
  });
});
