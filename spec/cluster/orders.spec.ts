import { afterEach, beforeEach, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { slotOf } from '../../lib/placement/rendezvous.js';
import type { StandingOrder } from '../../lib/upstream/report/orders.js';
import type { UpstreamStatus } from '../../lib/upstream/report/status.js';
import { framesOf } from '../support/ingest/ingest-media.js';
import { frameAt, KmpSender, videoMinf } from '../support/kmp/kmp-sender.js';
import { ScriptableIngest } from '../support/ingest/scriptable-ingest.js';
import { until } from '../support/time/until.js';
import { WorkerService } from '../support/service/worker-service.js';

/** Upstream ids that belong to the first and the second worker of two. */
const [A, B] = [0, 1].map((slot) => {
  for (let n = 1; ; n++) if (slotOf(`u${n}`, 2) === slot) return `u${n}`;
}) as [string, string];

describe('orders of operators with workers', { timeout: 90_000 }, () => {
  let service: WorkerService;
  let here: ScriptableIngest;
  let there: ScriptableIngest;
  const senders: KmpSender[] = [];

  async function open(id: string): Promise<KmpSender> {
    const url = `rtmp://127.0.0.1:${here.port}/app/${id}`;
    const sender = await KmpSender.open(service.kmpPort, { upstream_id: id, url });
    senders.push(sender);
    sender.send(videoMinf(), frameAt(0, `${id}-0`, { key: true }));
    return sender;
  }

  const shows = (id: string, good: (upstream: UpstreamStatus) => boolean): Promise<unknown> =>
    until(
      `the state of ${id}`,
      () => service.status(),
      ({ upstreams: { [id]: upstream } }) => upstream !== undefined && good(upstream),
    );
  const state = (id: string, wanted: string): Promise<unknown> => shows(id, (one) => one.state === wanted);
  const route = (ingest: ScriptableIngest): string => encodeURIComponent(`rtmp://127.0.0.1:${ingest.port}/app`);

  /** Kills the workers, one after the other: each time, another takes its place. */
  async function killWorkers(): Promise<void> {
    for (const pid of await service.workers()) {
      process.kill(pid, 'SIGKILL');
      await until(
        'another worker',
        async () => ({ pids: await service.workers(), status: await service.status() }),
        ({ pids, status }) => pids.length === 2 && !pids.includes(pid) && status.missing_workers?.length === 0,
      );
    }
    await Promise.all(senders.splice(0).map(({ closed }) => closed));
  }

  beforeEach(async () => {
    here = await ScriptableIngest.start({ answers: true });
    there = await ScriptableIngest.start({ answers: true });
    service = await WorkerService.start();
  });
  afterEach(async () => {
    for (const sender of senders.splice(0)) sender.destroy();
    await service.close();
    await here.close();
    await there.close();
  });

  it('are kept when workers die: those that replace them follow them from the first sender on', async () => {
    await open(A);
    await open(B);
    await state(A, 'publishing');
    await state(B, 'publishing');
    assert.deepEqual(await service.order(`upstreams/${A}/disable`), [204, undefined]);
    const url = `rtmp://127.0.0.1:${there.port}/other/${B}`;
    assert.deepEqual(await service.order(`upstreams/${B}/elsewhere`, { url }), [204, undefined]);
    const moved = await there.next();
    await moved.command('publish');
    const connections = here.connections.length;
    await killWorkers();
    // They are listed although no worker has the upstreams.
    assert.deepEqual(Object.keys((await service.status()).upstreams), []);
    const listed = (await service.get('orders')) as StandingOrder[];
    assert.deepEqual(
      listed.map(({ order, kind, upstream_id }) => [order, kind, upstream_id]),
      [
        [2, 'elsewhere', B],
        [1, 'disabled', A],
      ],
    );
    // They can be changed.
    const other = `rtmp://127.0.0.1:${there.port}/third/${B}`;
    assert.deepEqual(await service.order(`upstreams/${B}/elsewhere`, { url: other }), [204, undefined]);
    assert.deepEqual(await service.order(`upstreams/${A}/disable`), [204, undefined]);
    await open(A);
    await open(B);
    await state(A, 'disabled');
    const again = await there.next();
    const [, , connect] = await again.command('connect');
    assert.equal(Reflect.get(connect as object, 'app'), 'third');
    await again.until(() => framesOf(again).includes(`${B}-0`));
    assert.equal(here.connections.length, connections);
    // They can be taken back.
    assert.deepEqual(await service.order(`upstreams/${A}/enable`), [204, undefined]);
    assert.equal(await service.drop(`upstreams/${B}/elsewhere`), 204);
    senders[0]?.send(frameAt(40, 'x', { key: true }));
    senders[1]?.send(frameAt(40, 'x', { key: true }));
    for (const id of [A, B]) await shows(id, (one) => one.state === 'publishing' && one.elsewhere === null);
  });

  it('are taken back by number when no upstream is there', async () => {
    await open(A);
    await state(A, 'publishing');
    assert.equal((await service.order(`upstreams/${A}/disable`))[0], 204);
    assert.equal(
      (await service.order(`routes/${route(here)}/elsewhere`, { url: `rtmp://127.0.0.1:${there.port}/other` }))[0],
      200,
    );
    await killWorkers();
    for (const order of [1, 2]) assert.equal(await service.drop(`orders/${order}`), 204);
    assert.equal(await service.drop('orders/1'), 404);
    assert.deepEqual(await service.get('orders'), []);
    const connections = here.connections.length;
    await open(A);
    await shows(A, (one) => one.state === 'publishing' && one.elsewhere === null);
    assert.equal(here.connections.length, connections + 1);
  });

  it('for a route reach all workers, and those that replace them; a refused one changes nothing anywhere', async () => {
    await open(A);
    await open(B);
    await state(A, 'publishing');
    await state(B, 'publishing');
    const [status, refusal] = await service.order(`routes/${route(here)}/elsewhere`, {
      url: `rtmp://127.0.0.1:${service.kmpPort}/app`,
    });
    assert.deepEqual([status, Reflect.get(refusal as object, 'error')], [422, 'destination_refused']);
    const url = `rtmp://127.0.0.1:${there.port}/other`;
    assert.deepEqual(await service.order(`routes/${route(here)}/elsewhere`, { url }), [200, { upstreams: 2 }]);
    for (let n = 0; n < 2; n++) await (await there.next()).command('publish');
    assert.equal(here.connections.length, 2);
    await killWorkers();
    await open(A);
    await open(B);
    for (let n = 0; n < 2; n++) await (await there.next()).command('publish');
    assert.equal(here.connections.length, 2);
    assert.equal((await service.order(`upstreams/none/elsewhere`, { url: `${url}/x` }))[0], 404);
  });

  it('a worker that does not answer follows an order for a route when it does again', async () => {
    let sender = await open(A);
    await open(B);
    await state(A, 'publishing');
    await state(B, 'publishing');
    // On a busy machine, the other worker may be late as well: then the order was refused.
    await until(
      'the answer of one worker',
      async () => {
        const [pid] = await service.workers();
        assert.ok(pid !== undefined);
        process.kill(pid, 'SIGSTOP');
        try {
          return await service.order(`routes/${route(here)}/disable`);
        } finally {
          process.kill(pid, 'SIGCONT');
        }
      },
      ([status, answer]) => {
        if (status === 503) return false;
        assert.deepEqual([status, answer], [200, { upstreams: 1 }]);
        return true;
      },
    );
    await until(
      `the state of ${A}`,
      async () => {
        // If the worker was away for long, another one has replaced it. The sender returns.
        if (sender.isClosed) sender = await open(A);
        return service.status();
      },
      ({ upstreams: { [A]: upstream } }) => upstream?.state === 'disabled',
    );
    await state(B, 'disabled');
  });
});
