// A sender at another address floods an upstream that drops frames when its memory runs out.
import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { parseConfig } from '../../lib/config/load.js';
import { Service } from '../../lib/service.js';
import { eventually } from '../support/time/eventually.js';
import { FakeClock } from '../support/time/fake-clock.js';
import { framesOf } from '../support/ingest/ingest-media.js';
import { connect } from '../support/kmp/kmp-bytes.js';
import { frameAt, KmpSender, videoMinf } from '../support/kmp/kmp-sender.js';
import { ScriptableIngest } from '../support/ingest/scriptable-ingest.js';
import { until } from '../support/time/until.js';

const PAYLOAD = 2 ** 17;

describe('a sender that floods an upstream with kmp_rtmp_out_overload drop_frames', { timeout: 60_000 }, () => {
  let ingest: ScriptableIngest;
  let service: Service;
  let clock: FakeClock;
  const senders: KmpSender[] = [];

  beforeEach(async () => {
    // It stands still while the memory is filled: no frame is due.
    clock = new FakeClock();
    ingest = await ScriptableIngest.start({ answers: true });
    service = new Service(
      parseConfig(`stream { server {
        listen 127.0.0.1:0 proxy_protocol; kmp_rtmp; kmp_rtmp_out_allow 127.0.0.1; kmp_rtmp_out_mem_limit 4m;
        kmp_rtmp_out_overload drop_frames; kmp_rtmp_out_min_process_delay 3s; kmp_rtmp_out_max_process_delay 3s;
        kmp_rtmp_out_write_meta_timeout 0; kmp_rtmp_out_onfi_period 0; kmp_rtmp_in_read_interval 0;
      } }`),
      { clock },
    );
    await service.start();
  });
  afterEach(async () => {
    for (const sender of senders.splice(0)) sender.destroy();
    service.kill();
    await ingest.close();
  });

  async function open(address: string, name: string): Promise<KmpSender> {
    const sender = await KmpSender.openRaw(service.kmpAddresses[0]?.port ?? 0);
    senders.push(sender);
    const data = { upstream_id: 'u1', url: `rtmp://127.0.0.1:${ingest.port}/app/${name}` };
    sender.send(Buffer.from(`PROXY TCP4 ${address} 192.0.2.200 1000 8005\r\n`), connect(data), videoMinf());
    return sender;
  }

  it('loses its own frames; those of the others are all sent', async () => {
    const healthy = await open('192.0.2.1', 'healthy');
    const frame = (n: number): Buffer => frameAt(n * 40, `v${n}`, { key: n % 5 === 0 });
    for (let n = 0; n < 10; n++) healthy.send(frame(n));
    const status = () => service.management.upstream('u1');
    const received = (name: string, frames: number): Promise<unknown> =>
      until(`${frames} frames of ${name}`, status, (found) => {
        return (found?.streams[name]?.tracks.video?.input?.received_frames ?? 0) >= frames;
      });
    await received('healthy', 10);
    const hostile = await open('192.0.2.9', 'hostile');
    for (let n = 0; n < 100; n++) hostile.send(frameAt(n * 40, Buffer.alloc(PAYLOAD, 1), { key: n % 5 === 0 }));
    await received('hostile', 100);
    for (let n = 10; n < 20; n++) healthy.send(frame(n));
    await received('healthy', 20);
    const { streams } = (await status()) ?? {};
    assert.ok((streams?.['hostile']?.tracks.video?.dropped_frames ?? 0) > 0);
    assert.equal(streams?.['healthy']?.tracks.video?.dropped_frames, 0);
    const connection = await ingest.next();
    const sent = (): string[] => framesOf(connection).filter((text) => /^v\d+$/.test(text));
    for (let n = 0; n < 8; n++) clock.advance(500);
    await eventually(() => sent().length >= 20, 'the frames of the healthy stream');
    assert.deepEqual(
      sent(),
      Array.from({ length: 20 }, (_, n) => `v${n}`),
    );
  });
});
