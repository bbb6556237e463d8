import { afterEach, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import type { MediaSettings } from '../../../lib/config/settings.js';
import { eventually } from '../../support/time/eventually.js';
import { FakeClock } from '../../support/time/fake-clock.js';
import { audioOf, framesOf, videoOf } from '../../support/ingest/ingest-media.js';
import { frameAt, KmpSender, videoMinf } from '../../support/kmp/kmp-sender.js';
import { audioFrames, Live, names, videoFrames } from '../../support/service/live.js';
import type { IngestConnection } from '../../support/ingest/scriptable-ingest.js';

/** Once a frame is acknowledged, only this service can send it again. */
describe('a track without a sender, with reconnects', { timeout: 90_000 }, () => {
  const clock = new FakeClock();
  let live: Live;
  let senders: { video: KmpSender; audio: KmpSender };
  let first: IngestConnection;

  const tracks = () => live.upstream?.status().streams['s']?.tracks ?? {};

  /** Eight frames of each have arrived; what comes then is not read. */
  async function start(settings: Partial<MediaSettings> = {}): Promise<void> {
    live = await Live.start({ clock, settings: { inAck: 'frame', outReconnects: Infinity, ...settings } });
    senders = await live.both();
    first = await live.ingest.next();
    await send(0, 8);
    await first.until(() => framesOf(first).length === 16);
    first.pause();
    await send(8, 12);
  }

  /** Frames that the service writes. */
  async function send(from: number, to: number): Promise<void> {
    senders.video.send(...videoFrames(from, to));
    senders.audio.send(...audioFrames(from, to));
    const done = (): boolean => (['video', 'audio'] as const).every((kind) => tracks()[kind]?.sent_frames === to);
    await eventually(done, 'all to be written');
    await eventually(() => live.status().written_bytes === live.status().sent_bytes, 'the kernel to take all');
  }

  async function gone(...kinds: ('video' | 'audio')[]): Promise<void> {
    for (const kind of kinds) senders[kind].destroy();
    const noInput = (): boolean => kinds.every((kind) => (tracks()[kind]?.input ?? null) === null);
    await eventually(noInput, 'the senders to be missed');
  }

  /** A sender of video that reconnects, or another one. */
  async function back(frameId: bigint, url = live.url()): Promise<KmpSender> {
    const sender = await KmpSender.open(live.service.port, { upstream_id: 'u1', url }, { frameId });
    live.senders.push(sender);
    sender.send(videoMinf());
    return sender;
  }

  async function restart(): Promise<IngestConnection> {
    await live.killServer();
    await live.state('reconnecting');
    await live.startServer();
    clock.advance(1000);
    return live.ingest.next();
  }

  afterEach(async () => {
    await live.close();
    clock.advance(60_000);
  });

  it('writes its frames again after the connection broke', async () => {
    await start();
    await gone('audio');
    clock.advance(900);
    const second = await restart();
    senders.video.send(...videoFrames(12, 14));
    await second.until(() => videoOf(second).includes('v13'));
    assert.deepEqual(audioOf(second), names('a', 0, 12));
    assert.deepEqual(videoOf(second), names('v', 0, 14));
  });

  it('as its whole stream', async () => {
    await start();
    await gone('video', 'audio');
    clock.advance(900);
    const second = await restart();
    await second.until(() => framesOf(second).length === 24);
    clock.advance(1000);
    const { reason, upstream } = await live.service.ended();
    assert.equal(reason, 'done');
    assert.deepEqual([videoOf(second), audioOf(second)], [names('v', 0, 12), names('a', 0, 12)]);
    assert.equal(upstream.ledger.used, Buffer.byteLength(JSON.stringify(upstream.data)));
  });

  it('also if it has announced the end', async () => {
    await start();
    senders.video.end();
    senders.audio.end();
    await Promise.all([senders.video.closed, senders.audio.closed]);
    const second = await restart();
    await second.until(() => framesOf(second).length === 24);
    assert.deepEqual([videoOf(second), audioOf(second)], [names('v', 0, 12), names('a', 0, 12)]);
  });

  it('ends after kmp_rtmp_out_resend', async () => {
    await start({ outResend: 5000 });
    await gone('audio');
    clock.advance(4999);
    assert.ok(tracks().audio !== undefined && tracks().audio?.pending_frames === 0);
    clock.advance(1);
    assert.deepEqual(Object.keys(tracks()), ['video']);
    await gone('video');
    const { reason } = await live.service.ended();
    assert.equal(reason, 'done');
  });

  it('at once without resending', async () => {
    await start({ outResend: 0 });
    await gone('video', 'audio');
    const { reason } = await live.service.ended();
    assert.equal(reason, 'done');
  });

  it('at once when the server has acknowledged all', async () => {
    await start();
    first.resume();
    await first.until(() => framesOf(first).length === 24);
    await gone('audio');
    first.acknowledge();
    await eventually(() => tracks().audio === undefined, 'the end of the track');
    await gone('video');
    assert.equal((await live.service.ended()).reason, 'done');
  });

  it('goes on waiting for a server that should have acknowledged, as long as for any answer', async () => {
    await start({ outTimeout: 8000 });
    first.resume();
    first.acknowledge();
    await eventually(() => live.status().acked_bytes > 0, 'the acknowledgement');
    first.pause();
    // More than a window.
    senders.audio.send(frameAt(490, `a12${' '.repeat(200_000)}`));
    await eventually(() => tracks().audio?.sent_frames === 13, 'the large frame to be written');
    await eventually(() => live.status().written_bytes === live.status().sent_bytes, 'the kernel to take it');
    await gone('audio');
    clock.advance(8999);
    assert.ok(tracks().audio !== undefined);
    clock.advance(1);
    assert.ok(tracks().audio === undefined);
  });

  it('is taken over by a sender that returns meanwhile', async () => {
    await start();
    await gone('video', 'audio');
    clock.advance(900);
    // With a token of its own, it may be, but to the same place.
    const sender = await back(12n, live.url().replace('/app/', '/app?token=new/'));
    sender.send(...videoFrames(12, 14));
    await eventually(() => tracks().video?.sent_frames === 14, 'its frames');
    clock.advance(100);
    assert.deepEqual(Object.keys(tracks()), ['video']);
    first.resume();
    await first.until(() => videoOf(first).includes('v13'));
    assert.deepEqual(videoOf(first), names('v', 0, 14));
    assert.equal(live.ingest.connections.length, 1);
  });

  for (const when of ['while its connection lives', 'while its connection is opened again']) {
    for (const frameId of [5n, 0n]) {
      it(`starts again after the end of stream, ${when}, at frame ${frameId}`, async () => {
        await start();
        senders.video.end();
        await senders.video.closed;
        let connection = first;
        if (when.endsWith('anew')) {
          await live.killServer();
          await live.state('reconnecting');
          await live.startServer();
        }
        senders.video = await back(frameId);
        // Without its key frame the rest of a group is no beginning.
        senders.video.send(...videoFrames(3, 8));
        await live.received('video', 3);
        if (when.endsWith('anew')) {
          clock.advance(1000);
          connection = await live.ingest.next();
        }
        connection.resume();
        await eventually(() => videoOf(connection).length >= 15, 'all frames');
        assert.deepEqual(videoOf(connection), [...names('v', 0, 12), 'v5', 'v6', 'v7']);
        assert.equal(tracks().video?.input?.skipped_frames.duplicate, 0);
        await senders.video.acked(frameId + 5n);
      });
    }
  }

  it('is not taken over by a sender with the same id but another destination', async () => {
    await start();
    await gone('video', 'audio');
    clock.advance(900);
    const old = live.upstream;
    const url = live.url().replace('/app/', '/other/');
    senders = { video: await live.video({ url }), audio: await live.audio({ url }) };
    senders.video.send(...videoFrames(12, 14, 1));
    senders.audio.send(...audioFrames(12, 14));
    const second = await live.ingest.next();
    assert.equal(((await second.command('connect'))[2] as { app: string }).app, 'other');
    await second.until(() => framesOf(second).length === 4);
    assert.deepEqual([videoOf(second), audioOf(second)], [names('v', 12, 14), names('a', 12, 14)]);
    clock.advance(100);
    const { reason, upstream } = await live.service.ended();
    assert.deepEqual([upstream === old, reason], [true, 'done']);
    assert.equal(live.status().state, 'publishing');
    first.resume();
    await first.until(() => framesOf(first).length === 24);
  });

  it('writes its last frame on the replacement connection', async () => {
    live = await Live.start({
      clock,
      settings: { outReconnects: Infinity, outMinProcessDelay: 1000, outMaxProcessDelay: 3000 },
    });
    senders = await live.both();
    first = await live.ingest.next();
    senders.video.send(...videoFrames(0, 1));
    senders.audio.send(...audioFrames(0, 1));
    for (const kind of ['video', 'audio'] as const) await live.received(kind, 1);
    clock.advance(1000);
    await first.until(() => framesOf(first).length === 2);
    first.sendStatus(0, 'status', 'NetConnection.Connect.ReconnectRequest', 'maintenance');
    const second = await live.ingest.next();
    await second.command('publish');
    // Due at the very time at which nothing is in doubt any more.
    senders.audio.send(...audioFrames(1, 2));
    await live.received('audio', 2);
    await gone('video');
    senders.video = await back(1n);
    senders.video.send(...videoFrames(1, 2, 1));
    await live.received('video', 1);
    await gone('video');
    clock.advance(1000);
    await eventually(() => framesOf(second).length === 2, 'the last frames');
    await first.closed;
    assert.deepEqual([videoOf(second), audioOf(second)], [['v1'], ['a1']]);
    clock.advance(1000);
    await gone('audio');
    const { reason, upstream } = await live.service.ended();
    assert.equal(reason, 'done');
    assert.equal(upstream.ledger.used, Buffer.byteLength(JSON.stringify(upstream.data)));
  });

  it('does not follow redirects for longer than a minute', async () => {
    await start({ outResend: 30_000 });
    await gone('video', 'audio');
    for (let moves = 0; moves < 6; moves++) {
      clock.advance(9999);
      first.sendStatus(0, 'status', 'NetConnection.Connect.ReconnectRequest', 'maintenance');
      const next = await live.ingest.next();
      await next.command('publish');
      first.reset();
      await next.until(() => framesOf(next).length === 24);
      first = next;
    }
    clock.advance(9999);
    first.sendStatus(0, 'status', 'NetConnection.Connect.ReconnectRequest', 'maintenance');
    first.ping(1);
    await first.message(({ type, payload }) => type === 4 && payload.readUInt16BE(0) === 7);
    assert.equal(live.ingest.connections.length, 7);
    first.reset();
    assert.equal((await live.service.ended()).reason, 'recv_failed');
  });

  for (const [what, reason] of [
    ['its upstream is deleted', 'api_delete'],
    ['the service ends', 'shutdown'],
  ] as const) {
    it(`ends at once when ${what}`, async () => {
      await start();
      await gone('video', 'audio');
      live.upstream?.drop(reason, reason === 'shutdown');
      assert.equal((await live.service.ended()).reason, reason);
    });
  }

  it('does not wait for a server that is gone, too, for longer than a minute', async () => {
    await start();
    await gone('video', 'audio');
    await live.killServer();
    await live.state('reconnecting');
    const attempts = (): number => live.upstream?.sessions.reconnects ?? Infinity;
    for (const seconds of [30, 29]) {
      const before = attempts();
      clock.advance(seconds * 1000);
      await eventually(() => attempts() > before, 'an attempt');
      assert.equal(live.upstream?.state, 'reconnecting');
    }
    clock.advance(30_000);
    const { reason } = await live.service.ended();
    assert.equal(reason, 'handshake_failed');
  });
});
