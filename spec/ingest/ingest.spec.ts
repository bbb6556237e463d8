import { afterEach, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import net from 'node:net';
import { Ingest, type IngestMessage, type IngestOptions, type IngestStream } from '../../lib/ingest/ingest.js';
import { hex, u32be } from '../support/values/bytes.js';
import { FakeClock } from '../support/time/fake-clock.js';
import { RawPublisher } from '../support/rtmp/raw-publisher.js';
import { parseRtmp } from '../support/rtmp/rtmp-parse.js';
import { chunked } from '../support/ingest/script-bytes.js';
import { serverTls } from '../support/network/tls-fixture.js';

let ingest: Ingest | undefined;
afterEach(async () => ingest?.close());

async function start(options: IngestOptions = {}): Promise<Ingest> {
  ingest = new Ingest(options);
  await ingest.listen(0);
  return ingest;
}

interface Heard {
  readonly stream: IngestStream;
  readonly messages: IngestMessage[];
  readonly ends: string[];
}

/** Everything that comes of each stream, in the order of the streams. */
function listen(to: Ingest): Heard[] {
  const all: Heard[] = [];
  to.on('stream', (stream) => {
    const heard: Heard = { stream, messages: [], ends: [] };
    all.push(heard);
    stream.on('message', (message) => heard.messages.push({ ...message, payload: Buffer.from(message.payload) }));
    stream.on('end', (reason) => heard.ends.push(reason));
  });
  return all;
}

const KINDS: Record<number, IngestMessage['kind']> = { 8: 'audio', 9: 'video', 18: 'data' };

function mediaOf(recording: Buffer, streamId: number): IngestMessage[] {
  return parseRtmp(recording).flatMap(({ type, timestamp, payload, streamId: of }) => {
    const kind = KINDS[type];
    return kind === undefined || of !== streamId ? [] : [{ kind, timestamp, payload }];
  });
}

const golden = (name: string) => readFileSync(`spec/golden/data/${name}/expected.1.rtmp`);

describe('Ingest', () => {
  for (const pieceSize of [1_000_000, 1000]) {
    it(`takes a recorded session that waits for no answer, in pieces of ${pieceSize}`, async () => {
      const server = await start();
      const heard = listen(server);
      const publisher = await RawPublisher.greet(server.port);
      const recording = golden('av');
      for (let at = 0; at < recording.length; at += pieceSize) {
        publisher.write(recording.subarray(at, at + pieceSize));
      }
      publisher.socket.end();
      await publisher.closed();
      assert.equal(heard.length, 1);
      const [{ stream, messages, ends }] = heard as [Heard];
      assert.deepEqual([stream.app, stream.name, stream.streamId], ['app', 'stream', 1]);
      assert.deepEqual(messages, mediaOf(recording, 1));
      assert.ok(messages.length > 100);
      assert.deepEqual(ends, ['unpublished']);
      assert.equal(server.streams.length, 0);
    });
  }

  it('takes two streams on one connection, each with its own messages', async () => {
    const server = await start();
    const heard = listen(server);
    const publisher = await RawPublisher.greet(server.port);
    const recording = golden('two-streams');
    publisher.write(recording);
    publisher.socket.end();
    await publisher.closed();
    assert.deepEqual(
      heard.map(({ stream, ends }) => [stream.streamId, ends]),
      [
        [1, ['unpublished']],
        [2, ['unpublished']],
      ],
    );
    for (const { stream, messages } of heard) {
      assert.deepEqual(messages, mediaOf(recording, stream.streamId));
      assert.ok(messages.length > 20);
    }
  });

  it('answers as publishers expect', async () => {
    const server = await start({ chunkSize: 256, window: 100_000 });
    const publisher = await RawPublisher.greet(server.port);
    publisher.command(0, 'connect', 1, { app: 'live/', tcUrl: 'rtmp://x/live' });
    publisher.command(0, 'releaseStream', 2, null, 'a');
    publisher.command(0, 'FCPublish', 3, null, 'a');
    publisher.command(0, 'createStream', 4, null);
    publisher.command(0, 'createStream', 5, null);
    publisher.command(2, 'publish', 6, null, 'a?key=1', 'live');
    await publisher.heard('onStatus');
    const controls = publisher.messages.filter(({ type }) => type !== 20);
    assert.deepEqual(
      controls.map(({ type, payload }) => [type, payload.toString('hex')]),
      [
        [5, '000186a0'],
        [6, '000186a002'],
        [1, '00000100'],
        [4, '000000000002'],
      ],
    );
    assert.deepEqual(publisher.commands(), [
      [
        '_result',
        1,
        { fmsVer: 'FMS/3,0,1,123', capabilities: 31 },
        {
          level: 'status',
          code: 'NetConnection.Connect.Success',
          description: 'Connection succeeded.',
          objectEncoding: 0,
        },
      ],
      ['_result', 2, null, null],
      ['_result', 3, null, null],
      ['_result', 4, null, 1],
      ['_result', 5, null, 2],
      [
        'onStatus',
        0,
        null,
        { level: 'status', code: 'NetStream.Publish.Start', description: 'a?key=1 is now published.' },
      ],
    ]);
    assert.equal(publisher.messages.at(-1)?.streamId, 2);
    assert.deepEqual(
      server.streams.map(({ app, name }) => [app, name]),
      [['live', 'a?key=1']],
    );
    publisher.command(0, 'FCUnpublish', 7, null, 'a?key=1');
    const [, , , info] = await publisher.heard('onStatus', 2);
    assert.equal((info as { code: string }).code, 'NetStream.Unpublish.Success');
    publisher.command(0, 'deleteStream', 8, null, 2);
    publisher.command(0, 'createStream', 9, null);
    await publisher.heard('_result', 6);
    assert.deepEqual(publisher.commands().at(-1), ['_result', 9, null, 3], 'ids count up');
  });

  it('answers pings, and acknowledges each window', async () => {
    const server = await start();
    const publisher = await RawPublisher.greet(server.port);
    publisher.send({ type: 4, payload: hex('0006 01020304') });
    publisher.send({ type: 5, payload: u32be(1000) });
    await publisher.until(() => publisher.messages.length === 1);
    publisher.write(Buffer.concat([chunked({ type: 18, payload: Buffer.alloc(2000) }, 128)]));
    await publisher.until(() => publisher.messages.length >= 2);
    const [pong, ack] = publisher.messages;
    assert.deepEqual([pong?.type, pong?.payload], [4, hex('0007 01020304')]);
    assert.equal(ack?.type, 3);
    const sequence = ack.payload.readUInt32BE(0);
    // 18 and 16 bytes of control messages, then the data: 2000 bytes, a header of 12 and 15 chunk headers of 1.
    assert.ok(sequence >= 1000 && sequence <= 18 + 16 + 2027, String(sequence));
  });

  it('refuses what its options say, names that are taken or missing, and streams never created', async () => {
    const refuse: IngestOptions['refuse'] = ({ app, name }) =>
      name === 'no' ? { code: 'NetStream.Publish.Denied', description: `not ${app}/${name}` } : undefined;
    const server = await start({ refuse });
    const first = await RawPublisher.publish(server.port, 'live', 'taken?k=1');
    const publisher = await RawPublisher.greet(server.port);
    publisher.command(0, 'connect', 1, { app: 'live' });
    publisher.command(0, 'createStream', 2, null);
    publisher.command(1, 'publish', 3, null, 'no', 'live');
    publisher.command(1, 'publish', 4, null, 'taken', 'live');
    publisher.command(1, 'publish', 5, null, '', 'live');
    publisher.command(1, 'publish', 6, null);
    publisher.command(9, 'publish', 7, null, 'x', 'live');
    publisher.command(1, 'publish', 8, null, 'free', 'live');
    publisher.command(1, 'publish', 9, null, 'again', 'live');
    await publisher.heard('onStatus', 7);
    const codes = publisher
      .commands()
      .flatMap(([name, , , info]) =>
        name === 'onStatus' ? [(info as { code: string; description: string }).code] : [],
      );
    const bad = 'NetStream.Publish.BadName';
    assert.deepEqual(codes, ['NetStream.Publish.Denied', bad, bad, bad, bad, 'NetStream.Publish.Start', bad]);
    assert.equal(server.streams.length, 2);
    first.socket.end();
    await first.closed();
    await publisher.until(() => server.streams.length === 1);
  });

  it('ends the streams of a connection that is lost, and frees their names', async () => {
    const server = await start();
    const heard = listen(server);
    const publisher = await RawPublisher.publish(server.port, 'live', 'a');
    publisher.socket.resetAndDestroy();
    await once((heard[0] as Heard).stream, 'end');
    assert.deepEqual(heard[0]?.ends, ['closed']);
    await RawPublisher.publish(server.port, 'live', 'a');
    assert.equal(heard.length, 2);
  });

  it('does nothing before connect', async () => {
    const server = await start();
    const publisher = await RawPublisher.greet(server.port);
    publisher.command(0, 'createStream', 1, null);
    publisher.command(1, 'publish', 2, null, 'a', 'live');
    publisher.command(0, 'connect', 3, null);
    await publisher.heard('_error');
    assert.equal(publisher.commands().length, 1);
    publisher.command(0, 'connect', 4, { app: 'live' });
    await publisher.heard('_result');
    assert.equal(server.streams.length, 0);
  });

  const attacks: { name: string; bytes: Buffer }[] = [
    { name: 'TLS', bytes: hex('16030100') },
    { name: 'HTTP', bytes: Buffer.from('GET / HTTP/1.1\r\n\r\n') },
    { name: 'chunks that refer to nothing', bytes: Buffer.concat([Buffer.of(3), Buffer.alloc(3072), hex('c4')]) },
    {
      name: 'a command without a name',
      bytes: Buffer.concat([Buffer.of(3), Buffer.alloc(3072), hex('03 000000 000001 14 00000000 05')]),
    },
    {
      name: 'a message that is too long',
      bytes: Buffer.concat([Buffer.of(3), Buffer.alloc(3072), hex('03 000000 010001 09 00000000')]),
    },
  ];
  for (const { name, bytes } of attacks) {
    it(`cuts the connection, and only that one: ${name}`, async () => {
      const server = await start({ maxMessageSize: 65536 });
      const other = await RawPublisher.publish(server.port, 'live', 'other');
      const attacker = await RawPublisher.open(server.port);
      attacker.write(bytes);
      await attacker.closed();
      other.command(0, 'createStream', 5, null);
      await other.heard('_result', 3);
      assert.equal(server.streams.length, 1);
    });
  }

  it('ends what a publisher had begun when it sends garbage', async () => {
    const server = await start();
    const heard = listen(server);
    const publisher = await RawPublisher.publish(server.port, 'live', 'a');
    publisher.write(hex('c9'));
    await publisher.closed();
    assert.deepEqual(heard[0]?.ends, ['failed']);
  });

  it('cuts a publisher that asks and never reads', async () => {
    const server = await start();
    const publisher = await RawPublisher.greet(server.port);
    publisher.socket.pause();
    const ping = chunked({ type: 4, payload: hex('0006 00000000') }, 128);
    const burst = Buffer.concat(Array.from({ length: 5000 }, () => ping));
    const more = () => {
      while (!publisher.socket.destroyed && publisher.write(burst));
    };
    publisher.socket.on('drain', more);
    more();
    await publisher.closed();
  });

  it('stops reading a stream that is paused, and only its connection', async () => {
    const server = await start();
    const heard = listen(server);
    const size = 32 * 2 ** 20;
    const publisher = await RawPublisher.publish(server.port, 'live', 'a');
    heard[0]?.stream.pause();
    heard[0]?.stream.pause();
    const message = chunked({ type: 9, streamId: 1, payload: Buffer.alloc(2 ** 20) }, 2 ** 20);
    publisher.write(chunked({ type: 1, payload: u32be(2 ** 20) }, 128));
    for (let sent = 0; sent < size; sent += 2 ** 20) publisher.write(message);
    await RawPublisher.publish(server.port, 'live', 'b');
    const count = () => heard[0]?.messages.length ?? 0;
    assert.ok(count() < 32, 'it went on reading');
    heard[0]?.stream.resume();
    await RawPublisher.publish(server.port, 'live', 'c');
    assert.ok(count() < 32, 'two pauses take two to undo');
    heard[0]?.stream.resume();
    publisher.socket.end();
    await publisher.closed();
    assert.equal(count(), 32);
  });

  it('gives up on connections that say nothing, by the clock', async () => {
    const clock = new FakeClock();
    const server = await start({ clock, timeout: 1000 });
    const heard = listen(server);
    const silent = await RawPublisher.open(server.port);
    const half = await RawPublisher.greet(server.port);
    const live = await RawPublisher.publish(server.port, 'live', 'a');
    clock.advance(999);
    live.send({ type: 4, payload: hex('0006 00000000') });
    await live.until(() => live.messages.some(({ type, payload }) => type === 4 && payload[1] === 7));
    assert.ok(!silent.isClosed && !half.isClosed);
    clock.advance(1);
    await Promise.all([silent.closed(), half.closed()]);
    assert.equal(live.isClosed, false);
    clock.advance(999);
    await live.closed();
    assert.deepEqual(heard[0]?.ends, ['failed']);
    assert.equal(clock.pending, 0);
  });

  it('takes rtmps, and passes over what is no TLS', async () => {
    const server = await start({ tls: serverTls });
    const heard = listen(server);
    const plain = await RawPublisher.open(server.port);
    plain.write(Buffer.concat([Buffer.of(3), Buffer.alloc(3072)]));
    await plain.closed();
    const publisher = await RawPublisher.greet(server.port, true);
    publisher.write(golden('mp3-only'));
    publisher.socket.end();
    await publisher.closed();
    assert.deepEqual(heard[0]?.messages, mediaOf(golden('mp3-only'), 1));
    const waiting = await RawPublisher.open(server.port);
    await server.close();
    await waiting.closed();
  });

  it('accepts no more connections than its limit', async () => {
    const server = await start({ maxConnections: 2 });
    await RawPublisher.publish(server.port, 'live', 'a');
    await RawPublisher.publish(server.port, 'live', 'b');
    const third = await RawPublisher.open(server.port);
    await third.closed();
    assert.equal(server.streams.length, 2);
  });

  it('says when its port is taken, and closes what is open when it closes', async () => {
    const server = await start();
    const second = new Ingest();
    await assert.rejects(second.listen(server.port), { code: 'EADDRINUSE' });
    await second.close();
    const heard = listen(server);
    const publisher = await RawPublisher.publish(server.port, 'live', 'a');
    const raw = net.connect(server.port, '127.0.0.1').on('error', () => {});
    await once(raw, 'connect');
    await server.close();
    await publisher.closed();
    assert.deepEqual(heard[0]?.ends, ['closed']);
    assert.equal(server.port, 0);
  });
});
