import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { eventually } from '../../support/time/eventually.js';
import { framesOf } from '../../support/ingest/ingest-media.js';
import { audioMinf, KmpSender, videoMinf } from '../../support/kmp/kmp-sender.js';
import { audioFrames, names, videoFrames } from '../../support/service/live.js';
import { MediaNode } from '../../support/fleet/media-node.js';
import { turns } from '../../support/time/turns.js';
import { ScriptableIngest } from '../../support/ingest/scriptable-ingest.js';

/** Frames leave this service only with the frames of the other track, or after an hour. */
const SLOW =
  'kmp_rtmp_in_read_interval 0; kmp_rtmp_out_write_meta_timeout 1h; kmp_rtmp_out_min_process_delay 1h; kmp_rtmp_out_max_process_delay 1h;';

describe('an upstream that moves to another node', { timeout: 90_000 }, () => {
  let ingest: ScriptableIngest;
  let node: MediaNode;
  const senders: KmpSender[] = [];

  const open = async (minf: Buffer): Promise<KmpSender> => {
    const url = `rtmp://127.0.0.1:${ingest.port}/app/s`;
    const data = { upstream_id: 'u1', url, fleet_node: 'n1', fleet_epoch: 1 };
    const sender = await KmpSender.open(node.port, data);
    senders.push(sender);
    sender.send(minf);
    return sender;
  };
  const start = async (directives = ''): Promise<void> => {
    node = await MediaNode.start('n1', directives);
    node.knows([node]);
  };
  const received = async (track: 'video' | 'audio', count: number): Promise<void> => {
    for (;;) {
      const upstream = await node.upstream('u1');
      if (upstream?.streams['s']?.tracks[track]?.input?.received_frames === count) return;
      await turns(1);
    }
  };
  /** Before the server publishes the stream, nothing is acknowledged. */
  const live = (): Promise<void> => eventually(() => node.log.text.includes('publish_start'), 'the publishing');
  const published = (): string[] => ingest.connections.flatMap((connection) => framesOf(connection));

  beforeEach(async () => {
    ingest = await ScriptableIngest.start({ answers: true });
  });
  afterEach(async () => {
    for (const sender of senders.splice(0)) sender.destroy();
    node.kill();
    await ingest.close();
  });

  it('waits for a key frame, publishes all before it, and acknowledges exactly that', async () => {
    await start(SLOW);
    const [video, audio] = [await open(videoMinf()), await open(audioMinf())];
    video.send(...videoFrames(0, 8));
    audio.send(...audioFrames(0, 8));
    await received('audio', 8);
    await received('video', 8);
    let hasKey = false;
    const key = node.media.fleet.keyFrame('u1').then(() => (hasKey = true));
    video.send(...videoFrames(8, 10));
    await received('video', 10);
    assert.equal(hasKey, false, 'frames 8 and 9 are no key frames');
    video.send(...videoFrames(10, 11));
    await key;
    // What arrives before it moves belongs to the next node as well.
    video.send(...videoFrames(11, 14));
    await received('video', 14);
    await eventually(
      () => ingest.connections.length === 1 && node.log.text.includes('publish_start'),
      'the publishing',
    );
    const moved = node.media.fleet.moveAway('u1');
    await Promise.all([video.closed, audio.closed]);
    assert.equal(await moved, true);
    const frames = published();
    assert.deepEqual(
      frames.filter((name) => name.startsWith('v')),
      names('v', 0, 10),
    );
    assert.deepEqual(
      frames.filter((name) => name.startsWith('a')),
      names('a', 0, 8),
    );
    assert.deepEqual([video.lastAck, audio.lastAck], [10n, 8n]);
    assert.ok(ingest.connections[0]?.messages.some(({ payload }) => payload.includes('deleteStream')));
    assert.deepEqual(node.reports, ['u1 began 1', 'u1 ended 1 fleet_moved']);
    assert.equal((await node.media.totals()).frames.video.dropped, 0);
  });

  it('moves at once without video, and if there is no such upstream', async () => {
    await start();
    const audio = await open(audioMinf());
    audio.send(...audioFrames(0, 4));
    await eventually(() => published().length === 4, 'the frames');
    await live();
    await node.media.fleet.keyFrame('u1');
    await node.media.fleet.keyFrame('nobody');
    assert.equal(await node.media.fleet.moveAway('u1'), true);
    await audio.closed;
    assert.equal(audio.lastAck, 4n);
    assert.equal(await node.media.fleet.moveAway('u1'), false);
  });

  it('repeats nothing but what followed the key frame if that is written already', async () => {
    await start();
    const video = await open(videoMinf());
    video.send(...videoFrames(0, 13));
    await eventually(() => published().length === 13, 'the frames');
    await live();
    await node.media.fleet.moveAway('u1');
    await video.closed;
    assert.equal(video.lastAck, 10n);
    assert.equal(published().length, 13);
  });

  it('ends without its server if that is gone: what was not published is not acknowledged', async () => {
    await start();
    const { port } = ingest;
    await ingest.close();
    const url = `rtmp://127.0.0.1:${port}/app/s`;
    const sender = await KmpSender.open(node.port, { upstream_id: 'u1', url, fleet_node: 'n1', fleet_epoch: 1 });
    senders.push(sender);
    sender.send(videoMinf(), ...videoFrames(0, 13));
    await eventually(() => node.reports.length > 0, 'the upstream');
    await node.media.fleet.moveAway('u1');
    await sender.closed;
    assert.equal(sender.lastAck, undefined);
  });
});
