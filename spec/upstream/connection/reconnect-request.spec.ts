import { afterEach, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import type { MediaSettings } from '../../../lib/config/settings.js';
import { eventually } from '../../support/time/eventually.js';
import { FakeClock } from '../../support/time/fake-clock.js';
import { freePort } from '../../support/network/free-port.js';
import { audioOf, framesOf, kindsOf, mediaOf, videoOf } from '../../support/ingest/ingest-media.js';
import { frameAt, type KmpSender } from '../../support/kmp/kmp-sender.js';
import { audioFrames, Live, names, videoFrames } from '../../support/service/live.js';
import { ScriptableIngest, type IngestConnection, type Script } from '../../support/ingest/scriptable-ingest.js';
import { turns } from '../../support/time/turns.js';

describe('a server that asks to reconnect', { timeout: 90_000 }, () => {
  const clock = new FakeClock();
  let live: Live;
  const others: ScriptableIngest[] = [];

  async function start(settings: Partial<MediaSettings> = {}, script: Script = {}): Promise<void> {
    live = await Live.start({ clock, settings, script });
  }

  async function other(script: Script = {}): Promise<ScriptableIngest> {
    const ingest = await ScriptableIngest.start({ answers: true, ...script });
    others.push(ingest);
    return ingest;
  }

  /** Both tracks of a stream; frames up to number 7 have arrived: the second group is half out. */
  async function publish(name = 's'): Promise<{ video: KmpSender; audio: KmpSender }> {
    const senders = await live.both({ url: live.url(name) });
    senders.video.send(...videoFrames(0, 8));
    senders.audio.send(...audioFrames(0, 8));
    return senders;
  }

  function ask(connection: IngestConnection, tcUrl?: string): void {
    const more = tcUrl === undefined ? {} : { tcUrl };
    connection.sendStatus(0, 'status', 'NetConnection.Connect.ReconnectRequest', 'maintenance', more);
  }

  afterEach(async () => {
    await live.close();
    for (const ingest of others.splice(0)) await ingest.close();
    clock.advance(60_000);
  });

  for (const reconnects of [0, 5]) {
    it(`gets a new connection at the next key frame, before the old one is closed (kmp_rtmp_out_reconnects ${reconnects})`, async () => {
      await start({ outReconnects: reconnects });
      const senders = await publish();
      const first = await live.ingest.next();
      await first.until(() => framesOf(first).length === 16);
      const there = await other();
      ask(first, `rtmp://127.0.0.1:${there.port}/other`);
      const second = await there.next();
      await second.command('publish');
      await live.confirmed(2);
      // Within the group, the first connection continues, and its state is shown.
      assert.equal(live.status().state, 'publishing');
      assert.equal(live.status().reconnects, 0);
      senders.video.send(...videoFrames(8, 10));
      senders.audio.send(...audioFrames(8, 10));
      await first.until(() => videoOf(first).includes('v9') && audioOf(first).includes('a9'));
      assert.deepEqual(framesOf(second), []);
      // The server's answers to the second have long been there; the key frame moves everything.
      senders.video.send(...videoFrames(10, 14));
      await second.until(() => videoOf(second).includes('v13'));
      senders.audio.send(...audioFrames(10, 14));
      await second.until(() => audioOf(second).includes('a13'));
      await first.closed;
      assert.deepEqual(kindsOf(second).slice(0, 4), ['metadata', 'video header', 'audio header', 'video']);
      const head = mediaOf(second).find(({ kind }) => kind === 'video');
      assert.deepEqual([head?.text, head?.key, head?.fmt, head?.ms], ['v10', true, 0, 400]);
      // Nothing twice, nothing missing.
      assert.deepEqual([...videoOf(first), ...videoOf(second)], names('v', 0, 14));
      assert.deepEqual([...audioOf(first), ...audioOf(second)], names('a', 0, 14));
      assert.equal(live.status().reconnects, 1);
      assert.equal(live.status().remote_addr, `127.0.0.1:${there.port}`);
      assert.equal(live.status().state, 'publishing');
      assert.ok(!senders.video.isClosed && !senders.audio.isClosed);
      // The bytes of both count.
      senders.video.end();
      senders.audio.end();
      await Promise.all([senders.video.closed, senders.audio.closed]);
      // With reconnects on, for as long as any of it may have to be written again.
      clock.advance(1000);
      const { reason, upstream } = await live.service.ended();
      await second.closed;
      assert.equal(reason, 'done');
      assert.equal(upstream.status().sent_bytes, first.receivedBytes + second.receivedBytes + 2 * 3073);
      assert.equal(upstream.ledger.used, Buffer.byteLength(JSON.stringify(upstream.data)));
    });
  }

  it('may give a relative URL, or none', async () => {
    await start();
    const senders = await publish();
    const first = await live.ingest.next();
    await first.until(() => framesOf(first).length === 16);
    ask(first, '/other');
    const second = await live.ingest.next();
    const [, , object] = await second.command('connect');
    assert.deepEqual(
      [Object(object).app, Object(object).tcUrl],
      ['other', `rtmp://127.0.0.1:${live.ingest.port}/other`],
    );
    await second.command('publish');
    await live.confirmed(2);
    senders.video.send(...videoFrames(8, 12));
    await second.until(() => videoOf(second).length > 0);
    ask(second);
    const third = await live.ingest.next();
    const [, , again] = await third.command('connect');
    assert.equal(Object(again).app, 'other');
    await third.command('publish');
    await live.confirmed(3);
    senders.video.send(...videoFrames(12, 17));
    await third.until(() => videoOf(third).includes('v16'));
    assert.equal(live.status().reconnects, 2);
  });

  it('moves each stream at a key frame of its own', async () => {
    await start();
    const one = await publish('one');
    const first = await live.ingest.next();
    await first.until(() => framesOf(first).length === 16);
    const two = await publish('two');
    await first.until(() => framesOf(first).length === 32);
    ask(first);
    const second = await live.ingest.next();
    await second.until(() => second.commands('publish').length === 2);
    await live.confirmed(4);
    one.video.send(...videoFrames(8, 12));
    await second.until(() => videoOf(second).includes('v11'));
    // The other one's group is not over yet.
    two.video.send(...videoFrames(8, 10));
    await first.until(() => videoOf(first).filter((name) => name === 'v9').length === 2);
    one.video.send(...videoFrames(12, 13));
    await second.until(() => videoOf(second).includes('v12'));
    assert.ok(!first.isClosed);
    two.video.send(...videoFrames(10, 13));
    await second.until(() => videoOf(second).filter((name) => name === 'v12').length === 2);
    await first.closed;
    for (const id of [1, 2]) {
      assert.deepEqual(
        framesOf(first, id).filter((name) => name.startsWith('v')),
        names('v', 0, 10),
      );
      assert.deepEqual(
        framesOf(second, id).filter((name) => name.startsWith('v')),
        names('v', 10, 13),
      );
    }
  });

  it('and breaks when one stream has moved: the other one follows', async () => {
    await start();
    const one = await publish('one');
    const first = await live.ingest.next();
    await first.until(() => framesOf(first).length === 16);
    const two = await publish('two');
    await first.until(() => framesOf(first).length === 32);
    ask(first);
    const second = await live.ingest.next();
    await second.until(() => second.commands('publish').length === 2);
    await live.confirmed(4);
    one.video.send(...videoFrames(8, 12));
    await second.until(() => videoOf(second).includes('v11'));
    // The second stream is still within its group, on the connection that will be replaced.
    first.reset();
    await eventually(() => /the replaced connection ended early/.test(live.service.log.text), 'the log line');
    two.video.send(...videoFrames(8, 12));
    const frames = (): string[] => framesOf(second, 2).filter((name) => name.startsWith('v'));
    await second.until(() => frames().includes('v11'));
    assert.equal(mediaOf(second, 2).find(({ kind }) => kind === 'video')?.key, true);
    assert.deepEqual(frames(), names('v', 10, 12));
    assert.equal(live.status().reconnects, 1);
    await live.finish();
  });

  for (const reconnects of [0, 5]) {
    it(`still gets the bytes that it has not read, while the replacement publishes (kmp_rtmp_out_reconnects ${reconnects})`, async () => {
      // By the machine's clock, so that sockets are read in turns, and memory is used again.
      const paced = { inReadInterval: 20, outMinProcessDelay: 20, outMaxProcessDelay: 20, outFlushTimeout: 5 };
      live = await Live.start({
        settings: { ...paced, outReconnects: reconnects, outResend: 0, outMemLimit: 2 ** 27, outTimeout: 1e9 },
      });
      const sender = await live.video();
      let sent = 0;
      const send = async (count: number, key = false): Promise<void> => {
        const frames = Array.from({ length: count }, (_, i) => {
          const number = sent + i;
          return frameAt(number * 40, Buffer.alloc(20_000, number % 251), { key: key && i === 0 });
        });
        sent += count;
        sender.send(...frames);
        await live.received('video', sent);
      };
      const texts = (connection: IngestConnection): string[] =>
        mediaOf(connection).flatMap(({ kind, text }) => (kind === 'video' ? [text] : []));
      const wrong = (connection: IngestConnection, first: number): number[] =>
        texts(connection).flatMap((text, i) => {
          const wanted = Buffer.alloc(20_000, (first + i) % 251).toString('latin1');
          return text === wanted ? [] : [first + i];
        });

      await live.state('publishing');
      await send(2, true);
      const first = await live.ingest.next();
      await first.until(() => texts(first).length === 2);
      const there = await other();
      ask(first, `rtmp://127.0.0.1:${there.port}/app`);
      const second = await there.next();
      await second.command('publish');
      await live.confirmed(2);
      first.pause();
      const stuck = (): boolean => live.status().written_bytes > live.status().sent_bytes;
      do {
        await send(10);
        await new Promise((resolve) => setTimeout(resolve, 40));
      } while (!stuck());
      await send(1);
      const moved = sent;
      await send(1, true);
      await second.until(() => texts(second).length === 1);
      await send(200, true);
      await second.until(() => texts(second).length === 201);
      assert.deepEqual(wrong(second, moved), []);
      assert.ok(!first.isClosed);
      first.resume();
      await first.closed;
      assert.equal(texts(first).length, moved);
      assert.deepEqual(wrong(first, 0), []);
      await live.finish();
    });
  }

  it('has its unsent frames not acknowledged by frames of the replacement', async () => {
    await start({ inAck: 'frame', outMemLimit: 2 ** 27, outTimeout: 1e9 });
    const { video: sender } = await live.both();
    sender.send(...videoFrames(0, 2));
    const first = await live.ingest.next();
    await first.until(() => videoOf(first).length === 2);
    const there = await other();
    ask(first, `rtmp://127.0.0.1:${there.port}/app`);
    const second = await there.next();
    await second.command('publish');
    await live.confirmed(2);
    first.pause();
    // More than the kernel accepts for a peer that does not read.
    sender.send(frameAt(80, Buffer.alloc(15 * 2 ** 20)));
    await live.received('video', 3);
    sender.send(...videoFrames(5, 10));
    await second.until(() => videoOf(second).length === 5);
    const stuck = live.status();
    assert.ok(stuck.written_bytes > stuck.sent_bytes);
    clock.advance(1000);
    sender.send(...videoFrames(10, 11));
    await second.until(() => videoOf(second).length === 6);
    clock.advance(1000);
    first.resume();
    await first.closed;
    clock.advance(1000);
    await sender.acked(9n);
    assert.deepEqual(
      sender.acks.filter((id) => id > 2n),
      [9n],
    );
  });

  it('and breaks with unsent bytes: their memory is released', async () => {
    await start({ outMemLimit: 2 ** 27, outTimeout: 1e9 });
    const { video: sender } = await live.both();
    sender.send(...videoFrames(0, 2));
    const first = await live.ingest.next();
    await first.until(() => videoOf(first).length === 2);
    const there = await other();
    ask(first, `rtmp://127.0.0.1:${there.port}/app`);
    const second = await there.next();
    await second.command('publish');
    first.pause();
    const size = 15 * 2 ** 20;
    sender.send(frameAt(80, Buffer.alloc(size)));
    await live.received('video', 3);
    sender.send(...videoFrames(5, 10));
    await second.until(() => videoOf(second).length === 5);
    assert.ok((live.upstream?.ledger.used ?? 0) > size);
    first.reset();
    await eventually(() => (live.upstream?.ledger.used ?? Infinity) < 100_000, 'the memory to be released');
    await live.finish();
  });

  it('and closes the connection before the replacement is ready: nothing is lost, even without reconnects', async () => {
    await start();
    const senders = await publish();
    const first = await live.ingest.next();
    await first.until(() => framesOf(first).length === 16);
    const there = await other({ answers: false });
    ask(first, `rtmp://127.0.0.1:${there.port}/app`);
    const second = await there.next();
    await second.command('connect');
    first.end();
    await eventually(() => /broke before its replacement was ready/.test(live.service.log.text), 'the log line');
    // That server never answers.
    clock.advance(5000);
    senders.video.send(...videoFrames(8, 12));
    senders.audio.send(...audioFrames(8, 12));
    await second.until(() => videoOf(second).includes('v11'));
    assert.equal(mediaOf(second).find(({ kind }) => kind === 'video')?.key, true);
    assert.ok(!senders.video.isClosed);
    assert.equal(live.status().reconnects, 1);
    await live.finish();
  });

  it('keeps its connection if the other server refuses, or is not there', async () => {
    await start({ outReconnects: 3 });
    const senders = await publish();
    const first = await live.ingest.next();
    await first.until(() => framesOf(first).length === 16);
    const refusing = await other({ rejectConnect: { code: 'NetConnection.Connect.Rejected', description: 'full' } });
    ask(first, `rtmp://127.0.0.1:${refusing.port}/app`);
    await (
      await refusing.next()
    ).closed;
    await eventually(() => /the replacement connection failed: .*full/.test(live.service.log.text), 'the log line');
    ask(first, `rtmp://127.0.0.1:${await freePort()}/app`);
    await eventually(
      () => /the replacement connection failed: .*ECONNREFUSED/.test(live.service.log.text),
      'the next line',
    );
    ask(first, 'http://127.0.0.1/');
    await eventually(() => /reconnect was ignored: its URL is invalid/.test(live.service.log.text), 'another line');
    const another = await other({ rejectPublish: { code: 'NetStream.Publish.BadName', description: 'taken' } });
    ask(first, `rtmp://127.0.0.1:${another.port}/app`);
    await (
      await another.next()
    ).closed;
    senders.video.send(...videoFrames(8, 20));
    await first.until(() => videoOf(first).includes('v19'));
    assert.equal(live.status().reconnects, 0);
    assert.equal(live.status().state, 'publishing');
  });

  it('keeps no more written frames after the other server has refused', async () => {
    await start();
    const senders = await publish();
    const first = await live.ingest.next();
    await first.until(() => framesOf(first).length === 16);
    await eventually(() => live.status().written_bytes === live.status().sent_bytes, 'all to be sent');
    const before = live.upstream?.ledger.used ?? 0;
    const refusing = await other({ rejectConnect: { code: 'NetConnection.Connect.Rejected', description: 'full' } });
    ask(first, `rtmp://127.0.0.1:${refusing.port}/app`);
    await eventually(() => /the replacement connection failed/.test(live.service.log.text), 'the log line');
    senders.video.send(frameAt(8 * 40, Buffer.alloc(10_000)));
    await first.until(() => mediaOf(first).some(({ text }) => text.length === 10_000));
    await eventually(() => live.status().written_bytes === live.status().sent_bytes, 'all to be sent');
    await turns();
    assert.ok((live.upstream?.ledger.used ?? Infinity) <= before);
  });

  it('gets a login at the new server', async () => {
    await start();
    const senders = await live.both({ url: live.url('s', `alice:secret@127.0.0.1:${live.ingest.port}`) });
    senders.video.send(...videoFrames(0, 8));
    senders.audio.send(...audioFrames(0, 8));
    const first = await live.ingest.next();
    await first.until(() => framesOf(first).length === 16);
    const there = await other({ auth: { method: 'adobe', user: 'alice', password: 'secret' } });
    ask(first, `rtmp://127.0.0.1:${there.port}/app`);
    await there.next();
    await there.next();
    const third = await there.next();
    await third.command('publish');
    await live.confirmed(2);
    senders.video.send(...videoFrames(8, 12));
    await third.until(() => videoOf(third).includes('v11'));
    await first.closed;
    assert.deepEqual([...videoOf(first), ...videoOf(third)], names('v', 0, 12));
    await live.finish();
  });

  it('has streams moved that came meanwhile', async () => {
    await start({ outStreamId: 'negotiate' });
    const one = await publish('one');
    const first = await live.ingest.next();
    await first.until(() => framesOf(first).length === 16);
    // Answered by hand, so that the first connection still has both streams when the second begins.
    live.ingest.script = { answers: false };
    ask(first);
    const second = await live.ingest.next();
    await second.command('connect');
    second.sendCommand(0, '_result', 1, null, { level: 'status', code: 'NetConnection.Connect.Success' });
    const two = await publish('two');
    await first.until(() => framesOf(first).length === 32);
    await second.until(() => second.commands('createStream').length === 2);
    for (const [i, [, transaction]] of second.commands('createStream').entries()) {
      second.sendCommand(0, '_result', transaction ?? 0, null, i + 1);
    }
    await second.until(() => second.commands('publish').length === 2);
    for (const id of [1, 2]) second.sendStatus(id, 'status', 'NetStream.Publish.Start', '');
    await live.confirmed(4);
    one.video.send(...videoFrames(8, 11));
    two.video.send(...videoFrames(8, 11));
    await second.until(() => videoOf(second).length === 2);
    await first.closed;
    assert.deepEqual(videoOf(second), ['v10', 'v10']);
    await live.finish();
  });
});
