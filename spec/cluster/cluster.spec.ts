import assert from 'node:assert/strict';
import net from 'node:net';
import { after, before, describe, it } from 'node:test';
import { startChild, type Child } from '../support/child.js';
import { connectPacket, goldenFile } from '../support/golden.js';
import { until } from '../support/until.js';
import { ScriptableIngest } from '../support/scriptable-ingest.js';
import { fileURLToPath } from 'node:url';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { slotOf } from '../../lib/cluster/rendezvous.js';

const program = fileURLToPath(new URL('../../bin/kmp-rtmp.js', import.meta.url));

interface Status {
  readonly pid: number;
  readonly upstreams: Readonly<
    Record<
      string,
      {
        connection: number;
        streams: Record<string, { tracks: Record<string, { input: { connection: number } | null }> }>;
      }
    >
  >;
}

describe('two workers', { timeout: 90_000 }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'kmp-rtmp-cluster-'));
  let child: Child;
  let kmpPort = 0;
  let api = '';

  const status = async (): Promise<Status> => (await (await fetch(`${api}/`)).json()) as Status;

  before(async () => {
    const file = join(folder, 'kmp-rtmp.conf');
    writeFileSync(
      file,
      `worker_processes 2;
       stream {
         server {
           listen 127.0.0.1:0;
           kmp_rtmp;
         }
       }
       http { server { listen 127.0.0.1:0; location / { kmp_rtmp_api write=on; } } }`,
    );
    child = startChild([program, '-c', file]);
    await child.says('takes KMP on 127.0.0.1:');
    kmpPort = Number(await child.rest());
    await child.says('answers HTTP on ');
    api = (await child.rest()).replace(/\/$/, '');
  });

  after(async () => {
    child.kill('SIGKILL');
    await child.exit;
    rmSync(folder, { recursive: true, force: true });
  });

  it('answer as one service, and give every connection a number of its own', async (t) => {
    const ingest = await ScriptableIngest.start();
    t.after(() => ingest.close());
    const ids = Array.from({ length: 12 }, (_, i) => `many-${i}`);
    const sockets = ids.flatMap((id) =>
      ['v', 'a'].map((track) => {
        const socket = net.connect(kmpPort, '127.0.0.1');
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

    const dropped = await fetch(`${api}/upstreams/many-3`, { method: 'DELETE' });
    assert.equal(dropped.status, 204);
    await until('the end of it', status, ({ upstreams }) => upstreams['many-3'] === undefined);
    const list = (await (await fetch(`${api}/upstreams?list=1`)).json()) as string[];
    assert.equal(list.length, 11);
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
      const socket = net.connect(kmpPort, '127.0.0.1');
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
    const [, pid] = (await workers(child.pid)).sort((a, b) => a - b);
    assert.ok(pid !== undefined);
    process.kill(pid, 'SIGKILL');
    await closed;
    const id = mine[1] ?? '';
    // Its sender comes again as soon as the primary knows: the connection waits for the new worker.
    await child.says('another takes its place');
    open(id);
    const later = await until('the new one', status, ({ upstreams }) =>
      mine.every((one) => upstreams[one] !== undefined),
    );
    assert.equal(later.upstreams[mine[0] ?? '']?.connection, both.upstreams[mine[0] ?? '']?.connection);
    assert.notEqual(later.upstreams[id]?.connection, both.upstreams[id]?.connection);
    assert.equal(sockets[0]?.destroyed, false);
  });

  it('end in order with the primary, and leave no process', async () => {
    const pids = await workers(child.pid);
    assert.equal(pids.length, 2);
    child.kill('SIGTERM');
    assert.equal(await child.exit, 0);
    for (const pid of pids) {
      await until(
        'the worker to be gone',
        () => Promise.resolve(alive(pid)),
        (there) => !there,
      );
    }
  });
});

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

async function workers(primary: number): Promise<number[]> {
  const { execFile } = await import('node:child_process');
  return new Promise((resolve, reject) => {
    execFile('ps', ['-eo', 'pid=,ppid='], (error, stdout) => {
      if (error) return reject(error);
      const rows = stdout
        .trim()
        .split('\n')
        .map((line) => line.trim().split(/\s+/).map(Number));
      resolve(rows.flatMap(([pid, ppid]) => (ppid === primary && pid !== undefined ? [pid] : [])));
    });
  });
}
