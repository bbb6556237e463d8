import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import net from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { noLog } from '../../lib/base/logger.js';
import type { FleetConfig } from '../../lib/config/fleet/fleet.js';
import { RedisEngine } from '../../lib/fleet/engine/redis-engine.js';
import { Fleet } from '../../lib/fleet/fleet.js';
import { rendezvousOrder } from '../../lib/placement/rendezvous.js';
import { systemClock } from '../../lib/time/clock.js';
import { freePort } from '../../spec/support/network/free-port.js';
import { keep } from '../children.js';
import { giveUp } from '../options.js';
import { endRedisServer, startRedisServer } from './redis-server.js';

// What a fleet of 100 nodes with 100,000 upstreams costs: the CPU time of a real redis-server, and that of a node.
// `node dist/bench/fleet/engine.js`, Linux only: it reads /proc.

const NODES = 100;
const IDS = 1000;
const SECONDS = 20;
const NAMES = Array.from({ length: NODES }, (_, n) => `node-${n}`);

function configOf(name: string, port: number): FleetConfig {
  return {
    engine: {
      addresses: [{ host: '127.0.0.1', port }],
      ...{ tls: false, user: undefined, password: undefined, database: 0, ca: undefined, sentinel: undefined },
    },
    name: 'bench',
    node: { name, kmp: { host: '192.0.2.1', port: 8005 }, http: { host: '192.0.2.1', port: 8001 } },
    ...{
      nodeTimeout: 10_000,
      engineTimeout: 5000,
      peerTimeout: 1000,
      peerTokens: [],
      peerCa: undefined,
      misplaced: 'relay',
      drainRate: 10,
    },
  };
}

const idsOf = (node: string): string[] => Array.from({ length: IDS }, (_, i) => `${node}-channel-${i}`);

/** CPU time of a process so far, ms. */
function cpuOf(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

/** Bytes that the engine uses. */
async function memoryOf(port: number): Promise<number> {
  const socket = net.connect(port, '127.0.0.1');
  socket.write('INFO memory\r\n');
  const [answer] = (await once(socket, 'data')) as [Buffer];
  socket.destroy();
  return Number(/used_memory:(\d+)/.exec(answer.toString())?.[1]);
}

async function connected(name: string, port: number): Promise<RedisEngine> {
  const engine = new RedisEngine(configOf(name, port), { clock: systemClock, log: noLog });
  engine.start();
  while (!engine.up) await sleep(5);
  return engine;
}

/** A node of the fleet with live upstreams, in a process of its own. */
async function runNode(port: number): Promise<void> {
  const fleet = new Fleet(configOf('node-0', port), { clock: systemClock, log: noLog });
  fleet.start();
  while (!fleet.engineUp) await sleep(5);
  for (const id of idsOf('node-0')) fleet.began(id, 0);
  await sleep(3000);
  const before = process.cpuUsage();
  await sleep(2 * SECONDS * 1000);
  const { user, system } = process.cpuUsage(before);
  process.send?.({ nodes: fleet.nodes.length, cpu: (user + system) / 1000 / (2 * SECONDS) });
  await fleet.stop();
  process.disconnect();
}

async function measure(): Promise<void> {
  const port = await freePort();
  const server = await startRedisServer(port);
  try {
    await measureWith(server, port);
  } finally {
    await endRedisServer(server);
  }
}

async function measureWith(server: ChildProcess, port: number): Promise<void> {
  const pid = server.pid ?? 0;
  const engines = await Promise.all(NAMES.map((name) => connected(name, port)));
  const [first, second] = engines;
  if (first === undefined || second === undefined) return;
  const beats = (): Promise<unknown> =>
    Promise.all(
      engines.map((engine, n) => {
        const { node } = configOf(NAMES[n] ?? '', port);
        return engine.beat({ ...node, draining: false, load: IDS, started: 1, version: '0.0.0', seenAt: 0 });
      }),
    );
  await beats();
  const cost = async (what: string, work: () => Promise<unknown>): Promise<void> => {
    const [cpu, time] = [cpuOf(pid), performance.now()];
    await work();
    const took = performance.now() - time;
    console.log(`${what}: ${cpuOf(pid) - cpu} ms of the engine's CPU, took ${Math.round(took)} ms`);
  };
  const claims = (names: readonly string[]): Promise<unknown> =>
    Promise.all(
      names.map((name) =>
        engines[NAMES.indexOf(name)]?.claim(
          name,
          idsOf(name).map((id) => ({ id, epoch: 1 })),
        ),
      ),
    );
  await cost(`all nodes claim ${NODES * IDS} upstreams at once`, () => claims(NAMES));
  await cost('10000 new upstreams are placed, 16 at a time', async () => {
    let next = 0;
    const sender = async (): Promise<void> => {
      while (next < 10_000) {
        const id = `new-${next++}`;
        await first.place(id, rendezvousOrder(id, NAMES));
      }
    };
    await Promise.all(Array.from({ length: 16 }, sender));
  });
  await cost('2000 senders of a dead node ask again', () =>
    Promise.all(
      Array.from({ length: 2000 }, (_, i) => {
        const id = `node-7-channel-${i >> 1}`;
        return (i % 2 === 0 ? first : second).place(id, rendezvousOrder(id, NAMES), 'node-7');
      }),
    ),
  );
  const memory = await memoryOf(port);
  console.log(`memory of the engine: ${Math.round(memory / 1e6)} MB`);
  for (const refreshEvery of [Infinity, 20, 1]) {
    const cpu = cpuOf(pid);
    const began = performance.now();
    for (let second = 0; second < SECONDS; second++) {
      const due = NAMES.filter((_, n) => n % refreshEvery === second % refreshEvery);
      await Promise.all([beats(), claims(due)]);
      await sleep(Math.max(0, began + 1000 * (second + 1) - performance.now()));
    }
    const perSecond = (cpuOf(pid) - cpu) / ((performance.now() - began) / 1000);
    const what =
      refreshEvery === Infinity ? 'heartbeats alone' : `heartbeats, ${IDS} ids of each node every ${refreshEvery} s`;
    console.log(`${NODES} nodes, ${what}: ${perSecond.toFixed(1)} ms of the engine's CPU per second`);
  }
  const node = keep(fork(fileURLToPath(import.meta.url), ['--node', String(port)]));
  const others = setInterval(() => void beats(), 1000);
  const [answer] = (await once(node, 'message')) as [{ nodes: number; cpu: number }];
  clearInterval(others);
  const share = (answer.cpu / 10).toFixed(2);
  console.log(
    `one node of ${answer.nodes} with ${IDS} upstreams: ${answer.cpu.toFixed(1)} ms of CPU per second, ${share} % of a core`,
  );
  await Promise.all(engines.map((engine) => engine.stop()));
}

if (process.argv[2] === '--node') await runNode(Number(process.argv[3]));
else await measure().catch((error: unknown) => giveUp('bench:fleet', error));
