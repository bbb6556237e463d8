import { afterEach, beforeEach, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { eventually } from '../support/eventually.js';
import { audioMinf, frameAt, KmpSender, videoMinf } from '../support/kmp-sender.js';
import { startKmp, type KmpService } from '../support/kmp-service.js';
import { ScriptableIngest } from '../support/scriptable-ingest.js';

describe('senders that are wrong or worse', { timeout: 20_000 }, () => {
  let ingest: ScriptableIngest;
  let service: KmpService;
  const data = (more: object = {}) => ({ upstream_id: 'u1', url: `rtmp://127.0.0.1:${ingest.port}/app/s`, ...more });

  beforeEach(async () => {
    ingest = await ScriptableIngest.start();
    service = await startKmp({ outMinProcessDelay: 0, outFlushTimeout: 0, outWriteMetaTimeout: 0 });
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

  it('a url without a stream makes no upstream', async () => {
    const url = `rtmp://127.0.0.1:${ingest.port}/app`;
    const sender = await KmpSender.open(service.port, data({ url }));
    sender.send(audioMinf());
    await sender.closed;
    assert.equal(service.registry.size, 0);
    assert.match(service.log.text, /names a stream/);
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
