import assert from 'node:assert/strict';
import { createReadStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { afterEach, describe, it } from 'node:test';
import {
  KmpDecoder,
  PublishError,
  rtmpPublisher,
  StreamMerger,
  type MediaSettings,
  type RtmpPublisherOptions,
} from '../../lib/index.js';
import { eventually } from '../support/time/eventually.js';
import { FakeClock } from '../support/time/fake-clock.js';
import { ScriptableIngest, type IngestConnection, type Script } from '../support/ingest/scriptable-ingest.js';

const DUMP = 'spec/golden/data/video-only/v.kmp';

let ingest: ScriptableIngest | undefined;
afterEach(async () => {
  await ingest?.close();
  ingest = undefined;
});

/** Publishes a dump of two seconds as fast as it goes; settles as its pipeline does. */
async function publish(
  script: Script,
  options: RtmpPublisherOptions = {},
  wired: 'replies to the merger' | 'alone' = 'alone',
): Promise<{ ingest: ScriptableIngest; published: Promise<void> }> {
  ingest = await ScriptableIngest.start(script);
  const url = `rtmp://127.0.0.1:${ingest.port}/app/stream`;
  const merger = new StreamMerger(url);
  const onReply = wired === 'alone' ? {} : { onReply: merger.reply };
  const published = pipeline(merger, rtmpPublisher(url, { ...onReply, ...options }));
  published.catch(() => {});
  await pipeline(createReadStream(DUMP), new KmpDecoder({ connectRequired: false }), merger.track()).catch(() => {});
  return { ingest, published };
}

/** What a pipeline must reject with. */
const rejected =
  (code: string, message: RegExp) =>
  (error: unknown): true => {
    assert.ok(error instanceof PublishError, String(error));
    assert.equal(error.code, code);
    assert.match(error.message, message);
    return true;
  };

describe('rtmpPublisher and the answer of the server', { timeout: 90_000 }, () => {
  const inUse = { code: 'NetStream.Publish.BadName', description: 'in use' };

  for (const wired of ['replies to the merger', 'alone'] as const) {
    it(`rejects when the server refuses the publish, however short the input is (${wired})`, async () => {
      const { published } = await publish({ answers: true, rejectPublish: inUse }, {}, wired);
      await assert.rejects(published, rejected('rtmp_publish_rejected', /NetStream\.Publish\.BadName in use/));
    });

    it(`rejects when the server refuses connect (${wired})`, async () => {
      const rejectConnect = { code: 'NetConnection.Connect.Rejected', description: 'no such app' };
      const { published } = await publish({ answers: true, rejectConnect }, {}, wired);
      await assert.rejects(published, rejected('rtmp_connect_rejected', /Connect\.Rejected no such app/));
    });
  }

  it('rejects a refusal whatever its level, and resolves in spite of an error that is not about the publish', async () => {
    const { published } = await publish({ answers: true, rejectPublish: { ...inUse, level: 'status' } });
    await assert.rejects(published, rejected('rtmp_publish_rejected', /NetStream\.Publish\.BadName in use/));
    await ingest?.close();
    const next = await publish({ answers: true });
    const connection = await next.ingest.next();
    await connection.command('publish');
    connection.sendStatus(1, 'error', 'NetStream.Record.Failed', 'disk full');
    await next.published;
  });

  it('resolves when the server has confirmed the publish, and all is there', async () => {
    const { published } = await publish({ answers: true });
    await published;
    const connection = await ingest?.next();
    await connection?.closed;
    assert.equal(connection?.messages.filter(({ type }) => type === 9).length, 61);
  });

  it('rejects when the server answers, but does not confirm the publish', async () => {
    const clock = new FakeClock();
    let received = 0;
    const onReceived = (bytes: Buffer): number => (received += bytes.length);
    const { ingest: server, published } = await publish({}, { clock, settings: { outTimeout: 7000 }, onReceived });
    const connection = await server.next();
    await connection.command('deleteStream');
    await eventually(() => clock.untilNext === 5000, 'the wait for an answer of any kind');
    clock.advance(4999);
    connection.sendCommand(0, '_result', 1, null, { level: 'status', code: 'NetConnection.Connect.Success' });
    await eventually(() => clock.untilNext === 7000, 'the wait for the confirmation');
    // A server that goes on talking gets no more time for that.
    clock.advance(6000);
    const before = received;
    connection.ping(1);
    await eventually(() => received > before, 'the ping');
    clock.advance(1000);
    await assert.rejects(published, rejected('rtmp_publish_rejected', /did not say within 7000 ms/));
  });

  it('resolves after answerTimeout with a server that never says anything', async () => {
    const clock = new FakeClock();
    const { ingest: server, published } = await publish({}, { clock, answerTimeout: 3000 });
    const connection = await server.next();
    await connection.command('deleteStream');
    await eventually(() => clock.untilNext === 3000, 'the wait');
    assert.equal(connection.isClosed, false);
    clock.advance(3000);
    await published;
    await connection.closed;
  });

  it('resolves when such a server closes the connection at the end of the stream', async () => {
    const { ingest: server, published } = await publish({}, { clock: new FakeClock() });
    const connection = await server.next();
    await connection.command('deleteStream');
    connection.end();
    await published;
  });

  it('rejects when a server that answers closes the connection without a confirmation', async () => {
    const { ingest: server, published } = await publish({}, { clock: new FakeClock() });
    const connection = await server.next();
    await connection.command('deleteStream');
    connection.sendCommand(0, '_result', 1, null, { level: 'status', code: 'NetConnection.Connect.Success' });
    connection.end();
    await assert.rejects(published, rejected('rtmp_recv', /closed the connection/));
  });
});

describe('a merger that its publisher knows', { timeout: 90_000 }, () => {
  /** Publishes the dump to a server whose answers the spec sends. */
  async function begin(
    settings: Partial<MediaSettings> = {},
  ): Promise<{ connection: IngestConnection; clock: FakeClock; published: Promise<void>; names: () => unknown[] }> {
    ingest = await ScriptableIngest.start();
    const clock = new FakeClock();
    const url = `rtmp://127.0.0.1:${ingest.port}/app/stream`;
    const merger = new StreamMerger(url, { clock, settings });
    const published = pipeline(merger, rtmpPublisher(url, { clock, settings, merger }));
    published.catch(() => {});
    const dump = pipeline(createReadStream(DUMP), new KmpDecoder({ connectRequired: false, clock }), merger.track());
    dump.catch(() => {});
    const connection = await ingest.next();
    await connection.command('connect');
    return { connection, clock, published, names: () => connection.commands().map(([name]) => name) };
  }
  const accepted = { level: 'status', code: 'NetConnection.Connect.Success' };
  const videos = ({ messages }: IngestConnection): number[] =>
    messages.filter(({ type }) => type === 9).map(({ streamId }) => streamId);

  it('waits for each answer, publishes with the id that the server gives, and sends media after the confirmation', async () => {
    const { connection, published, names } = await begin();
    // What is sent is sent in order: an answer to the ping shows that nothing else came before.
    await pinged(connection);
    assert.deepEqual(names(), ['connect']);
    connection.sendCommand(0, '_result', 1, {}, accepted);
    const [, create] = await connection.command('createStream');
    await pinged(connection);
    assert.deepEqual(names(), ['connect', 'releaseStream', 'FCPublish', 'createStream']);
    connection.sendCommand(0, '_result', Number(create), null, 7);
    await connection.command('publish');
    await pinged(connection);
    assert.deepEqual(
      connection.messages.filter(({ type }) => type !== 20 && type > 4),
      [],
      'neither metadata nor media',
    );
    connection.sendStatus(7, 'status', 'NetStream.Publish.Start', 'go');
    await published;
    await connection.closed;
    assert.deepEqual(videos(connection), new Array(61).fill(7));
    assert.deepEqual(names().slice(-3), ['publish', 'FCUnpublish', 'deleteStream']);
  });

  it('takes the _result of publish as its confirmation', async () => {
    const { connection, published } = await begin();
    connection.sendCommand(0, '_result', 1, {}, accepted);
    const [, create] = await connection.command('createStream');
    connection.sendCommand(0, '_result', Number(create), null, 1);
    const [, publish] = await connection.command('publish');
    connection.sendCommand(0, '_result', Number(publish), null, null);
    await published;
  });

  it('publishes to a server that says nothing for outAnswerTimeout, with the id 1', async () => {
    const { connection, clock, published } = await begin({ outAnswerTimeout: 2000 });
    clock.advance(2000);
    await connection.command('deleteStream');
    assert.deepEqual(videos(connection), new Array(61).fill(1));
    // The wait at the end, as for all servers that say nothing.
    await eventually(() => clock.untilNext === 5000, 'the wait for a refusal');
    clock.advance(5000);
    await published;
  });

  it('rejects if createStream is refused, with the words of the server', async () => {
    const { connection, published } = await begin();
    connection.sendCommand(0, '_result', 1, {}, accepted);
    const [, create] = await connection.command('createStream');
    const refusal = { level: 'error', code: 'NetConnection.Call.Failed', description: 'no room' };
    connection.sendCommand(0, '_error', Number(create), null, refusal);
    await assert.rejects(published, rejected('rtmp_publish_rejected', /NetConnection\.Call\.Failed no room/));
  });

  it('rejects if createStream is not answered within outTimeout, or with no id', async () => {
    const { connection, clock, published } = await begin({ outTimeout: 7000 });
    connection.sendCommand(0, '_result', 1, {}, accepted);
    await connection.command('createStream');
    clock.advance(7000);
    await assert.rejects(published, rejected('rtmp_recv', /no answer to createStream in 7000 ms/));
    await ingest?.close();
    const next = await begin();
    next.connection.sendCommand(0, '_result', 1, {}, accepted);
    const [, create] = await next.connection.command('createStream');
    next.connection.sendCommand(0, '_result', Number(create), null, 'one');
    await assert.rejects(next.published, rejected('rtmp_stream_id', /invalid stream id/));
  });

  it('rejects if the server gives another id than the one that was assumed', async () => {
    const { connection, published } = await begin({ outStreamId: 'assume', outAnswerTimeout: 0 });
    const [, create] = await connection.command('createStream');
    // Before the answer, the stream may have ended already.
    await connection.command('deleteStream');
    connection.sendCommand(0, '_result', Number(create), null, 5);
    await assert.rejects(published, rejected('rtmp_stream_id', /stream id 5 where 1 was assumed/));
  });

  it('ends in order if no frame ever comes', async () => {
    ingest = await ScriptableIngest.start({ answers: true });
    const url = `rtmp://127.0.0.1:${ingest.port}/app/stream`;
    const merger = new StreamMerger(url);
    merger.track().end();
    await pipeline(merger, rtmpPublisher(url, { merger }));
    const connection = await ingest.next();
    await connection.closed;
    assert.deepEqual(videos(connection), []);
  });

  let pings = 0;
  async function pinged(connection: IngestConnection): Promise<void> {
    const time = ++pings;
    connection.ping(time);
    await connection.message(({ type, payload }) => type === 4 && payload.readUInt32BE(2) === time);
  }
});
