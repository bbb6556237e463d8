import { afterEach, beforeEach, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { eventually } from '../../support/time/eventually.js';
import { framesOf, mediaOf } from '../../support/ingest/ingest-media.js';
import { audioFrames, Live, names, videoFrames } from '../../support/service/live.js';
import { audioMinf, KmpSender, videoMinf } from '../../support/kmp/kmp-sender.js';
import type { IngestConnection } from '../../support/ingest/scriptable-ingest.js';

/** Video that was cut, and whose frames have all gone out, while audio keeps the stream alive. */
describe('a sender that returns after its track has ended', { timeout: 90_000 }, () => {
  let live: Live;
  let connection: IngestConnection;

  const video = (): string[] => framesOf(connection).filter((name) => name.startsWith('v'));
  const seen = (count: number): Promise<void> => eventually(() => video().length >= count, `${count} frames of video`);
  const back = async (frameId: bigint, minf = videoMinf()): Promise<KmpSender> => {
    const sender = await KmpSender.open(live.service.port, { upstream_id: 'u1', url: live.url() }, { frameId });
    live.senders.push(sender);
    sender.send(minf);
    return sender;
  };
  const track = () => live.status().streams['s']?.tracks.video;
  const gone = (): Promise<void> => eventually(() => track() === undefined, 'the end of the track');

  beforeEach(async () => {
    live = await Live.start();
    const senders = await live.both();
    connection = await live.ingest.next();
    senders.audio.send(...audioFrames(0, 3));
    senders.video.send(...videoFrames(0, 8));
    await seen(8);
  });
  afterEach(() => live.close());

  it('repeats its group, and no frame is written twice', async () => {
    live.senders[0]?.destroy();
    await gone();
    const sender = await back(5n);
    sender.send(...videoFrames(5, 12));
    await seen(12);
    assert.deepEqual(video(), names('v', 0, 12));
    assert.equal(track()?.input?.skipped_frames.duplicate, 3);
  });

  it('continues in the middle of a group where it stopped', async () => {
    live.senders[0]?.destroy();
    await gone();
    const sender = await back(8n);
    sender.send(...videoFrames(8, 12));
    await seen(12);
    assert.deepEqual(video(), names('v', 0, 12));
  });

  it('starts again with other media, and waits for a key frame', async () => {
    live.senders[0]?.destroy();
    await gone();
    const sender = await back(8n, videoMinf({ extraData: Buffer.from('other') }));
    sender.send(...videoFrames(8, 12));
    await seen(10);
    assert.deepEqual(video(), [...names('v', 0, 8), 'v10', 'v11']);
  });

  for (const { bytes, remembered } of [
    { bytes: 4096, remembered: true },
    { bytes: 4097, remembered: false },
  ]) {
    const what = remembered ? 'repeats nothing' : 'begins a new sequence';
    it(`${what} with ${bytes} bytes of codec private data`, async () => {
      const minf = videoMinf({ extraData: Buffer.alloc(bytes, 1) });
      live.senders[0]?.send(minf, ...videoFrames(8, 12, 4));
      await seen(12);
      live.senders[0]?.destroy();
      await gone();
      const sender = await back(8n, minf);
      sender.send(...videoFrames(8, 13, 4));
      await eventually(() => video().at(-1) === 'v12', 'the last frame');
      assert.deepEqual(video().slice(12), remembered ? ['v12'] : names('v', 8, 13));
    });
  }

  for (const how of ['was cut', 'had ended'] as const) {
    it(`is not announced again with the same media info, when it ${how}`, async () => {
      const before = mediaOf(connection).length;
      if (how === 'was cut') live.senders[0]?.destroy();
      else live.senders[0]?.end();
      await gone();
      const sender = await back(10n);
      sender.send(...videoFrames(10, 12));
      await seen(10);
      const messages = mediaOf(connection).slice(before);
      assert.deepEqual(
        messages.map(({ kind, ms, fmt }) => [kind, ms, fmt]),
        [
          ['video', 400, 1],
          ['video', 440, 1],
        ],
      );
    });
  }

  it('is announced again with other media, and after metadata without it', async () => {
    live.senders[0]?.destroy();
    await gone();
    const before = mediaOf(connection).length;
    live.senders[1]?.send(audioMinf({ bitrate: 64_000 }), ...audioFrames(8, 9));
    await eventually(() => framesOf(connection).includes('a8'), 'audio of another kind');
    const sender = await back(8n);
    sender.send(...videoFrames(10, 12));
    await seen(10);
    const announced = ['metadata', 'audio header', 'audio', 'metadata', 'video header', 'video', 'video'];
    assert.deepEqual(
      mediaOf(connection)
        .slice(before)
        .map(({ kind }) => kind),
      announced,
    );
  });

  it('starts again after the end of stream', async () => {
    live.senders[0]?.end();
    await gone();
    const sender = await back(5n);
    sender.send(...videoFrames(5, 8));
    await seen(11);
    assert.deepEqual(video(), [...names('v', 0, 8), ...names('v', 5, 8)]);
  });
});
