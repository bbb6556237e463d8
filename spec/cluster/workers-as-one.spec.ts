import { renameSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { slotOf } from '../../lib/placement/rendezvous.js';
import { audioMinf, frameAt, KmpSender, videoMinf } from '../support/kmp/kmp-sender.js';
import { ScriptableIngest } from '../support/ingest/scriptable-ingest.js';
import { until } from '../support/time/until.js';
import { WorkerService } from '../support/service/worker-service.js';

/** An upstream id that belongs to the slot, of two. */
function idOf(slot: number): string {
  const id = Array.from({ length: 100 }, (_, i) => `u${i}`).find((one) => slotOf(one, 2) === slot);
  if (id === undefined) throw new Error(`no id for slot ${slot}`);
  return id;
}
const IDS = [idOf(0), idOf(1)] as const;
/** Frames of video that each one gets. */
const FRAMES = [3, 5] as const;

describe('what workers do as one service', { timeout: 90_000 }, () => {
  let service: WorkerService;
  let ingest: ScriptableIngest;
  const senders: KmpSender[] = [];

  /** A video and an audio sender for an upstream of the worker; all frames have arrived. */
  async function publish(slot: 0 | 1): Promise<KmpSender[]> {
    const data = { upstream_id: IDS[slot], url: `rtmp://127.0.0.1:${ingest.port}/app/s` };
    const [video, audio] = [await KmpSender.open(service.kmpPort, data), await KmpSender.open(service.kmpPort, data)];
    senders.push(video, audio);
    video.send(videoMinf());
    audio.send(audioMinf());
    for (let n = 0; n < FRAMES[slot]; n++) video.send(frameAt(n * 40, `v${n}`, { key: n === 0 }));
    await until('all frames', tracksOf(slot), ({ video, audio }) => {
      return video?.input?.received_frames === FRAMES[slot] && audio !== undefined;
    });
    return [video, audio];
  }

  function tracksOf(slot: 0 | 1) {
    return async () => (await service.status()).upstreams[IDS[slot]]?.streams['s']?.tracks ?? {};
  }

  beforeEach(async () => {
    ingest = await ScriptableIngest.start({ answers: true });
    service = await WorkerService.start({ main: 'error_log $folder/service.log info; error_log stderr info;' });
  });
  afterEach(async () => {
    for (const sender of senders.splice(0)) sender.destroy();
    await service.close();
    await ingest.close();
  });

  it('the metrics are sums over the workers, and keep what a worker had counted that died', async () => {
    const all = [await publish(0), await publish(1)];
    const received = 'kmp_rtmp_received_frames_total{media="video"}';
    const accepted = 'kmp_rtmp_input_connections_total{result="accepted"}';
    const before = await service.metrics();
    assert.equal(before.get(received), FRAMES[0] + FRAMES[1]);
    assert.equal(before.get(accepted), 4);

    const [pid] = await service.workers();
    assert.ok(pid !== undefined);
    process.kill(pid, 'SIGKILL');
    // One of the two has lost its senders.
    const slot = await Promise.race(all.map(([video], i) => video?.closed.then(() => i)));
    await service.child.says('another takes its place');
    const without = await service.metrics();
    assert.equal(without.get(received), FRAMES[0] + FRAMES[1]);
    await publish(slot === 0 ? 0 : 1);
    const after = await service.metrics();
    assert.equal(after.get(received), FRAMES[0] + FRAMES[1] + (slot === 0 ? FRAMES[0] : FRAMES[1]));
    assert.equal(after.get(accepted), 4 + 2);
  });

  it('how upstreams have ended is recorded of all workers, and stays when one dies', async () => {
    ingest.script = {
      answers: true,
      rejectPublish: { code: 'NetStream.Publish.Denied', description: 'no' },
    };
    const closed = async () => (await service.get('closed')) as readonly { upstream_id: string; reason: string }[];
    for (const id of IDS) {
      const data = { upstream_id: id, url: `rtmp://127.0.0.1:${ingest.port}/app/${id}` };
      const sender = await KmpSender.open(service.kmpPort, data);
      senders.push(sender);
      sender.send(audioMinf(), frameAt(0, 'first'));
      await sender.closed;
    }
    const both = await until('both ends', closed, ({ length }) => length === 2);
    assert.deepEqual(both.map(({ upstream_id }) => upstream_id).sort(), [...IDS].sort());
    assert.ok(both.every(({ reason }) => reason === 'publish_rejected'));
    for (const pid of await service.workers()) process.kill(pid, 'SIGKILL');
    await service.child.says('another takes its place');
    assert.deepEqual(await closed(), both);
    assert.deepEqual(
      await service.get(`closed?upstream_id=${IDS[1]}`),
      both.filter((one) => one.upstream_id === IDS[1]),
    );
  });

  it('a track is dropped in the worker that has it', async () => {
    for (const slot of [0, 1] as const) {
      const [sender, other] = await publish(slot);
      const { video } = await tracksOf(slot)();
      const path = `upstreams/${IDS[slot]}/tracks/${video?.input?.connection}`;
      assert.equal(await service.drop(path), 204);
      await sender?.closed;
      assert.equal(other?.isClosed, false);
      assert.equal(await service.drop(path), 404);
    }
  });

  it('each worker goes on in a new log file when the old one was moved away (SIGUSR2)', async () => {
    const file = join(service.folder, 'service.log');
    const moved = join(service.folder, 'service.log.1');
    await publish(0);
    await publish(1);
    renameSync(file, moved);
    service.child.kill('SIGUSR2');
    await until(
      'the new file',
      async () => readFile(file, 'utf8'),
      () => true,
    );
    // The workers answer in order: they have taken what came ahead of this question.
    await service.status();
    // The end of a sender's stream is a line of the worker that had it.
    for (const sender of senders) sender.end();
    await Promise.all(senders.map(({ closed }) => closed));
    const ends = (text: string): number => text.split('KMP end of stream').length - 1;
    await until(
      'the lines of both workers',
      () => readFile(file, 'utf8'),
      (text) => ends(text) === 4,
    );
    assert.equal(ends(await readFile(moved, 'utf8')), 0);
  });
});
