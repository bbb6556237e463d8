import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { parseConfig } from '../../lib/config/load.js';
import { Service } from '../../lib/service.js';
import { FakeClock } from '../support/time/fake-clock.js';
import { send } from '../support/network/http.js';
import { internalsOff } from '../support/node/internals-off.js';
import { audioMinf, KmpSender } from '../support/kmp/kmp-sender.js';
import { ScriptableIngest } from '../support/ingest/scriptable-ingest.js';
import { until } from '../support/time/until.js';

describe('kmp_rtmp_in_read_interval', { skip: internalsOff, timeout: 60_000 }, () => {
  let ingest: ScriptableIngest;
  let service: Service;
  const senders: KmpSender[] = [];

  const config = (media: string) =>
    parseConfig(`
      stream { server { listen 127.0.0.1:0; kmp_rtmp; kmp_rtmp_out_answer_timeout 0; ${media} } }
      http { server { listen 127.0.0.1:0; location /metrics { kmp_rtmp_metrics; } } }`);

  async function start(media: string): Promise<void> {
    // The clock stands still, so no socket is seen to bring nothing.
    service = new Service(config(media), { clock: new FakeClock() });
    await service.start();
  }

  async function publish(id: string): Promise<KmpSender> {
    const url = `rtmp://127.0.0.1:${ingest.port}/app/${id}`;
    const sender = await KmpSender.open(service.kmpAddresses[0]?.port ?? 0, { upstream_id: id, url });
    senders.push(sender);
    sender.send(audioMinf());
    return sender;
  }

  async function interval(): Promise<number | undefined> {
    const { text } = await send(service.httpAddresses[0]?.port ?? 0, 'GET', '/metrics');
    const [, value] = /^kmp_rtmp_process_read_interval_seconds\{process="main"\} (.+)$/m.exec(text) ?? [];
    return value === undefined ? undefined : Number(value);
  }

  const shows = (seconds: number): Promise<unknown> =>
    until(`an interval of ${seconds} s in the metrics`, interval, (now) => now === seconds);

  beforeEach(async () => {
    ingest = await ScriptableIngest.start();
  });
  afterEach(async () => {
    for (const sender of senders.splice(0)) sender.destroy();
    service.kill();
    await ingest.close();
  });

  it('is shown by the metrics while a connection is read in intervals: 100 ms for one with the defaults', async () => {
    await start('');
    assert.equal(await interval(), undefined);
    const sender = await publish('u1');
    await shows(0.1);
    sender.destroy();
  });

  it('may be one time, which does not adapt', async () => {
    await start('kmp_rtmp_in_read_interval 230ms;');
    await publish('u1');
    await shows(0.23);
  });

  it('changes with a reload for new upstreams', async () => {
    await start('kmp_rtmp_in_read_interval 60ms 120ms;');
    await publish('u1');
    await shows(0.06);
    await service.reload(config('kmp_rtmp_in_read_interval 80ms 120ms;'));
    assert.equal(await interval(), 0.06);
    await publish('u2');
    // The longest of those in use.
    await shows(0.08);
  });
});
