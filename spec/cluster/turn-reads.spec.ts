import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { slotOf } from '../../lib/placement/rendezvous.js';
import { nullPacket } from '../support/kmp/kmp-bytes.js';
import { audioMinf, frameAt, KmpSender } from '../support/kmp/kmp-sender.js';
import { ScriptableIngest } from '../support/ingest/scriptable-ingest.js';
import { until } from '../support/time/until.js';
import { WorkerService } from '../support/service/worker-service.js';

const notHere = process.platform === 'linux' ? false : 'Linux only';

/** Packets to each upstream, one every ms or more. */
const PACKETS = 1500;

/** Calls of read and of similar functions that a process has made. */
function reads(pid: number): number {
  return Number(/^syscr: (\d+)$/m.exec(readFileSync(`/proc/${pid}/io`, 'utf8'))?.[1]);
}

describe('workers', { timeout: 90_000 }, () => {
  let service: WorkerService;
  const log = (): string => readFileSync(join(service.folder, 'log'), 'utf8');

  before(async () => {
    service = await WorkerService.start({
      main: 'error_log stderr info; error_log $folder/log info;',
      // Long, so that reads in turns are few, however long a busy machine takes to send the packets.
      media: 'kmp_rtmp_in_read_interval 2s; kmp_rtmp_out_min_process_delay 3s; kmp_rtmp_out_max_process_delay 6s;',
    });
  });
  after(() => service.close());

  it('say once for all which internals of Node are in use, and miss none', async () => {
    // The file may have a line later than stderr.
    const text = await until(
      'the start in the log',
      () => Promise.resolve(log()),
      (lines) => lines.includes('answers HTTP'),
    );
    assert.equal(text.match(/Node internals in use: turn reads, shared reads, handover, /g)?.length, 1);
    assert.doesNotMatch(text, /\[warn\]|not in use/);
  });

  it('read sockets in turns, those that were handed over too', { skip: notHere }, async (t) => {
    const ingest = await ScriptableIngest.start();
    t.after(() => ingest.close());
    // Two upstreams for each worker; about half of their connections come to the other one first.
    const ids = [0, 1].flatMap((slot) =>
      Array.from({ length: 100 }, (_, i) => `turns-${i}`)
        .filter((id) => slotOf(id, 2) === slot)
        .slice(0, 2),
    );
    const senders: KmpSender[] = [];
    for (const id of ids) {
      const url = `rtmp://127.0.0.1:${ingest.port}/app/${id}`;
      const sender = await KmpSender.open(service.kmpPort, { upstream_id: id, url });
      t.after(() => sender.destroy());
      sender.send(audioMinf(), frameAt(0, 'a'));
      senders.push(sender);
    }
    const status = (): Promise<unknown> => service.status();
    await until('all tracks', status, () => senders.every(({ lastAck }) => lastAck === 1n));
    const pids = await service.workers();
    const earlier = pids.map(reads);
    for (let n = 0; n < PACKETS; n++) {
      for (const sender of senders) sender.send(nullPacket);
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    const made = pids.map((pid, i) => reads(pid) - (earlier[i] ?? 0));
    for (const sender of senders) sender.send(frameAt(40, 'b'));
    await until('the frames', status, () => senders.every(({ lastAck }) => lastAck === 2n));
    // Read whenever something comes, the two sockets of a worker would be read up to 3000 times. The rest is for
    // messages between the processes.
    for (const count of made) assert.ok(count < PACKETS, `${count} reads for ${2 * PACKETS} packets`);
    t.diagnostic(`${made.join(' and ')} reads`);
  });
});
