import { afterEach, beforeEach, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { maskText } from '../../lib/base/mask.js';
import { eventually } from '../support/time/eventually.js';
import { framesOf, kindsOf } from '../support/ingest/ingest-media.js';
import { frameAt, KmpSender, videoMinf } from '../support/kmp/kmp-sender.js';
import { AT_ONCE_DIRECTIVES, RunningService } from '../support/service/running-service.js';
import { ScriptableIngest } from '../support/ingest/scriptable-ingest.js';

const settings = `${AT_ONCE_DIRECTIVES}
  kmp_rtmp_out_answer_timeout 5s; kmp_rtmp_in_read_interval 0; kmp_rtmp_in_ack frame;`;

describe('what operators can order', { timeout: 90_000 }, () => {
  let ingest: ScriptableIngest;
  let running: RunningService;
  const senders: KmpSender[] = [];

  async function open(id = 'u1', frameId = 0n): Promise<KmpSender> {
    const url = `rtmp://127.0.0.1:${ingest.port}/app/${id}`;
    const sender = await KmpSender.open(running.kmpPort, { upstream_id: id, url }, { frameId });
    senders.push(sender);
    sender.send(videoMinf());
    return sender;
  }
  const order = async (path: string): Promise<number> => (await running.request('POST', `/api${path}`)).status;
  const state = (wanted: string, id = 'u1') => running.shows(id, (one) => one.state === wanted, wanted);
  const acked = (sender: KmpSender, frameId: bigint): Promise<void> =>
    eventually(() => (sender.lastAck ?? -1n) >= frameId, `the ack of ${frameId}`);

  beforeEach(async () => {
    ingest = await ScriptableIngest.start({ answers: true });
    running = await RunningService.start({ media: settings });
  });
  afterEach(async () => {
    for (const sender of senders.splice(0)) sender.destroy();
    await running.close();
    await ingest.close();
  });

  it('disable: the RTMP connection ends, senders stay and are acknowledged; enable: from a key frame on', async () => {
    const sender = await open();
    sender.send(frameAt(0, 'v0', { key: true }), frameAt(40, 'v1'));
    const first = await ingest.next();
    await first.until(() => framesOf(first).includes('v1'));
    assert.equal(await order('/upstreams/u1/disable'), 204);
    await state('disabled');
    await first.command('deleteStream');
    await eventually(() => first.isClosed, 'the end of the RTMP connection');
    sender.send(frameAt(80, 'v2'), frameAt(120, 'v3', { key: true }), frameAt(160, 'v4'));
    await acked(sender, 5n);
    assert.equal(sender.isClosed, false);
    assert.equal(ingest.connections.length, 1);

    assert.equal(await order('/upstreams/u1/enable'), 204);
    const second = await ingest.next();
    await second.command('publish');
    sender.send(frameAt(200, 'v5'), frameAt(240, 'v6', { key: true }), frameAt(280, 'v7'));
    await second.until(() => framesOf(second).includes('v7'));
    assert.deepEqual(framesOf(second), ['v6', 'v7']);
    assert.deepEqual(kindsOf(second).slice(0, 3), ['metadata', 'video header', 'video']);
    await state('publishing');
    assert.match(running.log.text, /API: POST \/upstreams\/u1\/disable done, for 127\.0\.0\.1/);
  });

  it('an order for a route with a stream is refused: it would be for all streams of the app', async () => {
    const senders = [await open('a'), await open('b')];
    for (const sender of senders) sender.send(frameAt(0, 'v0', { key: true }));
    for (const id of ['a', 'b']) await state('publishing', id);
    const url = `rtmp://name:pa55word@127.0.0.1:${ingest.port}/app/secret_key_1?token=t0ken`;
    const route = encodeURIComponent(url);
    const to = { url: 'rtmp://127.0.0.1/other' };
    const replies = [
      ...(await Promise.all(
        ['disable', 'enable', 'retry'].map((one) => running.request('POST', `/api/routes/${route}/${one}`)),
      )),
      await running.postJson(`/api/routes/${route}/elsewhere`, to),
      await running.request('DELETE', `/api/routes/${route}/elsewhere`),
    ];
    for (const { status, json, text } of replies) {
      assert.deepEqual([status, Reflect.get(json as object, 'error')], [400, 'bad_request']);
      assert.match(text, /a route ends with the app, and this one has a stream; .*\/upstreams\/\{id\}/);
      assert.doesNotMatch(text, /pa55word|secret_key_1|t0ken/);
    }
    for (const id of ['a', 'b']) await state('publishing', id);
    assert.deepEqual((await running.request('GET', '/api/orders')).json, []);
    assert.doesNotMatch(running.log.text, /pa55word|secret_key_1|t0ken/);
  });

  it('an order for a route is logged without the login that the route contains', async () => {
    const sender = await open();
    sender.send(frameAt(0, 'v0', { key: true }));
    await state('publishing');
    const route = encodeURIComponent(`rtmp://name:pa55word@127.0.0.1:${ingest.port}/app/`);
    assert.equal((await running.request('POST', `/api/routes/${route}/disable`)).status, 200);
    await state('disabled');
    assert.match(running.log.text, /API: POST \/routes\/<rtmp:\/\/\*\*\*@127\.0\.0\.1:\d+\/app\S*>\/disable done/);
    assert.doesNotMatch(running.log.text, /pa55word/);
    // The log masks URLs in each line. It must not mistake the order for a stream key.
    const app = `rtmp://127.0.0.1:${ingest.port}/app`;
    assert.equal((await running.request('POST', `/api/routes/${encodeURIComponent(app)}/retry`)).status, 200);
    const line = running.log.text.split('\n').find((one) => one.includes('/retry'));
    assert.ok(maskText(line ?? '').includes(`API: POST /routes/<${app}>/retry done`), running.log.text);
  });

  it('disable: a server that resets the connection does not end the upstream', async () => {
    const sender = await open();
    sender.send(frameAt(0, 'v0', { key: true }));
    const first = await ingest.next();
    await first.until(() => framesOf(first).includes('v0'));
    await state('publishing');
    assert.equal(await order('/upstreams/u1/disable'), 204);
    first.reset();
    sender.send(frameAt(40, 'v1'));
    await acked(sender, 2n);
    await state('disabled');
    assert.equal(sender.isClosed, false);
    assert.equal(await order('/upstreams/u1/enable'), 204);
    sender.send(frameAt(80, 'v2', { key: true }));
    await state('publishing');
    assert.doesNotMatch(running.log.text, /upstream ended/);
  });

  it('disable outlives the senders: an upstream that they create again is disabled, until it is enabled', async () => {
    const sender = await open();
    sender.send(frameAt(0, 'v0', { key: true }));
    await state('publishing');
    assert.equal(await order('/upstreams/u1/disable'), 204);
    await state('disabled');
    sender.end();
    await sender.closed;
    await eventually(() => /upstream ended: done/.test(running.log.text), 'the end of the upstream');
    const connections = ingest.connections.length;
    const again = await open();
    again.send(frameAt(0, 'w0', { key: true }), frameAt(40, 'w1'));
    await acked(again, 2n);
    await state('disabled');
    assert.equal(ingest.connections.length, connections);
    assert.equal(await order('/upstreams/u1/enable'), 204);
    again.send(frameAt(80, 'w2', { key: true }));
    await state('publishing');
    const last = ingest.connections.at(-1);
    await last?.until(() => framesOf(last).includes('w2'));
  });

  it('by route: all upstreams of a server and app, present and later ones, and no others', async () => {
    await open('a');
    await open('b');
    await state('publishing', 'a');
    await state('publishing', 'b');
    const route = encodeURIComponent(`rtmp://127.0.0.1:${ingest.port}/app`);
    const reply = await running.request('POST', `/api/routes/${route}/disable`);
    assert.deepEqual([reply.status, reply.json], [200, { upstreams: 2 }]);
    await state('disabled', 'a');
    await state('disabled', 'b');
    await open('c');
    await state('disabled', 'c');
    assert.equal(await order(`/routes/${encodeURIComponent('rtmp://127.0.0.1/other')}/enable`), 404);
    assert.equal(await order(`/routes/none/disable`), 400);
    assert.equal(await order(`/routes/${route}/enable`), 200);
    for (const id of ['a', 'b', 'c']) await state('publishing', id);
  });

  it('retry: the next attempt is made now', async () => {
    await running.close();
    running = await RunningService.start({
      media: `${settings} kmp_rtmp_out_reconnects unlimited; kmp_rtmp_out_reconnect_interval 30s;`,
    });
    ingest.script = { answers: true, rejectConnect: { code: 'NetConnection.Connect.Rejected', description: 'full' } };
    await open();
    await running.shows('u1', ({ next_attempt: next }) => next !== null && next > 5, 'the wait');
    ingest.script = { answers: true };
    assert.equal(await order('/upstreams/u1/retry'), 204);
    await state('publishing');
  });

  it('nothing at an API that is read-only, and nothing for an upstream that is not there', async () => {
    assert.equal(await order('/upstreams/none/disable'), 404);
    assert.equal(await order('/upstreams/none/retry'), 404);
    assert.equal((await running.request('POST', '/read/upstreams/u1/disable')).status, 405);
    assert.equal((await running.request('GET', '/api/upstreams/u1/disable')).status, 405);
  });
});
