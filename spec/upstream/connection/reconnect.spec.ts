import { afterEach, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { eventually } from '../../support/time/eventually.js';
import { FakeClock } from '../../support/time/fake-clock.js';
import { audioOf, framesOf, kindsOf, mediaOf, videoOf } from '../../support/ingest/ingest-media.js';
import { frameAt, type KmpSender } from '../../support/kmp/kmp-sender.js';
import { audioFrames, Live, names, videoFrames, type LiveOptions } from '../../support/service/live.js';
import type { IngestConnection } from '../../support/ingest/scriptable-ingest.js';

/** Times never go back, but to 0 where metadata and headers are. */
function assertInOrder(connection: IngestConnection): void {
  const times = mediaOf(connection)
    .filter(({ kind }) => kind === 'video' || kind === 'audio')
    .map(({ ms }) => ms);
  assert.deepEqual(
    times,
    [...times].sort((a, b) => a - b),
  );
}

describe('a connection that breaks', { timeout: 90_000 }, () => {
  const clock = new FakeClock();
  let live: Live;

  async function start(options: LiveOptions = {}): Promise<void> {
    live = await Live.start({ clock, ...options, settings: { outReconnects: Infinity, ...options.settings } });
  }

  /** Both tracks, published; the first 8 frames of each have arrived: the third group is half out. */
  async function publish(): Promise<{ first: IngestConnection; senders: Awaited<ReturnType<Live['both']>> }> {
    const senders = await live.both();
    senders.video.send(...videoFrames(0, 13));
    senders.audio.send(...audioFrames(0, 13));
    const first = await live.ingest.next();
    await first.until(() => framesOf(first).length === 26);
    await eventually(() => live.status().streams['s']?.tracks.video?.pending_frames === 0, 'all to be written');
    return { first, senders };
  }

  /** Audio alone, whose metadata is written. */
  async function audioAlone(data: object = {}): Promise<KmpSender> {
    const sender = await live.audio(data);
    await eventually(() => live.upstream?.status().streams['s']?.tracks.audio !== undefined, 'the track');
    clock.advance(3000);
    return sender;
  }

  /** The server is stopped, and started again. */
  async function restart(): Promise<IngestConnection> {
    await live.killServer();
    await live.state('reconnecting');
    await live.startServer();
    clock.advance(30_000);
    return live.ingest.next();
  }

  afterEach(async () => {
    await live.close();
    clock.advance(60_000);
  });

  it('is opened again: metadata and headers, then media from a key frame, and nothing is lost', async () => {
    await start();
    const { senders } = await publish();
    await live.killServer();
    await live.state('reconnecting');
    // Frames go on coming meanwhile.
    senders.video.send(...videoFrames(13, 20));
    senders.audio.send(...audioFrames(13, 20));
    await live.received('video', 20);
    await live.received('audio', 20);
    await live.startServer();
    clock.advance(1000);
    const second = await live.ingest.next();
    await second.until(() => framesOf(second).includes('a19'));
    assert.deepEqual(kindsOf(second).slice(0, 4), ['metadata', 'video header', 'audio header', 'video']);
    const [head] = mediaOf(second).filter(({ kind }) => kind === 'video');
    assert.deepEqual([head?.key, head?.fmt], [true, 0]);
    // All of this happened within the second that kmp_rtmp_out_resend has by default.
    assert.deepEqual(videoOf(second), names('v', 0, 20));
    assert.deepEqual(audioOf(second), names('a', 0, 20));
    assertInOrder(second);
    assert.ok(!senders.video.isClosed && !senders.audio.isClosed);
    assert.equal(live.status().reconnects, 1);
    await live.state('publishing');
    // Counted once, however often it was written.
    assert.equal(live.status().streams['s']?.tracks.video?.sent_frames, 20);
  });

  it('sends only frames in doubt again: from the last key frame that is a second old', async () => {
    await start();
    const senders = await live.both();
    senders.video.send(...videoFrames(0, 10));
    senders.audio.send(...audioFrames(0, 10));
    const first = await live.ingest.next();
    await first.until(() => framesOf(first).length === 20);
    for (let n = 10; n < 40; n++) {
      clock.advance(400);
      senders.video.send(...videoFrames(n, n + 1));
      senders.audio.send(...audioFrames(n, n + 1));
      await first.until(() => framesOf(first).length === 2 * n + 2);
    }
    const second = await restart();
    await second.until(() => framesOf(second).includes('a39'));
    // v39 left at 0 s, v37 at -0.8 s, v35, the key frame, at -1.6 s: all in front of it is safe.
    assert.deepEqual(videoOf(second), names('v', 35, 40));
    assert.deepEqual(audioOf(second), names('a', 35, 40));
  });

  it('without resending continues at the next key frame, audio too', async () => {
    await start({ settings: { inAck: 'frame', outResend: 0 } });
    const { senders } = await publish();
    const second = await restart();
    senders.audio.send(...audioFrames(13, 14));
    senders.video.send(...videoFrames(13, 15));
    await live.received('video', 15);
    senders.audio.send(...audioFrames(14, 15));
    await live.received('audio', 15);
    senders.video.send(...videoFrames(15, 18));
    // Not before: audio that comes ahead of the key frame is left out.
    await second.until(() => framesOf(second).includes('v17'));
    senders.audio.send(...audioFrames(15, 18));
    await second.until(() => framesOf(second).includes('a17'));
    assert.equal(framesOf(second)[0], 'v15');
    assert.deepEqual(videoOf(second), names('v', 15, 18));
    assert.deepEqual(audioOf(second), names('a', 15, 18));
    assert.equal(live.status().streams['s']?.tracks.video?.dropped_frames, 2);
    // What was left out counts as done for its sender.
    clock.advance(100);
    await senders.audio.acked(18n);
    await senders.video.acked(18n);
  });

  it('audio waits for the key frame no longer than ten seconds', async () => {
    await start({ settings: { outResend: 0 } });
    const { senders } = await publish();
    const second = await restart();
    await live.state('publishing');
    senders.audio.send(...audioFrames(13, 14));
    await live.received('audio', 14);
    clock.advance(10_000);
    senders.audio.send(...audioFrames(14, 15));
    await second.until(() => framesOf(second).includes('a14'));
    assert.deepEqual(framesOf(second), ['a14']);
  });

  it('begins with audio if there is no video', async () => {
    await start({ settings: { outResend: 0 } });
    const sender = await audioAlone();
    sender.send(...audioFrames(0, 3));
    const first = await live.ingest.next();
    await first.until(() => framesOf(first).length === 3);
    const second = await restart();
    sender.send(...audioFrames(3, 5));
    await second.until(() => framesOf(second).includes('a4'));
    assert.deepEqual(framesOf(second), ['a3', 'a4']);
  });

  it('may break again and again', async () => {
    await start();
    const { senders } = await publish();
    for (let n = 13; n < 40; n += 9) {
      const next = await restart();
      senders.video.send(...videoFrames(n, n + 9));
      senders.audio.send(...audioFrames(n, n + 9));
      await next.until(() => framesOf(next).includes(`a${n + 8}`) && framesOf(next).includes(`v${n + 8}`));
      assert.deepEqual(mediaOf(next).find(({ kind }) => kind === 'video')?.key, true);
      assertInOrder(next);
      // Nothing is missing between what came before and what is new.
      const missing = names('v', n, n + 9).filter((name) => !framesOf(next).includes(name));
      assert.deepEqual(missing, []);
    }
    assert.equal(live.status().reconnects, 3);
  });

  it('is tried again after 1, 2, 4 ... 30 s, a quarter less at most, at all addresses of the name, which is resolved again', async () => {
    const asked: string[] = [];
    const addresses = [['127.0.0.1'], ...Array.from({ length: 7 }, () => ['127.0.0.1', '127.0.0.1'])];
    const resolve = (host: string): Promise<string[]> => {
      asked.push(host);
      return Promise.resolve(addresses[asked.length - 1] ?? ['127.0.0.3', '127.0.0.1']);
    };
    await start({ resolve });
    const sender = await audioAlone({ url: live.url('s', `ingest.example:${live.ingest.port}`) });
    sender.send(...audioFrames(0, 1));
    const first = await live.ingest.next();
    await first.until(() => framesOf(first).length === 1);
    await live.killServer();
    let tries = 1;
    for (const wait of [1, 2, 4, 8, 16, 30, 30]) {
      await live.state('reconnecting');
      await eventually(() => live.status().reconnects === tries, `break ${tries}`);
      assert.equal(asked.length, tries);
      clock.advance(wait * 750 - 1);
      assert.equal(asked.length, tries, `not before ${wait * 0.75} s`);
      clock.advance(wait * 250 + 1);
      await eventually(() => asked.length === tries + 1, `attempt ${tries}`);
      tries++;
    }
    await eventually(() => live.status().reconnects === tries, `break ${tries}`);
    await live.startServer();
    clock.advance(30_000);
    const last = await live.ingest.next();
    sender.send(...audioFrames(1, 2));
    await last.until(() => framesOf(last).includes('a1'));
    assert.deepEqual(new Set(asked), new Set(['ingest.example']));
    assert.equal(live.status().state, 'publishing');
    assert.ok(!sender.isClosed);
  });

  it('begins with the short wait again after a stable minute, not before', async () => {
    await start();
    const sender = await audioAlone();
    sender.send(...audioFrames(0, 1));
    await live.ingest.next();
    await live.state('publishing');
    const breakAfter = async (ms: number): Promise<void> => {
      clock.advance(ms);
      await live.killServer();
      await live.state('reconnecting');
      await live.startServer();
    };
    const comesBackAfter = async (ms: number): Promise<void> => {
      clock.advance(ms * 0.75 - 1);
      assert.equal(live.ingest.connections.length, 0);
      clock.advance(ms * 0.25 + 1);
      await live.ingest.next();
      await live.state('publishing');
    };
    await breakAfter(59_000);
    await comesBackAfter(1000);
    await breakAfter(59_000);
    await comesBackAfter(2000);
    await breakAfter(60_000);
    await comesBackAfter(1000);
  });

  it('ends its upstream after the allowed number of attempts in a row, with the last error', async () => {
    await start({ settings: { outReconnects: 2 } });
    const { senders } = await publish();
    await live.killServer();
    for (let n = 1; n <= 2; n++) {
      await eventually(() => live.status().reconnects === n, `break ${n}`);
      clock.advance(4000);
    }
    const { reason } = await live.service.ended();
    assert.equal(reason, 'handshake_failed');
    await Promise.all([senders.video.closed, senders.audio.closed]);
  });

  it('shows why it was opened again and since when, even after it succeeded', async () => {
    await start();
    await publish();
    assert.equal(live.status().last_error, null);
    await live.killServer();
    await live.state('reconnecting');
    const broken = live.status().last_error;
    // Whichever notices it first.
    assert.match(broken?.reason ?? '', /^(recv|send)_failed$/);
    assert.notEqual(broken?.message, '');
    assert.equal(broken?.age, 0);
    clock.advance(4000);
    await eventually(() => live.status().reconnects === 2, 'the second break');
    const { reason, message, age } = live.status().last_error ?? {};
    assert.equal(reason, 'handshake_failed');
    assert.match(message ?? '', /could not connect: .*ECONNREFUSED/);
    assert.equal(age, 0);
    await live.startServer();
    clock.advance(30_000);
    await live.ingest.next();
    await live.state('publishing');
    const later = live.status().last_error;
    assert.deepEqual([later?.reason, later?.message, later?.age], [reason, message, 30]);
  });

  it('ends its upstream at once by default', async () => {
    await start({ settings: { outReconnects: 0 } });
    const { senders } = await publish();
    await live.killServer();
    const { reason } = await live.service.ended();
    assert.equal(reason, 'recv_failed');
    await Promise.all([senders.video.closed, senders.audio.closed]);
  });

  it('is tried again while the server still has the broken session', async () => {
    await start();
    const { senders } = await publish();
    await live.killServer();
    await live.state('reconnecting');
    const bad = { code: 'NetStream.Publish.BadName', description: 'Already publishing' };
    await live.startServer({ rejectPublish: bad });
    clock.advance(1000);
    await live.ingest.next();
    await eventually(() => live.status().reconnects === 2, 'the second break');
    assert.equal(live.status().last_status?.code, bad.code);
    const { reason, message, age } = live.status().last_error ?? {};
    assert.deepEqual([reason, age], ['publish_rejected', 0]);
    assert.match(message ?? '', /NetStream\.Publish\.BadName: Already publishing/);
    live.ingest.script = { answers: true };
    clock.advance(2000);
    const third = await live.ingest.next();
    await third.until(() => framesOf(third).includes('v12') && framesOf(third).includes('a12'));
    assert.deepEqual(videoOf(third), names('v', 0, 13));
    assert.ok(!senders.video.isClosed);
  });

  it('is not tried again if the server refuses for another reason', async () => {
    await start();
    await publish();
    await live.killServer();
    await live.state('reconnecting');
    await live.startServer({ rejectPublish: { code: 'NetStream.Publish.Denied', description: 'expired' } });
    clock.advance(1000);
    const { reason } = await live.service.ended();
    assert.equal(reason, 'publish_rejected');
  });

  it('ends at once when its upstream is deleted meanwhile', async () => {
    await start();
    const { senders } = await publish();
    await live.killServer();
    await live.state('reconnecting');
    live.upstream?.drop('api_delete', false);
    const { reason } = await live.service.ended();
    assert.equal(reason, 'api_delete');
    await Promise.all([senders.video.closed, senders.audio.closed]);
    await live.startServer();
    clock.advance(60_000);
    assert.equal(live.ingest.connections.length, 0);
  });

  it('still delivers the frames of senders that have left', async () => {
    await start();
    const { senders } = await publish();
    await live.killServer();
    await live.state('reconnecting');
    senders.video.send(...videoFrames(13, 15));
    await Promise.all([senders.video.leave(), senders.audio.leave()]);
    await live.startServer();
    clock.advance(1000);
    const second = await live.ingest.next();
    await second.until(() => framesOf(second).length === 28);
    clock.advance(1000);
    const { reason, upstream } = await live.service.ended();
    await second.closed;
    assert.equal(reason, 'done');
    assert.deepEqual(videoOf(second), names('v', 0, 15));
    assert.deepEqual(audioOf(second), names('a', 0, 13));
    assert.deepEqual(
      second
        .commands()
        .map(([name]) => name)
        .slice(-2),
      ['FCUnpublish', 'deleteStream'],
    );
    // All that it held is given back, but for the connect data.
    assert.equal(upstream.ledger.used, Buffer.byteLength(JSON.stringify(upstream.data)));
  });

  it('releases all memory', async () => {
    await start({ settings: { inAck: 'frame', outResend: 0 } });
    const { senders } = await publish();
    clock.advance(1000);
    const { ledger } = await live.service.upstream('u1');
    senders.video.send(...videoFrames(13, 14));
    clock.advance(1000);
    await senders.video.acked(14n);
    const before = ledger.used;
    for (let n = 15; n < 60; n += 15) {
      const next = await restart();
      senders.video.send(...videoFrames(n, n + 10));
      senders.audio.send(...audioFrames(n, n + 10));
      await next.until(() => framesOf(next).includes(`a${n + 9}`) && framesOf(next).includes(`v${n + 9}`));
      await eventually(() => ledger.used === before, `${before} bytes, not ${ledger.used}`);
    }
  });

  it('ends its upstream when the memory is full before the server is back', async () => {
    await start({ settings: { outMemLimit: 100_000 } });
    const { senders } = await publish();
    await live.killServer();
    await live.state('reconnecting');
    const big = Buffer.alloc(30_000, 1);
    for (let n = 0; n < 4; n++) senders.audio.send(frameAt(1000 + n, big));
    const { reason } = await live.service.ended();
    assert.ok(['get_buf_failed', 'push_frame_failed', 'alloc_chain_failed'].includes(reason), reason);
    await senders.video.closed;
  });
});
