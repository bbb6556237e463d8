import { afterEach, beforeEach, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import type { MediaSettings } from '../../../lib/config/settings.js';
import { hex, u32be } from '../../support/values/bytes.js';
import { eventually } from '../../support/time/eventually.js';
import { audioMinf, frameAt, KmpSender } from '../../support/kmp/kmp-sender.js';
import { startKmp, type KmpService } from '../../support/service/kmp-service.js';
import type { ParsedMessage } from '../../support/rtmp/rtmp-parse.js';
import { ScriptableIngest, type Script } from '../../support/ingest/scriptable-ingest.js';

const quick = { outMinProcessDelay: 0, outFlushTimeout: 0, outWriteMetaTimeout: 0 } as const;

describe('messages of the server', { timeout: 90_000 }, () => {
  let ingest: ScriptableIngest;
  let service: KmpService;
  const senders: KmpSender[] = [];

  async function start(script: Script, settings: Partial<MediaSettings> = {}): Promise<void> {
    ingest.script = { answers: true, ...script };
    service = await startKmp({ ...quick, ...settings });
  }

  async function publish(name = 's'): Promise<KmpSender> {
    const url = `rtmp://127.0.0.1:${ingest.port}/app/${name}`;
    const sender = await KmpSender.open(service.port, { upstream_id: 'u1', url });
    senders.push(sender);
    sender.send(audioMinf(), frameAt(0, 'first'));
    return sender;
  }

  const status = () => service.registry.get('u1')?.status();

  beforeEach(async () => {
    ingest = await ScriptableIngest.start();
  });
  afterEach(async () => {
    for (const sender of senders.splice(0)) sender.destroy();
    await service.close();
    await ingest.close();
  });

  it('a ping, with its own time', async () => {
    await start({});
    await publish();
    const connection = await ingest.next();
    await connection.command('publish');
    connection.ping(0x89abcdef);
    const pong = await connection.message(({ type }) => type === 4);
    assert.equal(pong.payload.toString('hex'), '000789abcdef');
    assert.deepEqual([pong.chunkStream, pong.streamId], [2, 0]);
  });

  it('its window, with an acknowledgement for each', async () => {
    await start({ windowAckSize: 500 });
    await publish();
    const connection = await ingest.next();
    await connection.command('publish');
    const acks = (): number[] =>
      connection.messages.filter(({ type }) => type === 3).map(({ payload }) => payload.readUInt32BE(0));
    for (let i = 1; i <= 8; i++) {
      // 18 bytes each on the wire.
      for (let n = 0; n < 14; n++) connection.ping(n);
      const pings = 14 * i;
      await connection.until(() => connection.messages.filter(({ type }) => type === 4).length === pings);
    }
    // 112 pings are 2016 bytes: some four windows, whatever else the server has said.
    await connection.until(() => acks().length >= 4);
    const all = acks();
    all.forEach((ack, i) => assert.ok(ack - (all[i - 1] ?? 0) >= 500, all.join()));
    assert.equal(await connection.message(({ type }) => type === 3).then(({ chunkStream }) => chunkStream), 2);
  });

  it('its limit for this service, with the window of this service', async () => {
    await start({ peerBandwidth: { window: 654_321, limitType: 2 } });
    await publish();
    const connection = await ingest.next();
    await connection.command('publish');
    // Dynamic behind nothing counts for nothing (RTMP 1.0, 5.4.5); a hard limit does, and the same one again does not.
    connection.send({ type: 6, payload: Buffer.concat([u32be(123_456), hex('00')]) });
    const told = await connection.message(({ type }) => type === 5);
    assert.equal(told.payload.readUInt32BE(0), 123_456);
    connection.send({ type: 6, payload: Buffer.concat([u32be(123_456), hex('00')]) });
    connection.ping(1);
    await connection.message(({ type }) => type === 4);
    assert.equal(connection.messages.filter(({ type }) => type === 5).length, 1);
  });

  for (const chunkSize of [1, 17, 4096, 0x7fffffff]) {
    it(`chunks of ${chunkSize} bytes are followed`, async () => {
      await start({ chunkSize, streamIds: [5] }, { outStreamId: 'negotiate' });
      await publish();
      const connection = await ingest.next();
      const publication = (message: ParsedMessage): boolean => message.type === 20 && message.streamId === 5;
      await connection.message(publication);
      await eventually(() => status()?.last_status?.code === 'NetStream.Publish.Start', 'the last status');
    });
  }

  it('a refused connect ends the upstream, and the reason is reported', async () => {
    const refusal = { code: 'NetConnection.Connect.Rejected', description: 'no such app' };
    await start({ rejectConnect: refusal });
    const sender = await publish();
    const { reason, upstream } = await service.ended();
    assert.equal(reason, 'connect_rejected');
    assert.deepEqual(upstream.status().last_status, { level: 'error', ...refusal });
    const [line] = service.log.of('error');
    assert.match(`${line?.message}`, /connect_rejected.*NetConnection\.Connect\.Rejected.*no such app/);
    await sender.closed;
  });

  it('a refused publish ends the upstream when it was its only stream', async () => {
    const refusal = { code: 'NetStream.Publish.Denied', description: 'stream key expired' };
    await start({ rejectPublish: refusal });
    const sender = await publish();
    const { reason, upstream } = await service.ended();
    assert.equal(reason, 'publish_rejected');
    assert.deepEqual(upstream.status().last_status, { level: 'error', ...refusal });
    assert.match(`${service.log.of('error')[0]?.message}`, /NetStream\.Publish\.Denied.*stream key expired/);
    await sender.closed;
  });

  it('a refused createStream is a refused publish', async () => {
    const refusal = { code: 'NetStream.Create.Failed', description: 'too many' };
    await start({ rejectCreateStream: refusal }, { outStreamId: 'negotiate' });
    await publish();
    const { reason } = await service.ended();
    assert.equal(reason, 'publish_rejected');
  });

  it('a refused publish ends its stream only, where there are others', async () => {
    const refusal = { code: 'NetStream.Publish.BadName', description: 'taken' };
    await start({ rejectPublish: (_attempt, name) => (name === 'bad' ? refusal : undefined) });
    const good = await publish('good');
    const connection = await ingest.next();
    await connection.message(({ payload }) => payload.includes('first'));
    const bad = await publish('bad');
    await bad.closed;
    assert.deepEqual(Object.keys(status()?.streams ?? {}), ['good']);
    assert.equal(status()?.last_status?.code, 'NetStream.Publish.BadName');
    good.send(frameAt(20, 'later'));
    await connection.message(({ payload }) => payload.includes('later'));
    // What the rejected stream has left behind does not colour the end of the others.
    good.end();
    const { reason, upstream } = await service.ended();
    assert.equal(reason, 'done');
    assert.equal(upstream.ledger.used, Buffer.byteLength(JSON.stringify(upstream.data)));
  });

  it('an error of the connection, on no stream, is a refused connect', async () => {
    await start({});
    await publish();
    const connection = await ingest.next();
    await connection.command('publish');
    connection.sendStatus(0, 'error', 'NetConnection.Connect.AppShutdown', 'maintenance');
    const { reason } = await service.ended();
    assert.equal(reason, 'connect_rejected');
  });

  it('a refused releaseStream or FCPublish means nothing', async () => {
    await start({});
    const sender = await publish();
    const connection = await ingest.next();
    const [, transaction] = await connection.command('releaseStream');
    connection.sendCommand(0, '_error', transaction ?? 0, null, { level: 'error', code: 'NetConnection.Call.Failed' });
    sender.send(frameAt(20, 'later'));
    await connection.message(({ payload }) => payload.includes('later'));
    connection.ping(1);
    await connection.message(({ type }) => type === 4);
    assert.equal(status()?.state, 'publishing');
  });

  it('bytes that are not RTMP end the upstream', async () => {
    await start({});
    await publish();
    const connection = await ingest.next();
    await connection.command('publish');
    connection.write(hex('c5 00 00 00'));
    const { reason } = await service.ended();
    assert.equal(reason, 'recv_failed');
  });
});
