/**
 * A server that is gone without a word: the cable is pulled. Needs Linux and the right to make network namespaces;
 * without it these are skipped.
 */
import { after, afterEach, before, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { setTimeout as sleep } from 'node:timers/promises';
import { eventually } from '../support/time/eventually.js';
import { audioMinf, frameAt, KmpSender } from '../support/kmp/kmp-sender.js';
import { startKmp, type KmpService } from '../support/service/kmp-service.js';
import { AT_ONCE } from '../support/service/live.js';
import { reap } from '../support/process/reaper.js';

const NAMESPACE = `kmp-rtmp-${process.pid}`;
/** A net of its own: what a run that was killed left behind must not be in the way. */
const NET = `10.213.${process.pid % 256}`;
const [NEAR, FAR] = [`kr${process.pid}a`, `kr${process.pid}b`];
const ip = (...args: string[]): void => void execFileSync('ip', args, { stdio: 'ignore' });
const inside = (...args: string[]): void => ip('netns', 'exec', NAMESPACE, 'ip', ...args);

/** Why no network namespace can be made here. */
function noNamespace(): string | false {
  try {
    ip('netns', 'add', `${NAMESPACE}-try`);
    ip('netns', 'del', `${NAMESPACE}-try`);
    return false;
  } catch {
    return 'no network namespace can be made here';
  }
}

describe('a server that vanishes', { timeout: 120_000, skip: noNamespace() }, () => {
  let server: ChildProcess;
  let service: KmpService;
  let sender: KmpSender;

  before(async () => {
    ip('netns', 'add', NAMESPACE);
    ip('link', 'add', NEAR, 'type', 'veth', 'peer', 'name', FAR);
    ip('link', 'set', FAR, 'netns', NAMESPACE);
    ip('addr', 'add', `${NET}.1/24`, 'dev', NEAR);
    ip('link', 'set', NEAR, 'up');
    inside('addr', 'add', `${NET}.2/24`, 'dev', FAR);
    inside('link', 'set', FAR, 'up');
    const program = fileURLToPath(new URL('../support/ingest/far-ingest.js', import.meta.url));
    const args = ['netns', 'exec', NAMESPACE, process.execPath, program, `${NET}.2`, '1935'];
    server = reap(spawn('ip', args, { stdio: ['ignore', 'pipe', 'inherit'] }));
    if (server.stdout !== null) await once(server.stdout, 'data');
  });
  afterEach(async () => {
    sender.destroy();
    await service.close();
    inside('link', 'set', FAR, 'up');
  });
  after(() => {
    server.kill();
    ip('netns', 'del', NAMESPACE);
  });

  /** A name of its own each time: the server holds the last one still. */
  async function publish(name: string): Promise<void> {
    service = await startKmp({ ...AT_ONCE, outWriteMetaTimeout: 0, outTimeout: 3000, inReadTimeout: 600_000 });
    sender = await KmpSender.open(service.port, { upstream_id: 'u1', url: `rtmp://${NET}.2/app/${name}` });
    sender.send(audioMinf(), frameAt(0, 'first'));
    const upstream = await service.upstream('u1');
    await eventually(() => upstream.status().last_status?.code === 'NetStream.Publish.Start', 'the start');
  }

  /** ms until it is noticed that the cable is out. */
  async function pull(): Promise<number> {
    const from = performance.now();
    inside('link', 'set', FAR, 'down');
    while (service.registry.size > 0) await sleep(50);
    return performance.now() - from;
  }

  it('is noticed by what piles up, soon after kmp_rtmp_out_timeout', async () => {
    await publish('busy');
    let n = 1;
    // 4 Mbit/s.
    const timer = setInterval(() => sender.send(frameAt(n++ * 40, Buffer.alloc(20_000))), 40);
    await sleep(500);
    const ms = await pull();
    clearInterval(timer);
    assert.match(service.log.text, /send_failed: .*took no byte for 3000 ms/);
    assert.ok(ms < 20_000, `${ms} ms`);
  });

  /**
   * Bytes of ours that the server's machine has not acknowledged, as the kernel counts them: while there are any it
   * does not ask whether the other side is there, but sends them again and again.
   */
  function underWay(): number {
    const bytes = `${NET}.2`.split('.').map((byte) => Number(byte).toString(16).padStart(2, '0'));
    const server = `${bytes.reverse().join('').toUpperCase()}:078F`;
    const rows = readFileSync('/proc/net/tcp', 'latin1').split('\n');
    const queues = rows.flatMap((row) => {
      const [, , remote, state, queue = ''] = row.trim().split(/\s+/);
      return remote === server && state === '01' ? [parseInt(queue, 16)] : [];
    });
    assert.equal(queues.length, 1, rows.join('\n'));
    return queues[0] ?? 0;
  }

  it('is noticed when there is nothing to send, too: by keepalive', async () => {
    await publish('idle');
    const track = () => service.registry.get('u1')?.status().streams['idle']?.tracks.audio;
    await eventually(() => track()?.sent_frames === 1 && track()?.mem_used === 0, 'the frame to be sent');
    await eventually(() => underWay() === 0, 'what was sent to arrive');
    const ms = await pull();
    assert.match(service.log.text, /recv_failed: .*(ETIMEDOUT|EHOSTUNREACH)/);
    assert.ok(ms < 60_000, `${ms} ms`);
  });
});
