import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { promisify } from 'node:util';
import { slotOf } from '../../lib/placement/rendezvous.js';
import { eventually } from '../support/time/eventually.js';
import { FakeClock } from '../support/time/fake-clock.js';
import { audioMinf, KmpSender } from '../support/kmp/kmp-sender.js';
import { RunningService } from '../support/service/running-service.js';
import { turns } from '../support/time/turns.js';
import type { Reply } from '../support/network/http.js';
import type { GlobalStatus } from '../../lib/upstream/report/status.js';
import { isAlive } from '../support/service/worker-service.js';

const url = 'rtmp://127.0.0.1:9/live/s';

/** The first id of the form `u1`, `u2` ... that belongs to `slot` of two. */
function idIn(slot: number): string {
  for (let n = 1; ; n++) if (slotOf(`u${n}`, 2) === slot) return `u${n}`;
}

async function workers(): Promise<number[]> {
  const { stdout } = await promisify(execFile)('ps', ['-eo', 'pid=,ppid=,args=']);
  const lines = stdout.split('\n').filter((line) => line.includes(` ${process.pid} `) && line.includes('worker-main'));
  return lines.map((line) => Number(line.trim().split(/\s+/)[0]));
}

/** One of two workers is stopped: its process lives, but does nothing. The primary is in this process. */
describe('a worker that hangs', { timeout: 90_000 }, () => {
  const ids = [idIn(0), idIn(1)] as const;
  let clock: FakeClock;
  let service: RunningService;
  let senders: KmpSender[];
  /** The process that is stopped. */
  let stopped: number;
  /** Its number, and an id that it has; the id of the other worker. */
  let slot: number;
  let lostId: string;
  let liveId: string;

  const answered = (path: string): Promise<Reply> => service.request('GET', path);

  /** Time passes for the primary. In each second it hears the live worker: an answer comes after a sign of life. */
  async function pass(ms: number): Promise<void> {
    for (let left = ms; left > 0; left -= 500) {
      clock.advance(Math.min(left, 500));
      await turns();
      assert.equal((await answered(`/api/upstreams/${liveId}`)).status, 200);
    }
  }

  /** Lets the deadline of a question pass. */
  async function settled<T>(asked: Promise<T>): Promise<T> {
    let done = false;
    void asked.finally(() => (done = true));
    await turns(50);
    while (!done) await pass(500);
    return asked;
  }

  beforeEach(async () => {
    clock = new FakeClock();
    const main = 'worker_processes 2; worker_shutdown_timeout 10s;';
    service = await RunningService.start({ main, media: 'kmp_rtmp_out_reconnects unlimited;', clock });
    senders = await Promise.all(ids.map((id) => KmpSender.open(service.kmpPort, { upstream_id: id, url })));
    for (const sender of senders) sender.send(audioMinf());
    for (const id of ids) await service.shows(id, () => true, id);
    [stopped = 0] = await workers();
    process.kill(stopped, 'SIGSTOP');
    // Only one of the two answers at once.
    const there = await Promise.race(ids.map(async (id) => ((await answered(`/api/upstreams/${id}`)).status, id)));
    liveId = there;
    lostId = ids.find((id) => id !== there) ?? '';
    slot = slotOf(lostId, 2);
  });
  afterEach(async () => {
    for (const sender of senders) sender.destroy();
    await service.close();
    await eventually(() => !isAlive(stopped), 'the end of its process');
  });

  it('is named in each answer that lacks it, after a deadline', async () => {
    const all = await settled(answered('/api/'));
    assert.deepEqual((all.json as GlobalStatus).missing_workers, [slot]);
    assert.deepEqual(Object.keys((all.json as GlobalStatus).upstreams), [liveId]);
    assert.equal(all.headers['x-kmp-rtmp-missing-workers'], String(slot));
    const list = await settled(answered('/api/upstreams?list=1'));
    assert.deepEqual([list.json, list.headers['x-kmp-rtmp-missing-workers']], [[liveId], String(slot)]);
  });

  it('does not make others of its upstreams look as if they were not there', async () => {
    for (const method of ['GET', 'DELETE']) {
      const one = await settled(service.request(method, `/api/upstreams/${lostId}`));
      assert.equal(one.status, 503);
      assert.equal((one.json as { error: string }).error, 'worker_unavailable');
      assert.equal(one.headers['retry-after'], '2');
    }
  });

  it('shows in metrics and readiness, and is replaced after 5 s', async () => {
    assert.equal((await answered('/health/readyz')).status, 200);
    await pass(3000);
    const { status, text } = await answered('/health/readyz');
    assert.equal(status, 503);
    assert.match(text, new RegExp(`workers that do not answer or are being replaced: ${slot}`));
    assert.match((await answered('/metrics')).text, /^kmp_rtmp_missing_workers 1$/m);
    await pass(2500);
    assert.ok(isAlive(stopped));
    await pass(500);
    await eventually(() => !isAlive(stopped), 'its end');
    const lost = senders[slot];
    await lost?.closed;
    await eventually(
      () => service.log.of('error').some(({ message }) => /another takes its place/.test(message)),
      'it',
    );
    await pass(500);
    await eventually(() => service.service.ready, 'the next worker');
    assert.equal((await answered('/health/readyz')).status, 200);
    assert.match((await answered('/metrics')).text, /^kmp_rtmp_missing_workers 0$/m);
    assert.deepEqual(
      service.log
        .of('error')
        .map(({ message }) => message.replace(/\d+/g, 'N'))
        .slice(0, 1),
      ['worker N (process N) hangs: it gives no sign of life; it is killed'],
    );
  });

  it('does not keep the service from ending', async () => {
    const ended = service.service.stop();
    let done = false;
    void ended.then(() => (done = true));
    for (let n = 0; n < 14 && !done; n++) {
      clock.advance(1000);
      await turns(200);
    }
    await ended;
    await eventually(() => !isAlive(stopped), 'its end');
  });

  it('does not keep a reload from happening: the next worker has the new configuration', async () => {
    const reloaded = service.service.reload(service.config);
    let done = false;
    void reloaded.finally(() => (done = true));
    while (!done) await pass(500);
    await reloaded;
    await eventually(() => !isAlive(stopped), 'its end');
  });
});
