import assert from 'node:assert/strict';
import { createReadStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { afterEach, describe, it } from 'node:test';
import { KmpDecoder, PublishError, rtmpPublisher, StreamMerger, type RtmpPublisherOptions } from '../../lib/index.js';
import { eventually } from '../support/eventually.js';
import { FakeClock } from '../support/fake-clock.js';
import { ScriptableIngest, type Script } from '../support/scriptable-ingest.js';

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

describe('rtmpPublisher and the answer of the server', () => {
  const inUse = { code: 'NetStream.Publish.BadName', description: 'in use' };

  for (const wired of ['replies to the merger', 'alone'] as const) {
    it(`rejects when the server refuses the publish, however short the input is (${wired})`, async () => {
      const { published } = await publish({ answers: true, rejectPublish: inUse }, {}, wired);
      await assert.rejects(published, rejected('RTMP_PUBLISH_REJECTED', /NetStream\.Publish\.BadName in use/));
    });

    it(`rejects when the server refuses connect (${wired})`, async () => {
      const rejectConnect = { code: 'NetConnection.Connect.Rejected', description: 'no such app' };
      const { published } = await publish({ answers: true, rejectConnect }, {}, wired);
      await assert.rejects(published, rejected('RTMP_CONNECT_REJECTED', /Connect\.Rejected no such app/));
    });
  }

  it('rejects a refusal whatever its level, and resolves in spite of an error that is not about the publish', async () => {
    const { published } = await publish({ answers: true, rejectPublish: { ...inUse, level: 'status' } });
    await assert.rejects(published, rejected('RTMP_PUBLISH_REJECTED', /NetStream\.Publish\.BadName in use/));
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
    await assert.rejects(published, rejected('RTMP_PUBLISH_REJECTED', /did not say within 7000 ms/));
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
    await assert.rejects(published, rejected('RTMP_RECV', /closed the connection/));
  });
});
