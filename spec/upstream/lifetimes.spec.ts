import { afterEach, beforeEach, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import type { MediaSettings } from '../../lib/config/settings.js';
import { eventually } from '../support/time/eventually.js';
import { FakeClock } from '../support/time/fake-clock.js';
import { framesOf, kindsOf, mediaOf } from '../support/ingest/ingest-media.js';
import { audioMinf, frameAt, KmpSender, videoMinf } from '../support/kmp/kmp-sender.js';
import { startKmp, type KmpService } from '../support/service/kmp-service.js';
import { ScriptableIngest } from '../support/ingest/scriptable-ingest.js';
import { turns } from '../support/time/turns.js';

describe('the lifetimes of upstreams, streams and tracks', { timeout: 90_000 }, () => {
  let ingest: ScriptableIngest;
  let service: KmpService;
  let clock: FakeClock;
  const senders: KmpSender[] = [];

  async function start(settings: Partial<MediaSettings> = {}): Promise<void> {
    service = await startKmp({ outFlushTimeout: 0, outOnfiPeriod: 0, ...settings }, { clock });
  }
  async function open(data: object = {}): Promise<KmpSender> {
    const url = `rtmp://127.0.0.1:${ingest.port}/app/s`;
    const sender = await KmpSender.open(service.port, { upstream_id: 'u1', url, ...data });
    senders.push(sender);
    return sender;
  }
  const tracks = (stream = 's', id = 'u1') => service.registry.get(id)?.status().streams[stream]?.tracks ?? {};
  const has = (kind: 'video' | 'audio', stream = 's', id = 'u1'): Promise<void> =>
    eventually(() => tracks(stream, id)[kind] !== undefined, `${kind} of ${stream}`);
  const holds = (kind: 'video' | 'audio', frames: number, stream = 's'): Promise<void> =>
    eventually(() => tracks(stream)[kind]?.pending_frames === frames, `${frames} frames of ${kind}`);
  async function video(data: object = {}): Promise<KmpSender> {
    const sender = await open(data);
    sender.send(videoMinf());
    return sender;
  }
  async function audio(data: object = {}): Promise<KmpSender> {
    const sender = await open(data);
    sender.send(audioMinf());
    return sender;
  }

  beforeEach(async () => {
    clock = new FakeClock();
    ingest = await ScriptableIngest.start();
  });
  afterEach(async () => {
    for (const sender of senders.splice(0)) sender.destroy();
    await service.close();
    await ingest.close();
  });

  it('begin with the first media info, not with the connect packet', async () => {
    await start();
    const sender = await open();
    await eventually(() => service.log.text.includes('KMP connected'), 'the connect packet');
    assert.deepEqual(service.registry.ids(), []);
    sender.send(videoMinf());
    await has('video');
  });

  it('tracks of one id share a connection, whose connect data is the first one’s', async () => {
    await start();
    const data = { app: 'first', flash_ver: 'one', swf_url: 'swf', page_url: 'page', opaque: 'first' };
    await video(data);
    await has('video');
    await audio({ url: 'rtmp://192.0.2.1/other/s', app: 'second', flash_ver: 'two', opaque: 'second' });
    await has('audio');
    const connection = await ingest.next();
    const [, , connect] = await connection.command('connect');
    const tcUrl = `rtmp://127.0.0.1:${ingest.port}/first`;
    assert.deepEqual(connect, { app: 'first', flashVer: 'one', swfUrl: 'swf', tcUrl, pageUrl: 'page' });
    await connection.message(({ type }) => type === 18);
    assert.deepEqual(kindsOf(connection), ['metadata', 'video header', 'audio header']);
    assert.equal(ingest.connections.length, 1);
    assert.equal(service.registry.get('u1')?.status().opaque, 'first');
  });

  it('tracks of different ids have nothing to do with each other', async () => {
    await start({ outMinProcessDelay: 0, outWriteMetaTimeout: 0 });
    const one = await audio({ upstream_id: 'one' });
    await has('audio', 's', 'one');
    const two = await audio({ upstream_id: 'two' });
    await has('audio', 's', 'two');
    clock.advance(0);
    one.send(frameAt(0, 'of one'));
    two.send(frameAt(0, 'of two'));
    const connections = [await ingest.next(), await ingest.next()];
    for (const connection of connections) await connection.message(({ payload }) => payload.includes('of '));
    assert.deepEqual(
      connections.map((connection) => framesOf(connection)),
      [['of one'], ['of two']],
    );
    connections[0]?.reset();
    const { upstream, reason } = await service.ended();
    assert.deepEqual([upstream.id, reason], ['one', 'recv_failed']);
    await one.closed;
    two.send(frameAt(40, 'two goes on'));
    await connections[1]?.message(({ payload }) => payload.includes('goes on'));
  });

  it('names of object properties are ordinary ids', async () => {
    await start();
    for (const id of ['__proto__', 'constructor', 'toString']) {
      await video({ upstream_id: id, name: id });
      await has('video', id, id);
    }
    assert.deepEqual(Object.keys(service.registry.status()), ['__proto__', 'constructor', 'toString']);
  });

  it('a second sender of a live track is refused, and disturbs nothing', async () => {
    await start({ outMinProcessDelay: 0 });
    const first = await video();
    await has('video');
    const second = await video();
    await second.closed;
    assert.match(service.log.text, /error KMP connection closed: .*has a video track already, from connection 1/);
    await audio();
    await has('audio');
    first.send(frameAt(0, 'v0', { key: true }));
    const connection = await ingest.next();
    await connection.message(({ payload }) => payload.includes('v0'));
  });

  it('a second sender waits for the read that tells whether the first is gone', async () => {
    await start({ inReadInterval: 200, outWriteMetaTimeout: 60_000 });
    const input = () => tracks().video?.input;
    const first = await video();
    await has('video');
    const second = await video();
    await eventually(() => service.log.text.match(/KMP connected/g)?.length === 2, 'the second');
    first.send(frameAt(0, 'v0', { key: true }));
    await eventually(() => input()?.received_frames === 1, 'that the first goes on');
    assert.ok(!second.isClosed);
    first.destroy();
    await eventually(() => input() === null, 'that the first is gone');
    second.send(frameAt(40, 'v1', { key: true }));
    await eventually(() => {
      clock.advance(20);
      return input()?.received_frames === 1;
    }, 'the second in its place');
    // Nobody waits for ever.
    const third = await video();
    await eventually(() => {
      clock.advance(20);
      return third.isClosed;
    }, 'the end of the third');
    assert.ok(!second.isClosed);
    assert.match(service.log.text, /KMP connection closed: .*has a video track already/);
  });

  it('a track that is late for the metadata is refused', async () => {
    await start({ outWriteMetaTimeout: 3000 });
    await video();
    await has('video');
    clock.advance(3000);
    const connection = await ingest.next();
    await connection.message(({ type }) => type === 18);
    const late = await audio();
    await late.closed;
    assert.match(service.log.text, /has sent its metadata without audio; see kmp_rtmp_out_late_tracks/);
    assert.deepEqual(Object.keys(tracks()), ['video']);
  });

  it('the metadata waits again for each new track', async () => {
    await start({ outWriteMetaTimeout: 3000 });
    const first = await video();
    await has('video');
    clock.advance(2999);
    first.send(frameAt(0, 'v0', { key: true }));
    await holds('video', 1);
    await audio();
    await has('audio');
    const connection = await ingest.next();
    await connection.message(({ type }) => type === 8);
    assert.deepEqual(kindsOf(connection), ['metadata', 'video header', 'audio header']);
  });

  it('with late tracks accepted, one gets fresh metadata and joins', async () => {
    await start({ outWriteMetaTimeout: 0, outLateTracks: 'accept', outMinProcessDelay: 0 });
    const first = await video();
    await has('video');
    clock.advance(0);
    first.send(frameAt(1000, 'v0', { key: true }));
    const connection = await ingest.next();
    await connection.message(({ payload }) => payload.includes('v0'));
    const late = await audio();
    await connection.message(({ type }) => type === 8);
    late.send(frameAt(1010, 'a0'));
    await connection.message(({ payload }) => payload.includes('a0'));
    const before = ['metadata', 'video header', 'video'];
    assert.deepEqual(kindsOf(connection), [...before, 'metadata', 'audio header', 'audio']);
    const last = mediaOf(connection).at(-1);
    assert.deepEqual([last?.ms, last?.fmt], [1010, 0]);
  });

  it('a track that the metadata describes may end and return', async () => {
    await start({ outMinProcessDelay: 0 });
    const first = await video();
    const other = await audio();
    await has('video');
    await has('audio');
    first.send(frameAt(0, 'v0', { key: true }));
    first.destroy();
    await eventually(() => tracks().video === undefined, 'the end of the track');
    other.send(frameAt(10, 'a0'));
    const again = await video();
    await has('video');
    again.send(frameAt(20, 'v1', { key: true }));
    const connection = await ingest.next();
    await connection.message(({ payload }) => payload.includes('v1'));
    assert.deepEqual(framesOf(connection), ['v0', 'a0', 'v1']);
  });

  it('after an end of stream, what is queued goes out, then the connection ends, the stream, and the upstream', async () => {
    await start({ outWriteMetaTimeout: 0 });
    const sender = await video();
    sender.send(frameAt(0, 'v0', { key: true }), frameAt(40, 'v1'));
    sender.end();
    await eventually(() => tracks().video?.input === null, 'the end of the input');
    await holds('video', 2);
    const connection = await ingest.next();
    clock.advance(1000);
    await connection.closed;
    await sender.closed;
    assert.deepEqual(framesOf(connection), ['v0', 'v1']);
    const commands = connection.commands().map(([name]) => name);
    assert.deepEqual(commands.slice(-3), ['publish', 'FCUnpublish', 'deleteStream']);
    assert.equal((await service.ended()).reason, 'done');
    assert.equal(service.registry.size, 0);
  });

  it('a sender that only hangs up ends its track in the same way', async () => {
    await start({ outWriteMetaTimeout: 0 });
    const sender = await video();
    sender.send(frameAt(0, 'v0', { key: true }));
    await holds('video', 1);
    sender.socket.end();
    await sender.closed;
    const connection = await ingest.next();
    clock.advance(1000);
    await connection.closed;
    assert.deepEqual(framesOf(connection), ['v0']);
    assert.equal((await service.ended()).reason, 'done');
  });

  it('a sender that stays connected after its end of stream is cut by the read timeout', async () => {
    await start({ inReadTimeout: 50 });
    const data = { upstream_id: 'u1', url: `rtmp://127.0.0.1:${ingest.port}/app/s` };
    const sender = await KmpSender.open(service.port, data, { allowHalfOpen: true });
    senders.push(sender);
    sender.send(videoMinf());
    sender.end();
    await eventually(() => service.counter.open === 0, 'the end of the connection');
  });

  it('ends without a connection, too: the sender is gone before the server has answered', async () => {
    ingest.script = { stallAt: 'half-s1' };
    await start();
    const sender = await video();
    sender.end();
    const connection = await ingest.next();
    await eventually(() => service.registry.get('u1')?.state === 'closing', 'closing');
    // An id that is closing is free.
    const other = await video({ name: 'other' });
    await has('video', 'other');
    assert.equal(service.registry.size, 2);
    clock.advance(10_000);
    await connection.closed;
    assert.equal((await service.ended()).reason, 'handshake_failed');
    other.destroy();
  });

  it('streams come and go on one connection, and the upstream ends with the last one', async () => {
    await start({ outMinProcessDelay: 0, outWriteMetaTimeout: 0 });
    const names = ['one', 'two', 'three'];
    const open: KmpSender[] = [];
    for (const name of names) {
      open.push(await audio({ name }));
      await has('audio', name);
      clock.advance(0);
      open.at(-1)?.send(frameAt(0, `${name} 0`));
    }
    const connection = await ingest.next();
    for (const name of names) await connection.message(({ payload }) => payload.includes(`${name} 0`));
    assert.deepEqual(
      [1, 2, 3].map((id) => framesOf(connection, id)),
      [['one 0'], ['two 0'], ['three 0']],
    );
    open[1]?.end();
    const [, , , msid] = await connection.command('deleteStream');
    assert.equal(msid, 2);
    open.push(await audio({ name: 'two' }));
    await eventually(() => tracks('two').audio?.input?.connection === 4 + 1, 'the new track');
    clock.advance(0);
    open.at(-1)?.send(frameAt(5, 'two again'));
    await connection.message(({ payload }) => payload.includes('two again'));
    assert.deepEqual(framesOf(connection, 4), ['two again']);
    // The chunk stream of the one that ended is used again.
    const again = connection.messages.filter(({ streamId }) => streamId === 4);
    assert.deepEqual([...new Set(again.map(({ chunkStream }) => chunkStream))], [5]);
    assert.equal(service.registry.size, 1);
    for (const sender of open) sender.end();
    assert.equal((await service.ended()).reason, 'done');
    assert.equal(ingest.connections.length, 1);
  });

  it('the unpublish of a stream waits for no other stream', async () => {
    await start({ outWriteMetaTimeout: 0 });
    await audio({ name: 'silent' });
    await has('audio', 'silent');
    const sender = await audio({ name: 'short' });
    await has('audio', 'short');
    sender.end();
    const connection = await ingest.next();
    assert.equal((await connection.command('FCUnpublish'))[3], 'short');
  });
});

describe('an upstream that an operator ends', { timeout: 90_000 }, () => {
  let ingest: ScriptableIngest;
  let service: KmpService;
  let clock: FakeClock;
  let sender: KmpSender;

  async function start(settings: Partial<MediaSettings> = {}): Promise<void> {
    service = await startKmp({ outFlushTimeout: 0, outOnfiPeriod: 0, outWriteMetaTimeout: 0, ...settings }, { clock });
    const url = `rtmp://127.0.0.1:${ingest.port}/app/s`;
    sender = await KmpSender.open(service.port, { upstream_id: 'u1', url });
    sender.send(videoMinf(), frameAt(0, 'v0', { key: true }), frameAt(40, 'v1'));
    const upstream = await service.upstream('u1');
    await eventually(() => upstream.status().streams['s']?.tracks.video?.pending_frames === 2, 'two frames');
    clock.advance(0);
  }

  beforeEach(async () => {
    clock = new FakeClock();
    ingest = await ScriptableIngest.start();
  });
  afterEach(async () => {
    sender.destroy();
    await service.close();
    await ingest.close();
  });

  it('without its frames: streams are unpublished, inputs closed, the reason is the caller’s', async () => {
    await start();
    const connection = await ingest.next();
    await connection.message(({ type }) => type === 18);
    service.registry.get('u1')?.drop('api_delete', false);
    await sender.closed;
    await connection.closed;
    assert.deepEqual(framesOf(connection), []);
    assert.equal(connection.commands('deleteStream').length, 1);
    assert.equal((await service.ended()).reason, 'api_delete');
  });

  it('with its frames, which go out at once', async () => {
    await start();
    const connection = await ingest.next();
    await connection.message(({ type }) => type === 18);
    void service.registry.drain();
    await sender.closed;
    await connection.closed;
    assert.deepEqual(framesOf(connection), ['v0', 'v1']);
    assert.equal((await service.ended()).reason, 'shutdown');
  });

  it('before there is a connection: at once, and the server is hung up on', async () => {
    ingest.script = { stallAt: 'nothing' };
    await start();
    const connection = await ingest.next();
    await connection.until(() => connection.hello.length > 0);
    service.registry.get('u1')?.drop('api_delete', false);
    assert.equal((await service.ended()).reason, 'api_delete');
    await Promise.all([connection.closed, sender.closed]);
  });

  it('keeps its reason if the server then fails', async () => {
    ingest.script = { reads: 'never' };
    await start({ outMinProcessDelay: 0, outMemLimit: 2 ** 26, outTimeout: 10_000 });
    const connection = await ingest.next();
    await connection.until(() => connection.hello.length > 0);
    const payload = Buffer.alloc(2 ** 20);
    for (let i = 2; i < 32; i++) sender.send(frameAt(i * 40, payload));
    await eventually(
      () => service.registry.get('u1')?.status().streams['s']?.tracks.video?.input?.received_frames === 32,
      'frames that the server does not take',
    );
    service.registry.get('u1')?.drop('api_delete', false);
    await sender.closed;
    for (let i = 0; i < 3; i++) {
      clock.advance(10_000);
      await turns(1);
    }
    assert.equal((await service.ended()).reason, 'api_delete');
  });
});
