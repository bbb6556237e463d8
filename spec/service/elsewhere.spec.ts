import { afterEach, beforeEach, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { eventually } from '../support/time/eventually.js';
import { framesOf, kindsOf, mediaOf } from '../support/ingest/ingest-media.js';
import { audioMinf, frameAt, KmpSender, videoMinf } from '../support/kmp/kmp-sender.js';
import { RunningService } from '../support/service/running-service.js';
import { ScriptableIngest } from '../support/ingest/scriptable-ingest.js';

const settings = `kmp_rtmp_out_min_process_delay 0ms; kmp_rtmp_out_flush_timeout 0ms; kmp_rtmp_out_write_meta_timeout 0ms;
  kmp_rtmp_out_answer_timeout 5s; kmp_rtmp_in_read_interval 0; kmp_rtmp_in_ack frame;`;

describe('an operator sends upstreams elsewhere', { timeout: 90_000 }, () => {
  let here: ScriptableIngest;
  let there: ScriptableIngest;
  let running: RunningService;
  const senders: KmpSender[] = [];

  const urlAt = (ingest: ScriptableIngest, path: string): string => `rtmp://127.0.0.1:${ingest.port}/${path}`;

  async function open(id = 'u1', path = `app/${id}`): Promise<KmpSender> {
    const sender = await KmpSender.open(running.kmpPort, { upstream_id: id, url: urlAt(here, path) });
    senders.push(sender);
    sender.send(videoMinf());
    return sender;
  }
  const state = (wanted: string, id = 'u1') => running.shows(id, (one) => one.state === wanted, wanted);
  const acked = (sender: KmpSender, frameId: bigint): Promise<void> =>
    eventually(() => (sender.lastAck ?? -1n) >= frameId, `the ack of ${frameId}`);
  const ofRoute = (path: string): string => `/api/routes/${encodeURIComponent(urlAt(here, path))}/elsewhere`;

  beforeEach(async () => {
    here = await ScriptableIngest.start({ answers: true });
    there = await ScriptableIngest.start({ answers: true });
    running = await RunningService.start({ media: settings });
  });
  afterEach(async () => {
    for (const sender of senders.splice(0)) sender.destroy();
    await running.close();
    await here.close();
    await there.close();
  });

  it('from a key frame on, with headers and in time; the senders stay, and what they send is acknowledged', async () => {
    const sender = await open();
    sender.send(frameAt(0, 'v0', { key: true }), frameAt(40, 'v1'));
    const first = await here.next();
    await first.until(() => framesOf(first).includes('v1'));
    const url = urlAt(there, 'other/secret-key-2?token=abc');
    assert.equal((await running.postJson('/api/upstreams/u1/elsewhere', { url })).status, 204);
    await first.command('deleteStream');
    await eventually(() => first.isClosed, 'the end of the RTMP connection');
    const second = await there.next();
    await second.command('publish');
    sender.send(frameAt(80, 'v2'), frameAt(120, 'v3', { key: true }), frameAt(160, 'v4'));
    await second.until(() => framesOf(second).includes('v4'));
    assert.deepEqual(framesOf(second), ['v3', 'v4']);
    assert.deepEqual(kindsOf(second).slice(0, 3), ['metadata', 'video header', 'video']);
    const times = mediaOf(second).filter(({ kind }) => kind === 'video');
    assert.deepEqual(
      times.map(({ ms }) => ms),
      [120, 160],
    );
    const [publish] = second.commands('publish');
    assert.equal(publish?.[3], 'secret-key-2?token=abc');
    await acked(sender, 5n);
    assert.equal(sender.isClosed, false);
    const shown = await state('publishing');
    assert.deepEqual(
      [shown.url, shown.destination_url, shown.elsewhere?.url, shown.elsewhere?.backup_urls, shown.last_error],
      [urlAt(here, 'app/u1'), url, url, [], null],
    );
    assert.deepEqual(Object.keys(shown.streams), ['u1'], 'the name that the sender has given');
    assert.match(
      running.log.text,
      /API: POST \/upstreams\/u1\/elsewhere done, for 127\.0\.0\.1:\d+: rtmp:\/\/[^/]*\/other\/sec\*\*\*/,
    );
    assert.doesNotMatch(running.log.text, /secret-key-2|token=abc/);
  });

  it('and back to where the senders ask for', async () => {
    const sender = await open();
    sender.send(frameAt(0, 'v0', { key: true }));
    await state('publishing');
    await running.postJson('/api/upstreams/u1/elsewhere', { url: urlAt(there, 'other/u2') });
    sender.send(frameAt(40, 'v1', { key: true }));
    const second = await there.next();
    await second.until(() => framesOf(second).includes('v1'));
    assert.equal((await running.request('DELETE', '/api/upstreams/u1/elsewhere')).status, 204);
    await second.command('deleteStream');
    sender.send(frameAt(80, 'v2', { key: true }));
    await here.next();
    const third = await here.next();
    await third.until(() => framesOf(third).includes('v2'));
    const [publish] = third.commands('publish');
    assert.equal(publish?.[3], 'u1');
    assert.equal((await state('publishing')).elsewhere, null);
    // It is there already.
    assert.equal((await running.request('DELETE', '/api/upstreams/u1/elsewhere')).status, 204);
    assert.equal(here.connections.length, 2);
  });

  it('outlives the senders: an upstream that they create again goes there at once', async () => {
    const sender = await open();
    sender.send(frameAt(0, 'v0', { key: true }));
    await state('publishing');
    await running.postJson('/api/upstreams/u1/elsewhere', { url: urlAt(there, 'other/u2') });
    const second = await there.next();
    await second.command('publish');
    sender.end();
    await sender.closed;
    await eventually(() => /upstream ended: done/.test(running.log.text), 'the end of the upstream');
    const again = await open();
    again.send(frameAt(0, 'w0', { key: true }));
    const third = await there.next();
    await third.until(() => framesOf(third).includes('w0'));
    assert.equal(here.connections.length, 1);
  });

  it('by route: all upstreams whose senders ask for it, present and later ones, each with its own stream', async () => {
    for (const id of ['a', 'b']) (await open(id)).send(frameAt(0, `${id}0`, { key: true }));
    (await open('x', 'live/x')).send(frameAt(0, 'x0', { key: true }));
    for (const id of ['a', 'b', 'x']) await state('publishing', id);
    const withStream = await running.postJson(ofRoute('app'), { url: urlAt(there, 'other/name') });
    assert.deepEqual([withStream.status, Reflect.get(withStream.json as object, 'error')], [422, 'bad_destination']);
    const reply = await running.postJson(ofRoute('app'), { url: urlAt(there, 'other') });
    assert.deepEqual([reply.status, reply.json], [200, { upstreams: 2 }]);
    const names: unknown[] = [];
    for (let n = 0; n < 2; n++) {
      const connection = await there.next();
      const [, , , name] = await connection.command('publish');
      names.push(name);
    }
    assert.deepEqual(names.sort(), ['a', 'b']);
    (await open('c')).send(frameAt(0, 'c0', { key: true }));
    const later = await there.next();
    await later.until(() => framesOf(later).includes('c0'));
    // An order for the id comes first.
    await running.postJson('/api/upstreams/c/elsewhere', { url: urlAt(there, 'own/c') });
    const own = await there.next();
    await own.command('publish');
    assert.equal((await running.request('DELETE', ofRoute('app'))).status, 200);
    for (const id of ['a', 'b']) await running.shows(id, (one) => one.elsewhere === null, 'the way back');
    assert.equal((await running.upstream('c'))?.elsewhere?.url, urlAt(there, 'own/c'));
    assert.equal((await running.upstream('x'))?.elsewhere, null);
    assert.equal((await running.request('DELETE', ofRoute('none'))).status, 404);
  });

  it('what must not be is refused with the reason, and nothing changes', async () => {
    await running.close();
    running = await RunningService.start({
      media: `${settings} kmp_rtmp_out_deny 192.0.2.0/24; kmp_rtmp_in_max_name_length 20;`,
    });
    const sender = await open();
    sender.send(frameAt(0, 'v0', { key: true }));
    await state('publishing');
    const kmp = running.kmpPort;
    const good = urlAt(there, 'app/x');
    const cases: [body: unknown, status: number, error: string, message: RegExp][] = [
      [{ url: 'http://127.0.0.1/app/x' }, 422, 'bad_destination', /url: the RTMP url has the scheme "http"/],
      [{ url: 'rtmp://127.0.0.1' }, 422, 'bad_destination', /url: the RTMP url has no app/],
      [{ url: `${good}${'x'.repeat(400)}` }, 422, 'bad_destination', /url: url has \d+ characters, the maximum is 320/],
      [
        { url: 'rtmp://192.0.2.7/app/x' },
        422,
        'destination_refused',
        /url: 192\.0\.2\.7 port 1935 .*kmp_rtmp_out_deny/,
      ],
      [{ url: `rtmp://127.0.0.1:${kmp}/app/x` }, 422, 'destination_refused', /the service itself listens there/],
      [{ url: 'rtmp://a..b/app/x' }, 422, 'destination_unresolved', /"a\.\.b" is not a host name/],
      [{ url: good, backup_urls: ['rtmp://192.0.2.7/app/x'] }, 422, 'destination_refused', /^backup_urls\[0\]: 192/],
      [{ url: good, backup_urls: Array(9).fill(good) }, 422, 'bad_destination', /the maximum is 8/],
      [{ url: good, backupUrls: [good] }, 400, 'bad_request', /unknown member, "backupUrls"/],
      [{ url: good, backup_urls: 'rtmp://127.0.0.1/app/x' }, 400, 'bad_request', /"backup_urls" must be an array/],
      [{ url: 7 }, 400, 'bad_request', /"url" must be a URL/],
      [{}, 400, 'bad_request', /"url" must be a URL/],
      [[], 415, 'unsupported_body', /JSON object/],
    ];
    for (const [body, status, error, message] of cases) {
      const reply = await running.postJson('/api/upstreams/u1/elsewhere', body);
      const answer = reply.json as { error: string; message: string };
      assert.deepEqual([reply.status, answer.error], [status, error], JSON.stringify(body));
      assert.match(answer.message, message);
    }
    assert.equal((await running.request('POST', '/api/upstreams/u1/elsewhere')).status, 415);
    assert.equal((await running.postJson('/api/upstreams/none/elsewhere', { url: good })).status, 404);
    assert.equal((await running.request('DELETE', '/api/upstreams/none/elsewhere')).status, 404);
    assert.equal((await running.postJson('/read/upstreams/u1/elsewhere', { url: good })).status, 405);
    assert.equal((await running.request('DELETE', '/read/upstreams/u1/elsewhere')).status, 405);
    assert.equal((await state('publishing')).elsewhere, null);
    assert.deepEqual([here.connections.length, there.connections.length], [1, 0]);
  });

  it('a server that is left, and resets the connection or reads no more, does no harm', async () => {
    await running.close();
    running = await RunningService.start({ media: settings.replace('answer_timeout 5s', 'answer_timeout 80s') });
    here.script = { answers: true, reads: 'never' };
    const stuck = await open('stuck');
    await eventually(() => here.connections.length === 1, 'the connection');
    here.script = { answers: true };
    const reset = await open('reset');
    reset.send(frameAt(0, 'r0', { key: true }));
    await state('publishing', 'reset');
    for (const id of ['stuck', 'reset']) {
      assert.equal(
        (await running.postJson(`/api/upstreams/${id}/elsewhere`, { url: urlAt(there, `x/${id}`) })).status,
        204,
      );
    }
    here.connections[1]?.reset();
    for (const [sender, id] of [
      [stuck, 'stuck'],
      [reset, 'reset'],
    ] as const) {
      sender.send(frameAt(40, `${id}1`, { key: true }));
      await state('publishing', id);
    }
    await eventually(() => here.connections[1]?.isClosed === true, 'the end of the connection that was reset');
    for (const [sender, id] of [
      [stuck, 'stuck'],
      [reset, 'reset'],
    ] as const) {
      sender.send(frameAt(80, `${id}2`));
      await eventually(() => there.connections.some((one) => framesOf(one).includes(`${id}2`)), `${id}2`);
    }
    assert.doesNotMatch(running.log.text, /upstream ended/);
  });

  it('away from a server that is down: what waits goes to the new one, from its first key frame on', async () => {
    await running.close();
    running = await RunningService.start({
      media: `${settings} kmp_rtmp_out_reconnects unlimited; kmp_rtmp_out_reconnect_interval 30s;`,
    });
    here.script = { answers: true, rejectConnect: { code: 'NetConnection.Connect.Rejected', description: 'full' } };
    const sender = await open();
    await running.shows('u1', ({ next_attempt: next }) => next !== null && next > 5, 'the wait');
    sender.send(frameAt(0, 'v0'), frameAt(40, 'v1', { key: true }), frameAt(80, 'v2'));
    await running.shows('u1', (one) => (one.streams['u1']?.tracks.video?.pending_frames ?? 0) >= 2, 'the queue');
    await running.postJson('/api/upstreams/u1/elsewhere', { url: urlAt(there, 'other/u2') });
    const second = await there.next();
    await second.until(() => framesOf(second).includes('v2'));
    assert.deepEqual(framesOf(second), ['v1', 'v2']);
    const shown = await state('publishing');
    assert.deepEqual([shown.last_error, shown.outage], [null, null]);
    await acked(sender, 3n);
  });

  it('with a backup of its own, which is used when the server refuses', async () => {
    there.script = { answers: true, rejectPublish: { code: 'NetStream.Publish.BadName', description: 'no' } };
    const third = await ScriptableIngest.start({ answers: true });
    const sender = await open();
    sender.send(frameAt(0, 'v0', { key: true }));
    await state('publishing');
    const body = { url: urlAt(there, 'other/u2'), backup_urls: [urlAt(third, 'more/u3')] };
    assert.equal((await running.postJson('/api/upstreams/u1/elsewhere', body)).status, 204);
    sender.send(frameAt(40, 'v1', { key: true }));
    const connection = await third.next();
    await connection.until(() => framesOf(connection).includes('v1'));
    const [publish] = connection.commands('publish');
    assert.equal(publish?.[3], 'u3');
    assert.deepEqual((await state('publishing')).destination, 1);
    await third.close();
  });

  it('while it is disabled, nothing is published; enabled, it is published there', async () => {
    const sender = await open();
    sender.send(frameAt(0, 'v0', { key: true }));
    await state('publishing');
    await running.request('POST', '/api/upstreams/u1/disable');
    await state('disabled');
    assert.equal(
      (await running.postJson('/api/upstreams/u1/elsewhere', { url: urlAt(there, 'other/u2') })).status,
      204,
    );
    sender.send(frameAt(40, 'v1', { key: true }));
    await acked(sender, 2n);
    await state('disabled');
    assert.equal(there.connections.length, 0);
    await running.request('POST', '/api/upstreams/u1/enable');
    sender.send(frameAt(80, 'v2', { key: true }));
    const second = await there.next();
    await second.until(() => framesOf(second).includes('v2'));
    assert.deepEqual(kindsOf(second).slice(0, 3), ['metadata', 'video header', 'video']);
    assert.deepEqual(framesOf(second), ['v2']);
  });

  it('sound and picture, and a further stream, which keeps its name', async () => {
    await running.close();
    running = await RunningService.start({ media: `${settings} kmp_rtmp_out_late_tracks accept;` });
    const video = await open('u1', 'app/s1');
    const audio = await KmpSender.open(running.kmpPort, { upstream_id: 'u1', url: urlAt(here, 'app/s1') });
    const other = await KmpSender.open(running.kmpPort, { upstream_id: 'u1', url: urlAt(here, 'app/s2') });
    senders.push(audio, other);
    audio.send(audioMinf());
    other.send(videoMinf());
    video.send(frameAt(0, 'v0', { key: true }));
    audio.send(frameAt(0, 'a0'));
    other.send(frameAt(0, 'o0', { key: true }));
    const first = await here.next();
    await first.until(() => ['v0', 'a0', 'o0'].every((one) => framesOf(first).includes(one)));
    await running.postJson('/api/upstreams/u1/elsewhere', { url: urlAt(there, 'other/main') });
    const second = await there.next();
    video.send(frameAt(40, 'v1', { key: true }), frameAt(80, 'v2'));
    audio.send(frameAt(40, 'a1'), frameAt(80, 'a2'));
    other.send(frameAt(40, 'o1', { key: true }));
    await second.until(() => ['v1', 'v2', 'a2', 'o1'].every((one) => framesOf(second).includes(one)));
    const names = second.commands('publish').map(([, , , name]) => name);
    assert.deepEqual(names, ['main', 's2'], 'the first stream has the given name, the other one keeps its own');
  });
});
