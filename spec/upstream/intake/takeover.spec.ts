import { afterEach, beforeEach, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { eventually } from '../../support/time/eventually.js';
import { FakeClock } from '../../support/time/fake-clock.js';
import { framesOf, kindsOf } from '../../support/ingest/ingest-media.js';
import { audioMinf, frameAt, KmpSender, videoMinf } from '../../support/kmp/kmp-sender.js';
import { startKmp, type KmpService } from '../../support/service/kmp-service.js';
import { ScriptableIngest, type IngestConnection } from '../../support/ingest/scriptable-ingest.js';
import type { TrackStatus } from '../../../lib/upstream/report/status.js';

/** Frames stay queued until the spec turns the clock. */
describe('a sender that returns to a track with pending frames', { timeout: 90_000 }, () => {
  let ingest: ScriptableIngest;
  let service: KmpService;
  let clock: FakeClock;
  let connection: IngestConnection;
  const senders: KmpSender[] = [];

  const track = (): TrackStatus | undefined => service.registry.get('u1')?.status().streams['s']?.tracks.video;
  const open = async (frameId: bigint): Promise<KmpSender> => {
    const data = { upstream_id: 'u1', url: `rtmp://127.0.0.1:${ingest.port}/app/s` };
    const sender = await KmpSender.open(service.port, data, { frameId });
    senders.push(sender);
    return sender;
  };
  const received = (frames: number): Promise<void> =>
    eventually(() => track()?.input?.received_frames === frames, `${frames} received frames`);

  /** Frames 10 to 13 (the first a key frame) from a sender that then breaks off: 4 pending, 14 expected. */
  async function brokenOff(): Promise<void> {
    const first = await open(10n);
    first.send(videoMinf(), frameAt(0, 'f10', { key: true }), frameAt(1, 'f11'), frameAt(2, 'f12'), frameAt(3, 'f13'));
    await received(4);
    first.destroy();
    await eventually(() => track()?.input === null, 'a track without input');
    assert.equal(track()?.pending_frames, 4);
  }
  const flushed = async (last: string): Promise<string[]> => {
    clock.advance(2000);
    await eventually(() => framesOf(connection).includes(last), last);
    return framesOf(connection);
  };

  beforeEach(async () => {
    clock = new FakeClock();
    ingest = await ScriptableIngest.start();
    service = await startKmp({ outWriteMetaTimeout: 0, outFlushTimeout: 0, outOnfiPeriod: 0 }, { clock });
    await brokenOff();
    connection = await ingest.next();
  });
  afterEach(async () => {
    for (const sender of senders.splice(0)) sender.destroy();
    await service.close();
    await ingest.close();
  });

  it('continues where it stopped, in the middle of a group', async () => {
    const second = await open(14n);
    second.send(videoMinf(), frameAt(4, 'f14'));
    await received(1);
    assert.deepEqual(await flushed('f14'), ['f10', 'f11', 'f12', 'f13', 'f14']);
    assert.deepEqual(kindsOf(connection), ['metadata', 'video header', 'video']);
  });

  it('repeats frames: they are skipped and counted, and the track does not wait for a key frame', async () => {
    const second = await open(11n);
    second.send(videoMinf(), ...[11, 12, 13, 14].map((n) => frameAt(n - 10, `f${n}`)));
    await received(1);
    assert.equal(track()?.input?.skipped_frames.duplicate, 3);
    assert.equal(track()?.input?.skipped_frames.no_key, 0);
    assert.deepEqual(await flushed('f14'), ['f10', 'f11', 'f12', 'f13', 'f14']);
  });

  it('leaves a gap: queued frames are written, then the track waits for a key frame', async () => {
    const second = await open(20n);
    second.send(videoMinf(), frameAt(10, 'f20'), frameAt(11, 'f21', { key: true }), frameAt(12, 'f22'));
    await received(2);
    assert.equal(track()?.input?.skipped_frames.no_key, 1);
    assert.match(
      service.log.text,
      /warn takes over at frame 20 where 14 was expected: 6 frames are lost: the sender of this video track/,
    );
    assert.deepEqual(await flushed('f22'), ['f10', 'f11', 'f12', 'f13', 'f21', 'f22']);
  });

  it('restarts at 0: pending frames are dropped, and the track waits for a key frame', async () => {
    const second = await open(0n);
    second.send(videoMinf(), frameAt(100, 'n0'), frameAt(101, 'n1', { key: true }));
    await received(1);
    assert.equal(track()?.pending_frames, 1);
    assert.deepEqual(await flushed('n1'), ['n1']);
  });

  it('repeats more than kmp_rtmp_in_max_skip_frames: a new sequence', async () => {
    await service.close();
    service = await startKmp(
      { outWriteMetaTimeout: 0, outFlushTimeout: 0, outOnfiPeriod: 0, inMaxSkipFrames: 3 },
      { clock },
    );
    await brokenOff();
    connection = await ingest.next();
    const second = await open(10n);
    second.send(videoMinf(), frameAt(0, 'f10', { key: true }), frameAt(1, 'f11'));
    await received(2);
    assert.equal(track()?.input?.skipped_frames.duplicate, 0);
    assert.deepEqual(await flushed('f11'), ['f10', 'f11']);
  });

  it('a sender without a key frame must still send one after it returns', async () => {
    await service.close();
    service = await startKmp({ outWriteMetaTimeout: 0, outFlushTimeout: 0, outOnfiPeriod: 0 }, { clock });
    const audio = await open(0n);
    audio.send(audioMinf(), frameAt(0, 'a0'));
    await eventually(() => service.registry.get('u1')?.status().streams['s']?.tracks.audio?.pending_frames === 1, 'a0');
    const first = await open(0n);
    first.send(videoMinf(), frameAt(0, 'f0', { key: true }), videoMinf(), frameAt(1, 'f1'));
    await eventually(() => track()?.input?.skipped_frames.no_key === 1, 'f1');
    first.destroy();
    await eventually(() => track()?.input === null, 'a track without input');
    const second = await open(2n);
    second.send(videoMinf(), frameAt(2, 'f2'), frameAt(3, 'f3', { key: true }));
    await eventually(() => track()?.input?.received_frames === 1, 'f3');
    connection = await ingest.next();
    assert.deepEqual(await flushed('f3'), ['a0', 'f0', 'f3']);
  });

  it('is counted from its connect packet, frames ahead of the media info included', async () => {
    const second = await open(12n);
    second.send(frameAt(2, 'f12'), frameAt(3, 'f13'), videoMinf(), frameAt(4, 'f14'));
    await received(1);
    assert.equal(track()?.input?.skipped_frames.no_media_info, 2);
    assert.deepEqual(await flushed('f14'), ['f10', 'f11', 'f12', 'f13', 'f14']);
  });
});
