import assert from 'node:assert/strict';
import net from 'node:net';
import { after, before, describe, it } from 'node:test';
import { slotOf } from '../../lib/placement/rendezvous.js';
import type { GlobalStatus, UpstreamStatus } from '../../lib/upstream/report/status.js';
import { connectPacket, goldenFile } from '../support/rtmp/golden.js';
import { ScriptableIngest } from '../support/ingest/scriptable-ingest.js';
import { until } from '../support/time/until.js';
import { isAlive, WorkerService } from '../support/service/worker-service.js';

describe('two workers', { timeout: 90_000 }, () => {
  let service: WorkerService;

  const status = (): Promise<GlobalStatus> => service.status();

  before(async () => {
    service = await WorkerService.start();
  });

  after(() => service.close());

  it('answer as one service, and give every connection a number of its own', async (t) => {
    const ingest = await ScriptableIngest.start();
    t.after(() => ingest.close());
    const ids = Array.from({ length: 12 }, (_, i) => `many-${i}`);
    const sockets = ids.flatMap((id) =>
      ['v', 'a'].map((track) => {
        const socket = net.connect(service.kmpPort, '127.0.0.1');
        t.after(() => socket.destroy());
        socket.on('error', () => {});
        socket.resume();
        const data = { upstream_id: id, url: `rtmp://127.0.0.1:${ingest.port}/app/${id}` };
        socket.write(connectPacket(data, track));
        socket.write(goldenFile('av', `${track}.kmp`).subarray(0, track === 'v' ? 94 : 53));
        return socket;
      }),
    );
    const all = await until('all tracks', status, ({ upstreams }) =>
      ids.every((id) => Object.keys(upstreams[id]?.streams[id]?.tracks ?? {}).length === 2),
    );
    const numbers = Object.values(all.upstreams).flatMap(({ connection, streams }) => [
      connection,
      ...Object.values(streams).flatMap(({ tracks }) =>
        Object.values(tracks).map(({ input }) => input?.connection ?? NaN),
      ),
    ]);
    assert.equal(new Set(numbers).size, 36);
    assert.equal(new Set(ids.map((id) => slotOf(id, 2))).size, 2, 'both workers have some');

    const sorted = [...ids].sort();
    const [first, rest] = [
      await service.get('upstreams?limit=7'),
      await service.get(`upstreams?after=${encodeURIComponent(sorted[6] ?? '')}`),
    ];
    assert.deepEqual(
      [first, rest].map((page) => Object.keys(page as object)),
      [sorted.slice(0, 7), sorted.slice(7)],
    );
    assert.equal(
      ((await service.get('upstreams/many-5')) as UpstreamStatus).connection,
      all.upstreams['many-5']?.connection,
    );

    assert.equal(await service.drop('upstreams/many-3'), 204);
    await until('the end of it', status, ({ upstreams }) => upstreams['many-3'] === undefined);
    assert.equal(((await service.get('upstreams?list=1')) as string[]).length, 11);
    for (const socket of sockets) socket.destroy();
    await until('the end of all', status, ({ upstreams }) => Object.keys(upstreams).length === 0);
  });

  it('replace one that dies, and the other does not notice', async (t) => {
    const ingest = await ScriptableIngest.start();
    t.after(() => ingest.close());
    const mine = [0, 1].map((slot) => {
      const id = Array.from({ length: 100 }, (_, i) => `kill-${i}`).find((one) => slotOf(one, 2) === slot);
      if (id === undefined) throw new Error('no id for the slot');
      return id;
    });
    const open = (id: string): net.Socket => {
      const socket = net.connect(service.kmpPort, '127.0.0.1');
      t.after(() => socket.destroy());
      socket.on('error', () => {});
      socket.resume();
      socket.write(connectPacket({ upstream_id: id, url: `rtmp://127.0.0.1:${ingest.port}/app/${id}` }, 'v1'));
      socket.write(goldenFile('video-only', 'v.kmp').subarray(0, 94));
      return socket;
    };
    const sockets = mine.map(open);
    const both = await until('both', status, ({ upstreams }) => mine.every((id) => upstreams[id] !== undefined));
    const victim = sockets[1];
    const closed = new Promise<void>((resolve) => victim?.once('close', () => resolve()));
    const [, pid] = (await service.workers()).sort((a, b) => a - b);
    assert.ok(pid !== undefined);
    process.kill(pid, 'SIGKILL');
    await closed;
    const id = mine[1] ?? '';
    // Its sender comes again as soon as the primary knows: the connection waits for the new worker.
    await service.child.says('another takes its place');
    open(id);
    const later = await until('the new one', status, ({ upstreams }) =>
      mine.every((one) => upstreams[one] !== undefined),
    );
    assert.equal(later.upstreams[mine[0] ?? '']?.connection, both.upstreams[mine[0] ?? '']?.connection);
    assert.notEqual(later.upstreams[id]?.connection, both.upstreams[id]?.connection);
    assert.equal(sockets[0]?.destroyed, false);
  });

  it('end in order with the primary, and leave no process', async () => {
    const pids = await service.workers();
    assert.equal(pids.length, 2);
    service.child.kill('SIGTERM');
    assert.equal(await service.child.exit, 0);
    for (const pid of pids) {
      await until(
        'the worker to be gone',
        () => Promise.resolve(isAlive(pid)),
        (there) => !there,
      );
    }
  });
});
