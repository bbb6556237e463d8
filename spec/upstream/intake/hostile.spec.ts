import { afterEach, beforeEach, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { eventually } from '../../support/time/eventually.js';
import { framesOf } from '../../support/ingest/ingest-media.js';
import { audioMinf, frameAt, KmpSender, videoMinf } from '../../support/kmp/kmp-sender.js';
import { startKmp, type KmpService } from '../../support/service/kmp-service.js';
import { ScriptableIngest } from '../../support/ingest/scriptable-ingest.js';

describe('faulty and hostile senders', { timeout: 90_000 }, () => {
  let ingest: ScriptableIngest;
  let service: KmpService;
  const atOnce = { outMinProcessDelay: 0, outFlushTimeout: 0, outWriteMetaTimeout: 0 };
  const data = (more: object = {}) => ({ upstream_id: 'u1', url: `rtmp://127.0.0.1:${ingest.port}/app/s`, ...more });

  beforeEach(async () => {
    ingest = await ScriptableIngest.start();
    service = await startKmp(atOnce);
  });
  afterEach(async () => {
    await service.close();
    await ingest.close();
  });

  it('frame ids past 2^64 begin again at 0', async () => {
    const sender = await KmpSender.open(service.port, data(), { frameId: 0xffff_ffff_ffff_fffen });
    sender.send(audioMinf(), frameAt(0, 'a'), frameAt(1, 'b'), frameAt(2, 'c'));
    const connection = await ingest.next();
    await connection.message(({ payload }) => payload.includes('c'));
    sender.send(frameAt(3, 'd'));
    await connection.message(({ payload }) => payload.includes('d'));
    await eventually(() => sender.lastAck === 2n, 'ack 2');
  });

  it('a url without an app makes no upstream, unless the connect data has an app', async () => {
    const url = `rtmp://127.0.0.1:${ingest.port}`;
    const sender = await KmpSender.open(service.port, data({ url, name: 's' }));
    sender.send(audioMinf());
    await sender.closed;
    assert.equal(service.registry.size, 0);
    assert.match(service.log.text, /has no app/);
  });

  for (const [what, minf] of [
    ['audio codec on a video track', videoMinf({ codecId: 1010 })],
    ['video codec on an audio track', audioMinf({ codecId: 7 })],
    ['FourCC codec of the other kind', audioMinf({ codecId: 8 })],
  ] as const) {
    it(`an ${what} is refused`, async () => {
      const sender = await KmpSender.open(service.port, data());
      sender.send(minf);
      await sender.closed;
      assert.equal(service.registry.size, 0);
      assert.match(service.log.text, /is not supported for/);
    });
  }

  it('a frame larger than RTMP can carry closes its connection; earlier frames are still written', async () => {
    await service.close();
    service = await startKmp({ ...atOnce, outMemLimit: 2 ** 27 });
    const sender = await KmpSender.open(service.port, data());
    sender.send(audioMinf(), frameAt(0, 'before'), frameAt(1, Buffer.alloc(2 ** 24)));
    await sender.closed;
    assert.match(service.log.text, /fram: data_size 16777216 is more than RTMP can carry/);
    const connection = await ingest.next();
    await connection.closed;
    assert.deepEqual(framesOf(connection), ['before']);
  });

  it('codec private data larger than RTMP can carry closes its connection', async () => {
    await service.close();
    service = await startKmp({ ...atOnce, outMemLimit: 2 ** 27, inMemLimit: 2 ** 27 });
    const sender = await KmpSender.open(service.port, data());
    sender.send(audioMinf({ extraData: Buffer.alloc(2 ** 24) }));
    await sender.closed;
    assert.match(service.log.text, /minf: data_size 16777216 is more than RTMP can carry/);
    assert.equal(service.registry.size, 0);
  });

  it('a url longer than RTMP can carry ends its upstream at the start', async () => {
    await service.close();
    service = await startKmp({ ...atOnce, outMemLimit: 2 ** 27, inMemLimit: 2 ** 27, inMaxNameLength: 0 });
    const app = 'x'.repeat(9 * 2 ** 20);
    const sender = await KmpSender.open(service.port, data({ url: `rtmp://127.0.0.1:${ingest.port}/${app}/s` }));
    sender.send(audioMinf());
    assert.equal((await service.ended()).reason, 'write_connect_failed');
    await sender.closed;
    assert.equal(service.registry.size, 0);
  });

  it('a memory limit below the connect data ends upstream and connection', async () => {
    await service.close();
    service = await startKmp({ outMemLimit: 1024 });
    const sender = await KmpSender.open(service.port, data({ opaque: 'x'.repeat(2000) }));
    sender.send(audioMinf(), frameAt(0, 'a'));
    const { reason } = await service.ended();
    assert.equal(reason, 'alloc_failed');
    await sender.closed;
    assert.equal(service.registry.size, 0);
  });
});
