import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { promisify } from 'node:util';
import { ClusterMediaService } from '../../lib/cluster/cluster-media-service.js';
import { parseConfig } from '../../lib/config/load.js';
import { eventually } from '../support/time/eventually.js';
import { FakeClock } from '../support/time/fake-clock.js';
import { LogLines } from '../support/service/log-lines.js';
import { turns } from '../support/time/turns.js';
import { isAlive } from '../support/service/worker-service.js';

/** The primary's part in this process, on a manual clock; its one worker is a process as always. */
describe('a worker that dies', { timeout: 90_000 }, () => {
  let clock: FakeClock;
  let log: LogLines;
  let service: ClusterMediaService;

  async function worker(): Promise<number> {
    const { stdout } = await promisify(execFile)('ps', ['-eo', 'pid=,ppid=,args=']);
    const line = stdout.split('\n').find((one) => one.includes(` ${process.pid} `) && one.includes('worker-main'));
    return Number(line?.trim().split(/\s+/)[0]);
  }

  const deaths = (): string[] =>
    log.of('error').flatMap(({ message }) => (message.includes('died') ? [message.replace(/^.*; /, '')] : []));

  /** Kills it; settles when the primary knows. */
  async function kill(): Promise<void> {
    const count = deaths().length;
    process.kill(await worker(), 'SIGKILL');
    await eventually(() => deaths().length > count, 'the log line');
    assert.equal(service.ready, false);
  }

  beforeEach(async () => {
    clock = new FakeClock();
    log = new LogLines();
    const config = parseConfig('worker_processes 1; stream { server { listen 127.0.0.1:0; kmp_rtmp; } }');
    service = new ClusterMediaService(config, { clock, log });
    await service.start();
  });
  afterEach(() => service.kill());

  it('soon after its start is replaced after a wait that doubles, and at once if it had lived for 5 s', async () => {
    for (const wait of [250, 750, 1750]) {
      clock.advance(4999);
      await kill();
      assert.equal(deaths().at(-1), `another takes its place in ${wait} ms`);
      clock.advance(wait - 1);
      await turns();
      assert.ok(Number.isNaN(await worker()));
      clock.advance(1);
      await eventually(() => service.ready, 'the next worker');
    }
    clock.advance(5000);
    await kill();
    assert.equal(deaths().at(-1), 'another takes its place');
    clock.advance(0);
    await eventually(() => service.ready, 'the next worker');
    await kill();
    assert.equal(deaths().at(-1), 'another takes its place in 250 ms');
  });

  it('leaves no question unanswered', async () => {
    const pid = await worker();
    process.kill(pid, 'SIGSTOP');
    const asked = service.management.status();
    const dropped = service.management.dropUpstream('u1');
    process.kill(pid, 'SIGKILL');
    assert.deepEqual((await asked).upstreams, Object.create(null));
    await assert.rejects(dropped, /worker 0 died/);
    await assert.rejects(service.management.dropUpstream('u1'), /being replaced/);
  });

  it('is not replaced when the service has ended', async () => {
    const pid = await worker();
    await service.stop();
    await eventually(() => service.ready === false, 'the end');
    clock.advance(60_000);
    await turns();
    await eventually(() => !isAlive(pid), 'the process to be gone');
    assert.ok(Number.isNaN(await worker()));
    assert.deepEqual(deaths(), []);
  });
});
