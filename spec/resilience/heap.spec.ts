/** What is left in a process that many upstreams have come and gone in: heap after collection, sockets, timers. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { eventually } from '../support/time/eventually.js';
import { audioFrames, Live, videoFrames } from '../support/service/live.js';
import type { KmpSender } from '../support/kmp/kmp-sender.js';

const rounds = Number(process.env['HEAP_ROUNDS'] ?? 300);
const MB = 2 ** 20;

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

describe(`${rounds} upstreams in one process, one after the other`, () => {
  let live: Live;
  let senders: KmpSender[] = [];

  before(async () => {
    live = await Live.start({
      script: { forget: true },
      // An upstream lives on while its last frames may have to be sent again; not for a second each, three hundred
      // times.
      settings: { outWriteMetaTimeout: 5000, outReconnects: 3, outResend: 20 },
    });
  });
  after(() => live.close());

  /** In each of the ways in which one can end. */
  async function one(round: number): Promise<void> {
    const { video, audio } = await live.both();
    senders = [video, audio];
    const connection = await live.ingest.next();
    audio.send(...audioFrames(0, 20));
    video.send(...videoFrames(0, 20));
    await live.received('video', 20);
    if (round % 4 === 0) senders.forEach((sender) => sender.end());
    else if (round % 4 === 1) senders.forEach((sender) => sender.destroy());
    else if (round % 4 === 2) live.service.registry.get('u1')?.drop('api_delete', true);
    else live.service.registry.get('u1')?.fail('send_failed', 'the spec wants it');
    await live.service.ended();
    await eventually(() => live.upstream === undefined && live.service.counter.open === 0, 'the end of all');
    connection.reset();
    senders.forEach((sender) => sender.destroy());
    live.senders.length = 0;
    live.ingest.connections.fill(connection);
    live.service.log.lines.length = 0;
  }

  async function settled(): Promise<{ heap: number; resources: number }> {
    await new Promise((resolve) => setTimeout(resolve, 100));
    for (let i = 0; i < 3; i++) {
      collect();
      await new Promise((resolve) => setImmediate(resolve));
    }
    return { heap: process.memoryUsage().heapUsed, resources: process.getActiveResourcesInfo().length };
  }

  it('leave nothing behind', async () => {
    for (let round = 0; round < 100; round++) await one(round);
    const first = await settled();
    for (let round = 0; round < rounds; round++) await one(round);
    const last = await settled();
    const grown = last.heap - first.heap;
    console.log(
      `# ${rounds} upstreams: heap ${(first.heap / MB).toFixed(1)} MB before, ${(last.heap / MB).toFixed(1)} MB after`,
    );
    // What the spec itself keeps of each (the end that was noted) is some hundred bytes.
    assert.ok(grown < rounds * 5000, `${Math.round(grown / rounds)} bytes more for each upstream`);
    assert.ok(
      last.resources <= first.resources + 2,
      `${first.resources} sockets and timers before, ${last.resources} after`,
    );
  });
});
