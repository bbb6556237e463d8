import { afterEach, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { eventually } from '../../support/time/eventually.js';
import { FakeClock } from '../../support/time/fake-clock.js';
import { framesOf, mediaOf } from '../../support/ingest/ingest-media.js';
import { frameAt } from '../../support/kmp/kmp-sender.js';
import { Live } from '../../support/service/live.js';
import type { IngestConnection, Script } from '../../support/ingest/scriptable-ingest.js';
import type { MediaSettings } from '../../../lib/config/settings.js';

const names = (connection: IngestConnection): string[] => connection.commands().map(([name]) => String(name));
const success = { level: 'status', code: 'NetConnection.Connect.Success', description: '' };

describe('a server that thinks before it answers', { timeout: 90_000 }, () => {
  const clock = new FakeClock();
  let live: Live;

  async function start(script: Script, settings: Partial<MediaSettings> = {}): Promise<void> {
    live = await Live.start({ clock, script, settings: { outWriteMetaTimeout: 0, ...settings } });
  }

  /** Audio whose first frame is sent, and the server's end of its connection. */
  async function publish(): Promise<{ sender: Awaited<ReturnType<Live['audio']>>; connection: IngestConnection }> {
    const sender = await live.audio();
    sender.send(frameAt(0, 'a0'));
    const connection = await live.ingest.next();
    await connection.command('connect');
    await live.received('audio', 1);
    // The other track is not waited for.
    clock.advance(0);
    return { sender, connection };
  }

  /** What has come once nothing more does: the answer to a ping comes behind all that was written. */
  async function settled(connection: IngestConnection): Promise<void> {
    const pongs = (): number => connection.messages.filter(({ type }) => type === 4).length;
    const before = pongs();
    connection.ping(1);
    await connection.until(() => pongs() > before);
  }

  afterEach(() => live.close());

  for (const outStreamId of ['auto', 'assume', 'negotiate'] as const) {
    it(`gets no other command before it has answered connect (kmp_rtmp_out_stream_id ${outStreamId})`, async () => {
      await start({ unanswered: ['connect'] }, { outStreamId });
      const { connection } = await publish();
      await settled(connection);
      // It has said something: it is no server that never answers.
      clock.advance(5000);
      await settled(connection);
      assert.deepEqual(names(connection), ['connect']);
      assert.equal(live.status().state, 'handshaking');
      connection.sendCommand(0, '_result', 1, null, success);
      await connection.until(() => framesOf(connection).includes('a0'));
      assert.deepEqual(names(connection), ['connect', 'releaseStream', 'FCPublish', 'createStream', 'publish']);
      assert.equal(live.ingest.connections.length, 1);
    });
  }

  it('gets no media before it has confirmed the publish, and nothing is acknowledged before', async () => {
    await start({ unanswered: ['publish'] }, { inAck: 'frame' });
    const { sender, connection } = await publish();
    await connection.command('publish');
    clock.advance(5000);
    await settled(connection);
    assert.deepEqual(mediaOf(connection), []);
    assert.deepEqual(
      connection.messages.filter(({ type }) => type === 18),
      [],
    );
    assert.deepEqual(sender.acks, []);
    connection.sendStatus(1, 'status', 'NetStream.Publish.Start', '');
    await connection.until(() => framesOf(connection).includes('a0'));
    clock.advance(1000);
    await sender.acked(1n);
  });

  it('may confirm the publish by a _result', async () => {
    await start({ unanswered: ['publish'] });
    const { connection } = await publish();
    const [, transaction] = await connection.command('publish');
    connection.sendCommand(0, '_result', transaction ?? 0, null, null);
    await connection.until(() => framesOf(connection).includes('a0'));
  });

  for (const [command, log] of [
    ['connect', /no answer to connect in 10000 ms/],
    ['createStream', /no answer to createStream in 10000 ms/],
    ['publish', /no answer to publish in 10000 ms/],
  ] as const) {
    it(`but never answers ${command} is a broken connection after kmp_rtmp_out_timeout`, async () => {
      await start({ unanswered: [command] }, { outReconnects: 3, inAck: 'frame' });
      const { sender, connection } = await publish();
      await connection.command(command);
      await settled(connection);
      clock.advance(9_999);
      await settled(connection);
      assert.equal(live.status().reconnects, 0);
      clock.advance(1);
      await eventually(() => live.status().reconnects === 1, 'the break');
      assert.match(live.service.log.text, log);
      assert.equal(live.status().last_error?.reason, 'recv_failed');
      assert.ok(!sender.isClosed);
      assert.deepEqual(sender.acks, []);
      live.ingest.script = { answers: true };
      clock.advance(1000);
      const second = await live.ingest.next();
      await second.until(() => framesOf(second).includes('a0'));
    });
  }
});

describe('a server that never says anything', { timeout: 90_000 }, () => {
  const clock = new FakeClock();
  let live: Live;

  afterEach(() => live.close());

  /** What it receives: two streams, the second one while frames of the first flow, and that ends first. */
  async function play(outAnswerTimeout: number, passed: number): Promise<Buffer> {
    const settings = { outAnswerTimeout, outMinProcessDelay: 100, outMaxProcessDelay: 200, outOnfiPeriod: 0 };
    live = await Live.start({ clock, script: { answers: false }, settings });
    const one = await live.both({ name: 'one', tc_url: 'rtmp://ingest.example/app' });
    const connection = await live.ingest.next();
    await connection.command('connect');
    await eventually(() => live.upstream?.streams.get('one')?.isComplete === true, 'the first stream');
    let at = 0;
    const ended = (): number => live.service.log.text.split('KMP end of stream').length - 1;
    const ends = (count: number): Promise<void> => eventually(() => ended() === count, `${count} ends of stream`);
    const send = async (sender: typeof one, name: string, frames: number): Promise<void> => {
      for (let i = 0; i < frames; i++, at++) {
        sender.video.send(frameAt(at * 10, `${name}-v${at}`, { key: i % 5 === 0 }));
        sender.audio.send(frameAt(at * 10, `${name}-a${at}`));
        clock.advance(10);
      }
      await live.received('video', (received[name] = (received[name] ?? 0) + frames), name);
      await live.received('audio', received[name] ?? 0, name);
      clock.advance(150);
    };
    const received: Record<string, number> = {};
    await send(one, 'one', 20);
    const two = await live.both({ name: 'two' });
    await eventually(() => live.upstream?.streams.get('two')?.isComplete === true, 'the second stream');
    await send(two, 'two', 10);
    two.video.end();
    two.audio.end();
    await ends(2);
    await send(one, 'one', 10);
    one.video.end();
    one.audio.end();
    await ends(4);
    clock.advance(passed);
    const { reason } = await live.service.ended();
    assert.equal(reason, 'done');
    await connection.closed;
    return connection.raw();
  }

  it('gets, after kmp_rtmp_out_answer_timeout, what it would have got without waiting, in the same order', async () => {
    const waited = await play(5000, 5000);
    await live.close();
    const atOnce = await play(0, 1000);
    assert.ok(waited.equals(atOnce), `${waited.length} and ${atOnce.length} bytes`);
    assert.ok(waited.includes('two-v25'));
  });

  it('is waited for as long as kmp_rtmp_out_timeout by negotiate', async () => {
    live = await Live.start({
      clock,
      script: { answers: false },
      settings: { outAnswerTimeout: 5000, outStreamId: 'negotiate', outWriteMetaTimeout: 0 },
    });
    await live.audio();
    const connection = await live.ingest.next();
    await connection.command('connect');
    clock.advance(9_999);
    assert.equal(live.service.registry.size, 1);
    clock.advance(1);
    const { reason } = await live.service.ended();
    assert.equal(reason, 'recv_failed');
    assert.deepEqual(names(connection), ['connect']);
  });
});

describe('kmp_rtmp_out_connection', { timeout: 90_000 }, () => {
  let live: Live;
  afterEach(() => live.close());

  for (const outConnection of ['upstream', 'stream'] as const) {
    it(`${outConnection}: two streams`, async () => {
      live = await Live.start({ settings: { outWriteMetaTimeout: 0, outConnection } });
      const one = await live.audio({ name: 'one' });
      one.send(frameAt(0, 'one-0'));
      const first = await live.ingest.next();
      await first.until(() => framesOf(first).includes('one-0'));
      const two = await live.audio({ name: 'two' });
      two.send(frameAt(0, 'two-0'));
      const second = outConnection === 'upstream' ? first : await live.ingest.next();
      await second.until(() => framesOf(second).includes('two-0'));
      assert.equal(live.ingest.connections.length, outConnection === 'upstream' ? 1 : 2);
      // Each goes on alone.
      one.end();
      await first.until(() => first.commands('deleteStream').length === 1);
      two.send(frameAt(20, 'two-1'));
      await second.until(() => framesOf(second).includes('two-1'));
    });
  }
});
