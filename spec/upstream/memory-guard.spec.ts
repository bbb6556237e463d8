// A hostile sender joins an upstream and floods it, beside healthy tracks that lose nothing.
import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import { MemoryGuard } from '../../lib/upstream/memory-guard.js';
import { eventually } from '../support/time/eventually.js';
import { FakeClock } from '../support/time/fake-clock.js';
import { framesOf } from '../support/ingest/ingest-media.js';
import { frameAt, videoMinf, type KmpSender } from '../support/kmp/kmp-sender.js';
import { audioFrames, Live, names, videoFrames, type LiveOptions } from '../support/service/live.js';

const MB = 2 ** 20;

describe('the memory of a track within its upstream', { timeout: 60_000 }, () => {
  let live: Live;
  let clock: FakeClock;
  let healthy: { video: KmpSender; audio: KmpSender };

  async function start(settings: LiveOptions['settings'] = {}): Promise<void> {
    // The clock stands still while the memory is filled: no frame is due.
    clock = new FakeClock();
    live = await Live.start({
      settings: { outMemLimit: 4 * MB, outMinProcessDelay: 3000, outMaxProcessDelay: 3000, ...settings },
      clock,
    });
    healthy = await live.both();
    healthy.video.send(...videoFrames(0, 10));
    healthy.audio.send(...audioFrames(0, 10));
    await live.received('audio', 10);
  }
  afterEach(() => live.close());

  const rejected = (): number => live.service.counter.rejected.track_memory;

  /** The healthy tracks lose nothing: frames 0 to 20 arrive, and the upstream is the same one. */
  async function losesNothing(): Promise<void> {
    healthy.video.send(...videoFrames(10, 20));
    healthy.audio.send(...audioFrames(10, 20));
    await live.received('audio', 20);
    assert.deepEqual([healthy.video.isClosed, healthy.audio.isClosed], [false, false]);
    const [connection] = live.ingest.connections;
    await live.finishAfter(() => {
      for (let n = 0; n < 8; n++) clock.advance(500);
    });
    assert.ok(connection);
    await connection.closed;
    const found = framesOf(connection);
    assert.deepEqual(
      found.filter((text) => /^v\d+$/.test(text)),
      names('v', 0, 20),
    );
    assert.deepEqual(
      found.filter((text) => /^a\d+$/.test(text)),
      names('a', 0, 20),
    );
    assert.equal(live.ingest.connections.length, 1);
  }

  /** Floods with frames that are not due. */
  function flood(sender: KmpSender): void {
    for (let n = 0; n < 40; n++) sender.send(frameAt(n * 40, Buffer.alloc(MB / 8, 1), { key: n === 0 }));
  }

  it('a sender that floods with frames is disconnected with a reason, and counted', async () => {
    await start();
    const hostile = await live.video({ name: 'hostile' });
    flood(hostile);
    await hostile.closed;
    assert.equal(rejected(), 1);
    const [line] = live.service.log.of('error');
    assert.match(line?.message ?? '', /memory: the track uses \d+ of the 4194304 bytes .*kmp_rtmp_out_track_mem_limit/);
    assert.equal(line?.fields['upstream'], 'u1');
    await losesNothing();
  });

  it('a large frame that arrives in pieces counts once', async () => {
    await start({ outTrackMemLimit: 2 * MB });
    const sender = await live.video({ name: 'large' });
    const whole = frameAt(0, Buffer.alloc(1.5 * MB), { key: true });
    const held = (): number => live.upstream?.streams.get('large')?.tracks.video?.memory.partialBytes ?? 0;
    for (let at = 0; at < whole.length; at += MB / 4) {
      sender.send(whole.subarray(at, at + MB / 4));
      const sent = Math.min(whole.length, at + MB / 4);
      if (sent < whole.length) await eventually(() => held() > sent - 1000, `${sent} bytes`);
    }
    await live.received('video', 1, 'large');
    assert.equal(rejected(), 0);
    assert.equal(sender.isClosed, false);
    sender.end();
    await losesNothing();
  });

  it('so is one that floods with a packet that never ends', async () => {
    await start();
    const hostile = await live.video({ name: 'hostile' });
    const whole = frameAt(0, Buffer.alloc(8 * MB), { key: true });
    hostile.send(whole.subarray(0, 5 * MB));
    await hostile.closed;
    assert.equal(rejected(), 1);
    await losesNothing();
  });

  it('so is one whose first frame has waited for its second track for long', async () => {
    await start({ outWriteMetaTimeout: 10_000 });
    const hostile = await live.video({ name: 'hostile' });
    hostile.send(frameAt(0, 'x', { key: true }));
    await live.received('video', 1, 'hostile');
    for (let n = 0; n < 8; n++) clock.advance(500);
    flood(hostile);
    await hostile.closed;
    assert.equal(rejected(), 1);
    await losesNothing();
  });

  it('so is one that floods with media infos', async () => {
    await start();
    const hostile = await live.video({ name: 'hostile' });
    hostile.send(frameAt(0, 'x', { key: true }));
    for (let n = 0; n < 60; n++) {
      hostile.send(videoMinf({ extraData: Buffer.alloc(MB / 8, n) }), frameAt(n * 40 + 40, 'x', { key: true }));
    }
    await hostile.closed;
    assert.equal(rejected(), 1);
    await losesNothing();
  });

  it('many connections that flood together are disconnected one after the other', async () => {
    await start();
    const hostile = await Promise.all(['h1', 'h2', 'h3', 'h4'].map((name) => live.video({ name })));
    for (const sender of hostile) flood(sender);
    await eventually(() => hostile.filter(({ isClosed }) => isClosed).length >= 3, 'the end of most');
    for (const sender of hostile) sender.destroy();
    await losesNothing();
  });

  it('a track has a limit of its own, if it is set', async () => {
    await start({ outTrackMemLimit: MB });
    const hostile = await live.video({ name: 'hostile' });
    flood(hostile);
    await hostile.closed;
    assert.equal(rejected(), 1);
    assert.match(live.service.log.of('error')[0]?.message ?? '', /the track may use 1048576 bytes/);
    await losesNothing();
  });

  it('with off, the upstream ends, as in the nginx module; so it does if there is one track', async () => {
    await start({ outTrackMemLimit: 'off' });
    flood(await live.video({ name: 'hostile' }));
    assert.match((await live.service.ended()).reason, /^(get_buf|push_frame|alloc_chain)_failed$/);
    assert.equal(rejected(), 0);
    const alone = await live.video({ upstream_id: 'alone' });
    flood(alone);
    assert.equal((await live.service.ended()).upstream.id, 'alone');
  });

  it('has a limit of streams', async () => {
    await start({ outMaxStreams: 2 });
    const second = await live.video({ name: 'second' });
    await eventually(() => live.upstream?.streams.size === 2, 'the second stream');
    const third = await live.video({ name: 'third' });
    await third.closed;
    assert.match(live.service.log.of('error')[0]?.message ?? '', /has 2 streams \(kmp_rtmp_out_max_streams\)/);
    assert.equal(live.service.counter.rejected.max_streams, 1);
    assert.equal(second.isClosed, false);
    await losesNothing();
  });
});

describe('a track whose first frame has waited for long', () => {
  const MINUTE = 60_000;

  /** Two tracks on a server that is behind. The first one has frames of these ages and sizes, oldest first. */
  function rejects(...frames: readonly (readonly [age: number, charge: number])[]): boolean {
    const clock = new FakeClock();
    clock.advance(MINUTE);
    const queue = frames.map(([age, charge]) => ({ arrivedAt: clock.now() - age, charge }));
    const total = frames.reduce((sum, [, charge]) => sum + charge, 0);
    const input = { address: '127.0.0.1' };
    const first = { input, ready: true, memory: { total, partialBytes: 0 }, head: queue[0], length: queue.length };
    const tracks = [
      { ...first, at: (i: number) => queue[i] },
      { input, memory: { total: 1000 } },
    ];
    const ledger = { used: total + 1000, limit: 10_000, left: 9000 - total };
    const gone: unknown[] = [];
    const owner = {
      ledger,
      allTracks: () => tracks,
      rejectTrack(track: object) {
        gone.push(track);
        ledger.used = 0;
      },
    };
    const settings = {
      outTrackMemLimit: 'auto',
      outMaxProcessDelay: 1000,
      outFlushTimeout: 500,
      outWriteMetaTimeout: 3000,
    };
    type Given = ConstructorParameters<typeof MemoryGuard>;
    const guard = new MemoryGuard(owner as unknown as Given[0], settings as Given[1], clock);
    guard.check(tracks[0] as unknown as Parameters<MemoryGuard['check']>[0], 100, false);
    return gone.includes(tracks[0]);
  }

  it('floods if most of what it holds has just come', () => {
    assert.equal(rejects([MINUTE, 100], [100, 4000], [50, 4500]), true);
    assert.equal(rejects([1400, 100], [100, 8500]), true);
  });

  it('does not flood if much of it is older: the server is slow', () => {
    assert.equal(rejects([MINUTE, 3000], [100, 5600]), false);
    assert.equal(rejects([9000, 100], [6000, 2500], [3000, 3000], [500, 3000]), false);
  });
});
