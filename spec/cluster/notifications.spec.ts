import { afterEach, beforeEach, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { slotOf } from '../../lib/placement/rendezvous.js';
import { eventually } from '../support/time/eventually.js';
import { httpTarget, reply, type HttpTarget } from '../support/network/http-target.js';
import { audioMinf, frameAt, KmpSender } from '../support/kmp/kmp-sender.js';
import { ScriptableIngest } from '../support/ingest/scriptable-ingest.js';
import { until } from '../support/time/until.js';
import { WorkerService } from '../support/service/worker-service.js';

interface Body {
  readonly event_type: string;
  readonly upstream_id: string;
}

/** One upstream id for each of two workers. */
const IDS = [0, 1].map((slot) => Array.from({ length: 100 }, (_, i) => `u${i}`).find((id) => slotOf(id, 2) === slot));

describe('what workers report', { timeout: 90_000 }, () => {
  let service: WorkerService;
  let ingest: ScriptableIngest;
  let target: HttpTarget;
  const senders: KmpSender[] = [];

  beforeEach(async () => {
    ingest = await ScriptableIngest.start({ answers: true });
    let requests = 0;
    target = await httpTarget((socket) => reply(socket, requests++ === 0 ? 503 : 204));
    service = await WorkerService.start({
      media: `kmp_rtmp_out_write_meta_timeout 0; kmp_rtmp_out_notif_url ${target.url};
        kmp_rtmp_out_notif_events publish_start publish_end rtmp_close;`,
    });
  });
  afterEach(async () => {
    for (const sender of senders.splice(0)) sender.destroy();
    await service.close();
    await ingest.close();
    await target.close();
  });

  it('notifications arrive in order for each upstream, also after a failure, and count together', async () => {
    for (const id of IDS) {
      const url = `rtmp://127.0.0.1:${ingest.port}/app/${id}`;
      const sender = await KmpSender.open(service.kmpPort, { upstream_id: `${id}`, url });
      senders.push(sender);
      sender.send(audioMinf(), frameAt(0, 'a'));
      await sender.acked(1n);
      sender.end();
    }
    await eventually(() => target.requests.length === 7, 'seven requests');
    const delivered = target.requests.slice(1).map(({ head, body }) => {
      const { event_type, upstream_id } = JSON.parse(body) as Body;
      const sequence = /^x-kmp-rtmp-sequence: (\d+)\r?$/im.exec(head)?.[1];
      return { upstream_id, text: `${sequence} ${event_type}` };
    });
    for (const id of IDS) {
      assert.deepEqual(
        delivered.filter(({ upstream_id }) => upstream_id === id).map(({ text }) => text),
        ['1 publish_start', '2 publish_end', '3 rtmp_close'],
      );
    }
    const sent = 'kmp_rtmp_notifications_total{result="sent"}';
    const count = (): Promise<Map<string, number>> => service.metrics();
    const metrics = await until('six deliveries', count, (all) => all.get(sent) === 6);
    assert.equal(metrics.get('kmp_rtmp_notification_retries_total'), 1);
    assert.equal(metrics.get('kmp_rtmp_upstream_events_total{event="publish_start"}'), 2);
  });

  it('each process has its own metrics', async () => {
    const metrics = await service.metrics();
    for (const name of ['main', 'worker-0', 'worker-1']) {
      const resident = metrics.get(`kmp_rtmp_process_resident_memory_bytes{process="${name}"}`) ?? 0;
      assert.ok(resident > 1_000_000, `${name}: ${resident}`);
    }
  });
});
