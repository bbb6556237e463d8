import assert from 'node:assert/strict';
import { createServer, type AddressInfo } from 'node:net';
import { afterEach, describe, it } from 'node:test';
import { mediaSettings, type MediaSettings } from '../../../lib/config/settings.js';
import { notificationOf } from '../../../lib/upstream/notify/notification.js';
import { Notifier } from '../../../lib/upstream/notify/notifier.js';
import { eventually } from '../../support/time/eventually.js';
import { FakeClock } from '../../support/time/fake-clock.js';
import { httpTarget, reply, type HttpTarget } from '../../support/network/http-target.js';
import { LogLines } from '../../support/service/log-lines.js';

const source = {
  id: 'id1',
  data: { url: 'rtmp://127.0.0.1:1935/app/streamsecret', header: undefined, opaque: undefined },
  serverStatus: null,
};
const closed = notificationOf({ type: 'rtmp_close', reason: 'done', message: 'all is sent' }, source);

describe('notifications', () => {
  const targets: HttpTarget[] = [];
  const log = new LogLines();

  async function target(...args: Parameters<typeof httpTarget>): Promise<HttpTarget> {
    const made = await httpTarget(...args);
    targets.push(made);
    return made;
  }

  function settings(url: string, partial: Partial<MediaSettings> = {}): MediaSettings {
    return mediaSettings({ outNotifUrl: url, ...partial });
  }

  afterEach(async () => {
    log.lines.length = 0;
    for (const one of targets.splice(0)) await one.close();
  });

  it('posts the documented body, byte for byte', async () => {
    const web = await target((socket) => reply(socket, 200, 'ok'));
    const notifier = new Notifier({ log });
    notifier.notify(closed, settings(web.url));
    assert.equal(await notifier.drain(5000), true);
    const [request] = web.requests;
    assert.equal(
      request?.body,
      '{"event_type":"rtmp_close","reason":"done","upstream_id":"id1",' +
        '"url":"rtmp://127.0.0.1:1935/app/streamsecret","header":"","opaque":""}',
    );
    assert.match(request?.head ?? '', /^POST \/notify HTTP\/1\.1\r\n/);
    assert.match(request?.head ?? '', /^content-type: application\/json\r?$/im);
    assert.match(request?.head ?? '', /^content-length: 134\r?$/im);
    assert.deepEqual(notifier.counters, { sent: 1, failed: 0 });
    assert.deepEqual(log.of('error'), []);
  });

  it('adds the last status of the server after the documented fields', async () => {
    const web = await target((socket) => reply(socket, 204));
    const notifier = new Notifier({ log });
    const event = notificationOf(
      { type: 'rtmp_close', reason: 'publish_rejected', message: 'in use' },
      {
        id: 'ü"1',
        data: { url: 'rtmp://h/a/s', header: 'x', opaque: '{"a":1}' },
        serverStatus: { level: 'error', code: 'NetStream.Publish.BadName', description: 'in use' },
      },
    );
    notifier.notify(event, settings(web.url));
    await notifier.drain(5000);
    assert.equal(
      web.requests[0]?.body,
      '{"event_type":"rtmp_close","reason":"publish_rejected","upstream_id":"ü\\"1","url":"rtmp://h/a/s","header":"x",' +
        '"opaque":"{\\"a\\":1}","status":{"level":"error","code":"NetStream.Publish.BadName","description":"in use"}}',
    );
  });

  it('sends the added headers, in place of its own where they have the same name', async () => {
    const web = await target((socket) => reply(socket, 200));
    const notifier = new Notifier({ log });
    const outNotifAddHeader = [
      { name: 'X-Token', value: 'abc' },
      { name: 'X-Many', value: '1' },
      { name: 'X-Many', value: '2' },
      { name: 'content-type', value: 'application/vnd.mine+json' },
    ];
    notifier.notify(closed, settings(web.url.replace('//', '//me:p%40ss@'), { outNotifAddHeader }));
    await notifier.drain(5000);
    const head = web.requests[0]?.head ?? '';
    assert.match(head, /^x-token: abc\r?$/im);
    assert.match(head, /^x-many: 1\r?\nx-many: 2\r?$/im);
    assert.match(head, /^content-type: application\/vnd\.mine\+json\r?$/im);
    assert.equal(head.match(/^content-type:/gim)?.length, 1);
    // "me:p@ss", encoded by hand
    assert.match(head, /^authorization: Basic bWU6cEBzcw==\r?$/im);
  });

  it('sends nothing without a URL, and no event that was not asked for', async () => {
    const web = await target((socket) => reply(socket, 200));
    const notifier = new Notifier({ log });
    const reconnected = notificationOf({ type: 'rtmp_reconnect', reason: 'recv_failed', message: 'reset' }, source);
    notifier.notify(closed, settings(''));
    notifier.notify(reconnected, settings(web.url));
    notifier.notify(reconnected, settings(web.url, { outNotifEvents: ['rtmp_close', 'rtmp_reconnect'] }));
    await notifier.drain(5000);
    assert.deepEqual(
      web.requests.map(({ body }) => body.slice(0, 52)),
      ['{"event_type":"rtmp_reconnect","reason":"recv_failed'],
    );
  });

  it('counts and logs an answer that is no success, with the URL masked', async () => {
    const web = await target((socket) => reply(socket, 500, 'rtmp://127.0.0.1:1935/app/streamsecret'));
    const notifier = new Notifier({ log });
    notifier.notify(closed, settings(`${web.url}/hooktoken123?key=querysecret`));
    await notifier.drain(5000);
    assert.deepEqual(notifier.counters, { sent: 0, failed: 1 });
    assert.match(log.text, /notification to http:\/\/127\.0\.0\.1:\d+\/notify\/hoo\*\*\*\?\*\*\* failed: .*status 500/);
    assert.doesNotMatch(log.text, /hooktoken|querysecret|streamsecret/);
  });

  it('does not follow a redirect', async () => {
    const other = await target((socket) => reply(socket, 200));
    const web = await target((socket) => reply(socket, 307, '', { Location: other.url }));
    const notifier = new Notifier({ log });
    notifier.notify(closed, settings(web.url));
    await notifier.drain(5000);
    assert.equal(other.requests.length, 0);
    assert.deepEqual(notifier.counters, { sent: 0, failed: 1 });
    assert.match(log.text, /status 307/);
  });

  it('gives up a target that answers nothing, after the read timeout', async () => {
    const web = await target(() => {});
    const notifier = new Notifier({ log });
    notifier.notify(closed, settings(web.url, { outNotifTimeout: 60_000, outNotifReadTimeout: 30 }));
    await web.received(1);
    assert.equal(await notifier.drain(10_000), true);
    assert.match(log.text, /no answer within 30 ms \(kmp_rtmp_out_notif_read_timeout\)/);
    assert.deepEqual(notifier.counters, { sent: 0, failed: 1 });
  });

  it('gives up a target that stops in the middle of its answer', async () => {
    const web = await target((socket) => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this'));
    const notifier = new Notifier({ log });
    notifier.notify(closed, settings(web.url, { outNotifReadTimeout: 30 }));
    assert.equal(await notifier.drain(10_000), true);
    assert.match(log.text, /kmp_rtmp_out_notif_read_timeout/);
  });

  it('gives up a target that does not take the request, after the send timeout', async () => {
    // Reads once: with a body larger than the kernel's buffers, the request cannot be sent.
    const server = createServer((socket) => socket.on('error', () => {}).once('data', () => socket.pause()));
    const reading = new Promise((resolve) => server.once('connection', (socket) => socket.once('data', resolve)));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const clock = new FakeClock();
    const notifier = new Notifier({ log, clock });
    const event = { ...closed, opaque: 'x'.repeat(12_000_000) };
    notifier.notify(event, settings(`http://127.0.0.1:${port}/`, { outNotifTimeout: 60, outNotifReadTimeout: 60_000 }));
    const drained = notifier.drain(10_000);
    await reading;
    clock.advance(60);
    assert.equal(await drained, true);
    assert.match(log.text, /the request was not sent within 60 ms \(kmp_rtmp_out_notif_timeout\)/);
    server.close();
  });

  it('reports what failed if no target listens', async () => {
    const web = await target(() => {});
    await web.close();
    const notifier = new Notifier({ log });
    notifier.notify(closed, settings(web.url));
    await notifier.drain(5000);
    assert.match(log.text, /ECONNREFUSED/);
    notifier.notify(closed, settings(web.url));
    assert.deepEqual(notifier.counters, { sent: 0, failed: 2 }, 'after draining nothing is sent any more');
  });

  it('reads no more of the answer than the limit', async () => {
    let taken = 0;
    const web = await target((socket) => {
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n');
      const more = (): void => {
        const block = Buffer.alloc(65536);
        if (socket.destroyed) return;
        taken += block.length;
        socket.write(block, more);
      };
      more();
    });
    const notifier = new Notifier({ log });
    notifier.notify(closed, settings(web.url, { outNotifBufferSize: 4096 }));
    assert.equal(await notifier.drain(10_000), true);
    assert.deepEqual(notifier.counters, { sent: 1, failed: 0 });
    assert.ok(taken < 100_000_000, `${taken} bytes were sent by the target`);
  });

  it('limits simultaneous requests, and a slow target does not delay others', async () => {
    const slow = await target(() => {});
    const quick = await target((socket) => setImmediate(() => reply(socket, 200)));
    const notifier = new Notifier({ log, maxInFlight: 3 });
    // Those of one upstream are sent one after the other.
    for (let i = 0; i < 20; i++) notifier.notify({ ...closed, upstream_id: `id${i}` }, settings(slow.url));
    for (let i = 0; i < 20; i++) notifier.notify({ ...closed, upstream_id: `id${i}` }, settings(quick.url));
    await quick.received(20);
    await eventually(() => notifier.counters.sent === 20, 'the answers');
    assert.equal(slow.mostOpen, 3);
    assert.ok(quick.mostOpen <= 4, `${quick.mostOpen} connections at a time`);
    assert.equal(await notifier.drain(20), false);
    assert.deepEqual(notifier.counters, { sent: 20, failed: 20 });
    assert.equal(notifier.pending, 0);
  });

  it('drops notifications beyond its memory limit, and logs that once', async () => {
    const web = await target(() => {});
    const notifier = new Notifier({ log, maxInFlight: 1, maxHeldBytes: 10_000 });
    for (let i = 0; i < 1000; i++) notifier.notify(closed, settings(web.url));
    assert.ok(notifier.pending < 10);
    assert.equal(log.lines.filter(({ message }) => message.includes('dropped')).length, 1);
    await notifier.drain(0);
    assert.deepEqual(notifier.counters, { sent: 0, failed: 1000 });
  });
});
