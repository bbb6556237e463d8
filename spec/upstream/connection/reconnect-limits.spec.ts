import { afterEach, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { eventually } from '../../support/time/eventually.js';
import { FakeClock } from '../../support/time/fake-clock.js';
import { framesOf } from '../../support/ingest/ingest-media.js';
import { frameAt } from '../../support/kmp/kmp-sender.js';
import { Live, videoFrames, type LiveOptions } from '../../support/service/live.js';
import { turns } from '../../support/time/turns.js';

/** Where the limits lie, by the manual clock: just below, and just above. */
describe('the limits of reconnecting', { timeout: 60_000 }, () => {
  const clock = new FakeClock();
  let live: Live;

  async function start({ settings, ...options }: LiveOptions = {}): Promise<void> {
    live = await Live.start({ clock, ...options, settings: { outReconnects: Infinity, ...settings } });
  }

  /** What the log says of the wait before the last attempt, ms. */
  function lastWait(): number {
    const waits = [...live.service.log.text.matchAll(/next attempt in (\d+) ms/g)];
    return Number(waits.at(-1)?.[1]);
  }

  afterEach(async () => {
    await live.close();
    clock.advance(60_000);
  });

  for (const { held, least, most } of [
    { held: 59_999, least: 1500, most: 2000 },
    { held: 60_000, least: 750, most: 1000 },
  ]) {
    it(`a connection that held for ${held} ms: the next wait is ${least} to ${most} ms`, async () => {
      await start({ settings: { outReconnectInterval: 1000 } });
      await live.both();
      const first = await live.ingest.next();
      await first.command('publish');
      await live.state('publishing');
      first.reset();
      await live.state('reconnecting');
      assert.ok(lastWait() >= 750 && lastWait() <= 1000);
      clock.advance(1000);
      const second = await live.ingest.next();
      await second.command('publish');
      await live.state('publishing');
      clock.advance(held);
      second.reset();
      await live.state('reconnecting');
      assert.ok(lastWait() >= least && lastWait() <= most, `${lastWait()} ms`);
    });
  }

  for (const { held, attempts } of [
    { held: 59_999, attempts: 2 },
    { held: 60_000, attempts: 4 },
  ]) {
    it(`a connection that held for ${held} ms: of two allowed attempts in sequence, ${attempts} are made in all`, async () => {
      await start({ settings: { outReconnects: 2 } });
      await live.both();
      let made = 0;
      let connection = await live.ingest.next();
      for (;;) {
        await connection.command('publish');
        await live.state('publishing');
        // The last allowed attempt has the connection that lasts.
        if (made === 2) clock.advance(held);
        connection.reset();
        await eventually(() => live.upstream?.state !== 'publishing', 'the break');
        if (live.upstream === undefined) break;
        clock.advance(30_000);
        connection = await live.ingest.next();
        made++;
      }
      assert.equal((await live.service.ended()).reason, 'recv_failed');
      assert.equal(made, attempts);
    });
  }

  it('a server that does not answer connect for 1 s counts as one that never does: without reconnects, nothing is kept', async () => {
    const settings = { outReconnects: 0, outStreamId: 'assume' } as const;
    await start({ script: { answers: false }, settings });
    const { video } = await live.both();
    const first = await live.ingest.next();
    await live.state('publishing');
    video.send(...videoFrames(0, 1));
    await first.until(() => framesOf(first).includes('v0'));
    await eventually(() => live.status().sent_bytes === live.status().written_bytes, 'all to be sent');
    const memory = (): number => live.upstream?.ledger.used ?? 0;
    const kept = memory();
    clock.advance(999);
    await turns();
    assert.equal(memory(), kept);
    clock.advance(1);
    await eventually(() => memory() < kept, 'the frame to be released');
  });

  it('written frames are kept up to half of the memory limit', async () => {
    const limit = 2_000_000;
    const size = limit / 50;
    await start({ settings: { outMemLimit: limit, outResend: 1e6 } });
    const { video } = await live.both();
    const first = await live.ingest.next();
    await live.state('publishing');
    let most = 0;
    for (let n = 0; n < 60; n++) {
      video.send(frameAt(n * 40, Buffer.alloc(size), { key: n === 0 }));
      await first.until(() => framesOf(first).length === n + 1);
      await eventually(() => live.status().sent_bytes === live.status().written_bytes, 'the frame to be sent');
      most = Math.max(most, (live.upstream?.ledger.used ?? 0) / limit);
    }
    assert.ok(most > 0.46 && most <= 0.5, `${most} of the limit`);
  });

  it('unsent frames of an ended track are released when the connection breaks', async () => {
    await start({ settings: { outResend: 0, outMemLimit: 2 ** 26, outTimeout: 1e9 } });
    const { video } = await live.both();
    const first = await live.ingest.next();
    await first.command('publish');
    await live.state('publishing');
    const tracks = () => live.status().streams['s']?.tracks;
    first.pause();
    // More than the kernel takes for a peer that does not read.
    const size = 15 * 2 ** 20;
    video.send(frameAt(0, Buffer.alloc(size), { key: true }));
    await live.received('video', 1);
    await eventually(() => tracks()?.video?.sent_frames === 1, 'the frame to be written');
    video.end();
    await eventually(() => tracks()?.video === undefined, 'the end of the track');
    assert.ok((live.upstream?.ledger.used ?? 0) > size);
    first.reset();
    await live.state('reconnecting');
    assert.ok((live.upstream?.ledger.used ?? Infinity) < 10_000, `${live.upstream?.ledger.used} bytes`);
  });

  it('an attempt is shown as reconnecting until the connection publishes', async () => {
    await start();
    await live.both();
    await live.state('publishing');
    await live.killServer();
    await live.state('reconnecting');
    await live.startServer({ stallAt: 'nothing' });
    clock.advance(30_000);
    const stalled = await live.ingest.next();
    await eventually(() => stalled.hello.length > 0 || live.service.log.text.includes('handshaking'), 'the handshake');
    await turns();
    assert.equal(live.status().state, 'reconnecting');
  });

  it('an upstream that has failed meanwhile makes no attempt', async () => {
    await start();
    await live.both();
    await live.state('publishing');
    await live.killServer();
    await live.state('reconnecting');
    live.service.registry.destroy();
    await live.startServer();
    clock.advance(60_000);
    await turns(50);
    assert.equal(live.ingest.connections.length, 0);
  });

  for (const answers of [true, false]) {
    it(`an upstream that is cut off leaves no timer (its server ${answers ? 'answers' : 'does not answer'})`, async () => {
      await start({ script: { answers }, settings: { outStreamId: 'assume', outResend: 5000 } });
      const { video, audio } = await live.both();
      const first = await live.ingest.next();
      await live.state('publishing');
      video.send(...videoFrames(0, 1));
      await first.until(() => framesOf(first).includes('v0'));
      await eventually(() => live.status().sent_bytes === live.status().written_bytes, 'all to be sent');
      // The track waits, because its frame may have to be written again.
      await video.leave();
      assert.ok(clock.pending > 0);
      audio.destroy();
      live.service.registry.destroy();
      await eventually(() => live.service.counter.open === 0, 'the end of all connections');
      assert.equal(clock.pending, 0);
    });
  }
});
