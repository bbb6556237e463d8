import { afterEach, beforeEach, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import type { MediaSettings } from '../../../lib/config/settings.js';
import { eventually } from '../../support/time/eventually.js';
import { FakeClock } from '../../support/time/fake-clock.js';
import { framesOf } from '../../support/ingest/ingest-media.js';
import { audioMinf, frameAt, videoMinf } from '../../support/kmp/kmp-sender.js';
import { audioFrames, Live, names, videoFrames } from '../../support/service/live.js';
import type { IngestConnection, Script } from '../../support/ingest/scriptable-ingest.js';

/** kmp_rtmp_in_ack: what a sender may forget. Groups of five frames. */
describe('acks of video', { timeout: 90_000 }, () => {
  let live: Live;
  let clock: FakeClock;
  let connection: IngestConnection;

  async function start(settings: Partial<MediaSettings> = {}, script: Script = {}): Promise<void> {
    live = await Live.start({ clock, settings: { outWriteMetaTimeout: 0, ...settings }, script });
  }
  const arrived = (frames: number): Promise<void> =>
    eventually(() => framesOf(connection).length >= frames, `${frames} frames`);
  /** The server has accepted the publish. */
  const published = (): Promise<void> =>
    eventually(() => live.upstream?.status().last_status?.code === 'NetStream.Publish.Start', 'Publish.Start');
  const input = (kind: 'video' | 'audio') => live.upstream?.status().streams['s']?.tracks[kind]?.input;

  beforeEach(() => {
    clock = new FakeClock();
  });
  afterEach(() => live.close());

  for (const inAck of ['on', 'group'] as const) {
    it(`go up to the newest key frame, with kmp_rtmp_in_ack ${inAck}`, async () => {
      await start({ inAck });
      const video = await live.video();
      await published();
      connection = await live.ingest.next();
      for (const [from, to, ack] of [
        [0, 8, 5n],
        [8, 10, 5n],
        [10, 11, 10n],
        [11, 17, 15n],
      ] as const) {
        video.send(...videoFrames(from, to));
        await live.received('video', to);
        clock.advance(100);
        await arrived(to);
        clock.advance(100);
        await video.acked(ack);
      }
      assert.deepEqual(video.acks, [5n, 10n, 15n]);
    });
  }

  it('go up to the last frame, with kmp_rtmp_in_ack frame', async () => {
    await start({ inAck: 'frame' });
    const video = await live.video();
    video.send(...videoFrames(0, 8));
    await live.received('video', 8);
    await published();
    clock.advance(100);
    await video.acked(8n);
  });

  it('leave out the key frame if a frame before it is not done', async () => {
    await start({ outMinProcessDelay: 500, outMaxProcessDelay: 500 });
    const video = await live.video();
    await published();
    video.send(...videoFrames(0, 5));
    await live.received('video', 5);
    clock.advance(400);
    // v5, a key frame, is received 400 ms later: what is before it goes out first.
    video.send(...videoFrames(5, 10));
    await live.received('video', 10);
    assert.deepEqual(video.acks, []);
    clock.advance(100);
    await video.acked(5n);
    clock.advance(1000);
    video.send(...videoFrames(10, 11));
    await live.received('video', 11);
    clock.advance(100);
    await video.acked(10n);
    assert.deepEqual(video.acks, [5n, 10n]);
  });

  it('do not hold up those of audio', async () => {
    await start();
    const { video, audio } = await live.both();
    connection = await live.ingest.next();
    video.send(...videoFrames(0, 4));
    audio.send(...audioFrames(0, 4));
    await arrived(8);
    clock.advance(100);
    await audio.acked(4n);
    assert.deepEqual(
      video.acks.filter((id) => id > 0n),
      [],
    );
  });

  for (const [what, script] of [
    ['connect', { rejectConnect: { code: 'NetConnection.Connect.Rejected', description: 'no' } }],
    ['publish', { rejectPublish: { code: 'NetStream.Publish.Denied', description: 'no' } }],
  ] as const) {
    it(`are kept back until the server is known to publish, and do not come if it refuses the ${what}`, async () => {
      await start({}, script);
      const { video, audio } = await live.both();
      video.send(...videoFrames(0, 12));
      audio.send(...audioFrames(0, 12));
      await live.service.ended();
      await Promise.all([video.closed, audio.closed]);
      assert.deepEqual([video.acks, audio.acks], [[], []]);
    });
  }

  it('come from a server that never answers once it counts as silent', async () => {
    await start({}, { answers: false });
    const { video, audio } = await live.both();
    connection = await live.ingest.next();
    video.send(...videoFrames(0, 7));
    audio.send(...audioFrames(0, 7));
    await live.received('video', 7);
    await live.received('audio', 7);
    assert.deepEqual([video.acks, audio.acks], [[], []]);
    await eventually(() => {
      clock.advance(1000);
      return framesOf(connection).length === 14;
    }, 'all frames');
    clock.advance(100);
    await Promise.all([video.acked(5n), audio.acked(7n)]);
  });

  it('go up to the last frame at the end of stream, and the connection is closed then', async () => {
    await start({ outMinProcessDelay: 500, outMaxProcessDelay: 1500 });
    const { video, audio } = await live.both();
    await published();
    video.send(...videoFrames(0, 8));
    audio.send(...audioFrames(0, 8));
    await live.received('video', 8);
    await live.received('audio', 8);
    video.end();
    audio.end();
    await eventually(() => live.service.log.text.match(/KMP end of stream/g)?.length === 2, 'both ends');
    assert.ok(!video.isClosed && !audio.isClosed);
    clock.advance(2000);
    await Promise.all([video.closed, audio.closed]);
    assert.deepEqual([video.lastAck, audio.lastAck], [8n, 8n]);
    const { reason } = await live.service.ended();
    assert.equal(reason, 'done');
  });

  it('a sender that returns after the end of stream does not wait for the acks of the one before', async () => {
    await start({ outMinProcessDelay: 500, outMaxProcessDelay: 1500 });
    const first = await live.video();
    await published();
    connection = await live.ingest.next();
    first.send(...videoFrames(1, 8, 1));
    await live.received('video', 7);
    first.end();
    const second = await live.reopen(videoMinf(), 7n);
    await first.closed;
    second.send(...videoFrames(8, 10, 1));
    await live.received('video', 2);
    clock.advance(2000);
    await arrived(9);
    assert.deepEqual(framesOf(connection), names('v', 1, 10));
  });

  it('leave the sender its last group when the service ends', async () => {
    await start({ outMinProcessDelay: 500, outMaxProcessDelay: 1500 });
    const { video, audio } = await live.both();
    await published();
    connection = await live.ingest.next();
    video.send(...videoFrames(0, 8));
    audio.send(...audioFrames(0, 8));
    await live.received('video', 8);
    await live.received('audio', 8);
    const drained = live.service.registry.drain();
    clock.advance(100);
    await drained;
    await Promise.all([video.closed, audio.closed]);
    assert.deepEqual([video.lastAck, audio.lastAck], [5n, 8n]);
    assert.equal(framesOf(connection).length, 16);
  });

  it('do not cover frames that are dropped when the upstream is deleted', async () => {
    await start({ outMinProcessDelay: 500, outMaxProcessDelay: 1500 });
    const { video, audio } = await live.both();
    await published();
    video.send(...videoFrames(0, 12));
    audio.send(...audioFrames(0, 12));
    await live.received('video', 12);
    await live.received('audio', 12);
    live.upstream?.drop('api_delete', false);
    await Promise.all([video.closed, audio.closed]);
    assert.deepEqual([video.acks, audio.acks], [[], []]);
  });

  it('go no further than what the sender has repeated on this connection', async () => {
    await start();
    const { video, audio: first } = await live.both();
    connection = await live.ingest.next();
    await published();
    video.send(...videoFrames(0, 3));
    first.send(...audioFrames(0, 10));
    await arrived(13);
    first.destroy();
    await eventually(() => live.status().streams['s']?.tracks.audio === undefined, 'the end of the audio track');
    const second = await live.reopen(audioMinf(), 4n);
    second.send(...audioFrames(4, 6));
    await eventually(() => input('audio')?.skipped_frames.duplicate === 2, 'two known frames');
    clock.advance(1000);
    await second.acked(6n);
    assert.equal(second.lastAck, 6n);
    second.send(...audioFrames(6, 12));
    await arrived(15);
    clock.advance(1000);
    await second.acked(12n);
    assert.deepEqual(
      framesOf(connection).filter((name) => name.startsWith('a')),
      names('a', 0, 12),
    );
  });

  it('a sender that returns repeats a whole group of 10 s at 60 frames a second, and nothing goes out twice', async () => {
    await start({ outMinProcessDelay: 500, outMaxProcessDelay: 1500 });
    const { video: first, audio } = await live.both();
    await published();
    connection = await live.ingest.next();
    const frames = (from: number, to: number): Buffer[] =>
      Array.from({ length: to - from }, (_, i) =>
        frameAt(((from + i) * 50) / 3, `v${from + i}`, { key: (from + i) % 600 === 0 }),
      );
    audio.send(frameAt(0, 'a0'));
    await live.received('audio', 1);
    for (let sent = 0; sent < 1190; sent += 119) {
      first.send(...frames(sent, sent + 119));
      await live.received('video', sent + 119);
      clock.advance(1000);
    }
    await first.acked(600n);
    first.send(...frames(1190, 1199));
    await live.received('video', 1199);
    first.destroy();
    await eventually(() => input('video') === null, 'a track without input');
    assert.equal(first.lastAck, 600n);
    const second = await live.reopen(videoMinf(), 600n);
    second.send(...frames(600, 1201));
    await live.received('video', 2);
    assert.equal(input('video')?.skipped_frames.duplicate, 599);
    clock.advance(2000);
    await arrived(1202);
    assert.deepEqual(
      framesOf(connection).filter((name) => name.startsWith('v')),
      names('v', 0, 1201),
    );
    clock.advance(100);
    await second.acked(1200n);
  });
});
