import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { eventually } from '../../support/time/eventually.js';
import { framesOf } from '../../support/ingest/ingest-media.js';
import { audioMinf, frameAt, KmpSender, videoMinf } from '../../support/kmp/kmp-sender.js';
import { videoFrames } from '../../support/service/live.js';
import { MediaNode } from '../../support/fleet/media-node.js';
import { ScriptableIngest } from '../../support/ingest/scriptable-ingest.js';

describe('an upstream of a node', { timeout: 90_000 }, () => {
  let ingest: ScriptableIngest;
  let node: MediaNode;
  const senders: KmpSender[] = [];

  const open = async (epoch: number | undefined, minf: Buffer, id = 'u1'): Promise<KmpSender> => {
    const placement = epoch === undefined ? {} : { fleet_node: 'n1', fleet_epoch: epoch };
    const data = { upstream_id: id, url: `rtmp://127.0.0.1:${ingest.port}/app/${id}`, ...placement };
    const sender = await KmpSender.open(node.port, data);
    senders.push(sender);
    sender.send(minf);
    return sender;
  };
  const reported = (report: string): Promise<void> => eventually(() => node.reports.includes(report), report);

  beforeEach(async () => {
    ingest = await ScriptableIngest.start({ answers: true });
    node = await MediaNode.start('n1');
    node.knows([node]);
  });
  afterEach(async () => {
    for (const sender of senders.splice(0)) sender.destroy();
    node.kill();
    await ingest.close();
  });

  it('is reported when it begins, when a track brings a newer epoch, and when it ends', async () => {
    const video = await open(3, videoMinf());
    await reported('u1 began 3');
    const audio = await open(3, audioMinf());
    video.send(...videoFrames(0, 3));
    audio.send(frameAt(0, 'a0'));
    await eventually(() => ingest.connections.some((one) => framesOf(one).length >= 3), 'the frames');
    assert.deepEqual(node.reports, ['u1 began 3']);
    audio.destroy();
    const newer = await open(5, audioMinf());
    newer.send(frameAt(10, 'a1'));
    await reported('u1 began 5');
    const stale = await open(4, audioMinf());
    await stale.closed;
    assert.match(node.log.text, /fleet_stale: the placement of the upstream "u1" has epoch 4, and there is epoch 5/);
    assert.equal(video.isClosed, false);
    for (const one of [video, newer]) one.end();
    await reported('u1 ended 5 done');
    assert.deepEqual(node.reports, ['u1 began 3', 'u1 began 5', 'u1 ended 5 done']);
  });

  it('is reported without an epoch if its senders were not placed', async () => {
    await open(undefined, videoMinf());
    await reported('u1 began undefined');
  });

  it('ends at once with fleet_moved if another node owns it, and its senders are disconnected', async () => {
    const video = await open(3, videoMinf());
    const audio = await open(3, audioMinf());
    const other = await open(3, videoMinf(), 'u2');
    video.send(...videoFrames(0, 3));
    other.send(...videoFrames(0, 3));
    await eventually(() => ingest.connections.filter((one) => framesOf(one).length >= 1).length === 2, 'the frames');
    node.media.fleet.fence([{ id: 'u1', node: 'n2', epoch: 4 }]);
    assert.deepEqual(node.reports.slice(-1), ['u1 ended 3 fleet_moved']);
    await Promise.all([video.closed, audio.closed]);
    assert.equal(other.isClosed, false);
    const [last] = await node.media.management.closed();
    assert.equal(last?.reason, 'fleet_moved');
    assert.match(last.message, /node n2 owns it since epoch 4/);
    assert.equal(last.failed, false);
    assert.equal((await node.media.totals()).closed_upstreams['fleet_moved'], 1);
    const [again] = [await open(3, videoMinf())];
    await again.closed;
    await open(5, videoMinf());
    await reported('u1 began 5');
  });

  it('that was placed here after the fence stays', async () => {
    const video = await open(6, videoMinf());
    await reported('u1 began 6');
    node.media.fleet.fence([{ id: 'u1', node: 'n2', epoch: 5 }]);
    video.send(...videoFrames(0, 3));
    await eventually(() => ingest.connections.some((one) => framesOf(one).length >= 3), 'the frames');
    assert.equal(video.isClosed, false);
  });
});
