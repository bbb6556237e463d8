import { afterEach, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import type { MediaSettings } from '../../../lib/config/settings.js';
import { eventually } from '../../support/time/eventually.js';
import { FakeClock } from '../../support/time/fake-clock.js';
import { framesOf, kindsOf, mediaOf, type MediaMessage } from '../../support/ingest/ingest-media.js';
import type { KmpSender } from '../../support/kmp/kmp-sender.js';
import { audioMinf, frameAt, videoMinf } from '../../support/kmp/kmp-sender.js';
import { audioFrames, Live, videoFrames } from '../../support/service/live.js';
import type { IngestConnection } from '../../support/ingest/scriptable-ingest.js';
import { turns } from '../../support/time/turns.js';

/** AAC-LC, 48 kHz, stereo: a frame lasts 21.33 ms. */
const ASC = Buffer.from([0x11, 0x90]);
const SILENCE = Buffer.from('21000000001c', 'hex').toString('latin1');

/** Video at 0 to 280 ms, with key frames v0 and v5; audio at 10 to 290 ms. */
describe('kmp_rtmp_out_slate freeze', { timeout: 90_000 }, () => {
  let clock: FakeClock;
  let live: Live;
  let connection: IngestConnection;
  let senders: { video: KmpSender; audio: KmpSender };

  async function start(settings: Partial<MediaSettings> = {}): Promise<void> {
    clock = new FakeClock();
    const outSlate = 'freeze';
    live = await Live.start({ clock, settings: { outLinger: 60_000, inAck: 'frame', outSlate, ...settings } });
    senders = { video: await live.video(), audio: await live.audio({}, { extraData: ASC }) };
    connection = await live.ingest.next();
    senders.video.send(...videoFrames(0, 8));
    senders.audio.send(...audioFrames(0, 8));
    await connection.until(() => framesOf(connection).length === 16);
    await live.state('publishing');
  }
  async function away(): Promise<void> {
    senders.video.destroy();
    senders.audio.destroy();
    await live.state('input_lost');
  }
  const tracks = () => live.status().streams['s']?.tracks ?? {};
  const of = (kind: MediaMessage['kind']): MediaMessage[] => mediaOf(connection).filter((one) => one.kind === kind);
  /** The messages behind the sender's first ones, once there are so many, and audio later than a time, ms. */
  async function filled(
    video: number,
    audio: number,
    later = 0,
  ): Promise<{ video: MediaMessage[]; audio: MediaMessage[] }> {
    await connection.until(
      () => of('video').length >= 8 + video && of('audio').length >= 8 + audio && (of('audio').at(-1)?.ms ?? 0) > later,
    );
    return { video: of('video').slice(8), audio: of('audio').slice(8) };
  }
  function inOrder(): void {
    for (const kind of ['video', 'audio'] as const) {
      const times = of(kind).map(({ ms }) => ms);
      assert.deepEqual(
        times,
        [...times].sort((a, b) => a - b),
        kind,
      );
      assert.equal(new Set(times).size, times.length, `${kind}: no time twice`);
    }
  }

  afterEach(() => live.close());

  it('repeats the last key frame once a second, and sends silence', async () => {
    await start();
    await away();
    clock.advance(1999);
    await turns();
    assert.deepEqual([of('video').length, of('audio').length], [8, 8]);
    clock.advance(2001);
    const { video, audio } = await filled(4, 180, 4168);
    assert.deepEqual(
      video.map(({ ms, key, text }) => [ms, key, text]),
      [1280, 2280, 3280, 4280].map((ms) => [ms, true, 'v5']),
    );
    assert.deepEqual(
      audio.slice(0, 4).map(({ ms, text }) => [ms, text]),
      [311, 333, 354, 375].map((ms) => [ms, SILENCE]),
    );
    assert.ok(audio.every(({ text }) => text === SILENCE));
    assert.ok(Math.abs((audio.at(-1)?.ms ?? 0) - 4290) < 22 + 100);
    inOrder();
  });

  it('while the sender is connected, and silent', async () => {
    await start();
    clock.advance(4000);
    const { video, audio } = await filled(4, 180);
    assert.ok(video.every(({ text }) => text === 'v5') && audio.every(({ text }) => text === SILENCE));
    assert.equal(live.status().state, 'input_lost');
    assert.match(
      live.service.log.text,
      /warn input_lost: no video arrives: the sender is connected and sends no media/,
    );
  });

  it('the composition time of the key frame is kept', async () => {
    await start();
    senders.video.send(frameAt(320, 'v8', { key: true, pts: 80 }));
    await connection.until(() => of('video').length === 9);
    await away();
    clock.advance(3000);
    await connection.until(() => of('video').length >= 12);
    assert.deepEqual(
      of('video')
        .slice(9)
        .map(({ ms, cts, text }) => [ms, cts, text]),
      [
        [1320, 80, 'v8'],
        [2320, 80, 'v8'],
        [3320, 80, 'v8'],
      ],
    );
  });

  it('is not counted as media of the sender, and not acknowledged', async () => {
    await start();
    clock.advance(4000);
    await filled(4, 180);
    const { video, audio } = tracks();
    assert.deepEqual([video?.slate, video?.slate_frames, video?.sent_frames], [true, 4, 8]);
    assert.equal(audio?.sent_frames, 8);
    assert.equal(audio?.input?.received_frames, 8);
    await senders.audio.acked(8n);
    assert.equal(senders.audio.lastAck, 8n);
    assert.equal(senders.video.lastAck, 8n);
  });

  it('the first key frame takes over, and audio as well: from another process', async () => {
    await start();
    await away();
    clock.advance(5000);
    await filled(5, 220);
    senders = {
      audio: await live.reopen(audioMinf({ extraData: ASC }), 0n),
      video: await live.reopen(videoMinf(), 0n),
    };
    senders.audio.send(frameAt(0, 'A0'), frameAt(21, 'A1'));
    await connection.until(() => framesOf(connection).includes('A1'));
    senders.video.send(frameAt(10, 'V0', { key: true }), frameAt(50, 'V1'));
    await connection.until(() => framesOf(connection).includes('V1'));
    const time = (name: string) => mediaOf(connection).find(({ text }) => text === name)?.ms ?? 0;
    assert.equal(time('V0') - time('A0'), 10);
    assert.ok(time('A0') >= 5290 && time('A0') <= 5320, `${time('A0')}`);
    inOrder();
    assert.deepEqual(
      kindsOf(connection).filter((kind) => kind !== 'video' && kind !== 'audio'),
      ['metadata', 'video header', 'audio header'],
    );
    await live.state('publishing');
    assert.equal(tracks().video?.slate, false);
  });

  it('has no gap in the sound up to the first frame of the sender, also if that is ahead', async () => {
    await start();
    await away();
    clock.advance(5000);
    await filled(5, 220);
    const audio = await live.reopen(audioMinf({ extraData: ASC }), 8n);
    // The same sender continues, 250 ms ahead of what was sent.
    audio.send(frameAt(5540, 'A0'));
    await connection.until(() => framesOf(connection).includes('A0'));
    const sound = of('audio');
    const last = sound.findIndex(({ text }) => text === 'A0');
    const times = sound.slice(8, last + 1).map(({ ms }) => ms);
    assert.equal(times.at(-1), 5540);
    assert.ok(
      times.every((ms, i) => i === 0 || ms - (times[i - 1] ?? 0) <= 43),
      times.slice(-15).join(' '),
    );
    inOrder();
    await audio.acked(9n);
    assert.equal(audio.lastAck, 9n);
  });

  it('the same sender resumes: what the slate has covered is dropped, up to a key frame', async () => {
    await start();
    clock.advance(3000);
    await filled(3, 130);
    // The sender was stuck, and sends what it has: 320 to 3560 ms, with a key frame every 200 ms.
    senders.video.send(...videoFrames(8, 90));
    senders.audio.send(...audioFrames(8, 90));
    await connection.until(() => framesOf(connection).includes('v89') && framesOf(connection).includes('a89'));
    const real = of('video')
      .slice(8)
      .filter(({ text }) => text !== 'v5');
    assert.deepEqual([real[0]?.text, real[0]?.key], ['v85', true]);
    inOrder();
    assert.ok((tracks().audio?.dropped_frames ?? 0) > 60);
    await live.state('publishing');
  });

  it('the same sender resumes and stays behind: it goes on by the time that has passed', async () => {
    await start();
    clock.advance(5000);
    await filled(5, 220);
    for (let n = 10; n <= 100; n += 10) {
      // Key frames at 400 ms, 800 ms and so on, in real time, 5 s late.
      senders.video.send(frameAt(n * 40, `v${n}`, { key: true }));
      await live.received('video', 8 + n / 10);
      clock.advance(400);
    }
    await connection.until(() => framesOf(connection).includes('v100'));
    // Five seconds late, and no picture missing, once it is known that the sender stays behind.
    assert.deepEqual(
      of('video')
        .slice(-5)
        .map(({ ms, text }) => [ms, text]),
      [60, 70, 80, 90, 100].map((n, i) => [7290 + 400 * i, `v${n}`]),
    );
    inOrder();
  });

  it('only one track is silent: the other one goes on', async () => {
    await start();
    for (let n = 8; n < 108; n += 10) {
      senders.audio.send(...audioFrames(n, n + 10));
      await live.received('audio', n + 10);
      clock.advance(400);
    }
    await eventually(() => (tracks().video?.slate_frames ?? 0) >= 3, 'the slate of video');
    assert.equal(tracks().audio?.slate_frames, 0);
    assert.equal(live.status().state, 'publishing');
    await connection.until(() => framesOf(connection).includes('a107'));
    inOrder();
  });

  it('audio of another codec pauses', async () => {
    await start();
    senders.audio.send(audioMinf({ codecId: 1002 }), frameAt(330, 'mp3'));
    await live.received('audio', 9);
    clock.advance(4000);
    await connection.until(() => of('video').length >= 12);
    await turns();
    assert.equal(tracks().audio?.slate_frames, 0);
    assert.equal(of('audio').length, 9);
  });

  it('a media info without a key frame does not change what is shown', async () => {
    await start();
    senders.video.send(videoMinf({ extraData: Buffer.from('avcC other') }));
    senders.video.send(frameAt(320, 'no key'));
    await eventually(() => tracks().video?.input?.skipped_frames.no_key === 1, 'the frame');
    clock.advance(4000);
    const { video } = await filled(4, 100);
    assert.ok(video.every(({ text }) => text === 'v5'));
    assert.equal(of('video header').length, 1);
    senders.video.send(frameAt(4500, 'V0', { key: true }));
    await connection.until(() => framesOf(connection).includes('V0'));
    assert.equal(of('video header').length, 2);
    inOrder();
  });

  it('goes on after a reconnect, with a key frame first', async () => {
    await start({ outReconnects: Infinity, outResend: 0, outLinger: 600_000 });
    await away();
    clock.advance(4000);
    await filled(4, 180);
    await live.killServer();
    await live.state('reconnecting');
    clock.advance(500);
    await live.startServer();
    clock.advance(1000);
    connection = await live.ingest.next();
    await connection.until(() => kindsOf(connection).length >= 3);
    await live.state('input_lost');
    clock.advance(2000);
    await connection.until(() => of('video').length >= 2 && of('audio').length > 40);
    assert.ok((of('video')[0]?.ms ?? 0) > 4280 && (of('audio')[0]?.ms ?? 0) > 4280);
    assert.deepEqual(kindsOf(connection).slice(0, 4), ['metadata', 'video header', 'audio header', 'video']);
    assert.equal(of('video')[0]?.text, 'v5');
    inOrder();
  });

  it('of a long gap, the last 5 s are filled', async () => {
    await start({ outSlateAfter: 20_000 });
    await away();
    clock.advance(20_100);
    const { video, audio } = await filled(4, 200, 20_000);
    for (const times of [video, audio].map((frames) => frames.map(({ ms }) => ms))) {
      const gaps = times.slice(1).map((ms, i) => ms - (times[i] ?? 0));
      assert.ok((times[0] ?? 0) > 15_000 && (times[0] ?? 0) < 16_300, `begins at ${times[0]}`);
      assert.ok(Math.max(...gaps) <= 1000, `gaps of ${gaps.join(' ')}`);
    }
    assert.ok((audio.at(-1)?.ms ?? 0) > 20_000, `ends at ${audio.at(-1)?.ms}`);
    inOrder();
  });

  it('ends with its stream', async () => {
    await start({ outLinger: 5000 });
    await away();
    clock.advance(4999);
    await filled(4, 200);
    clock.advance(1);
    const { reason, upstream } = await live.service.ended();
    assert.equal(reason, 'done');
    assert.equal(upstream.ledger.used, Buffer.byteLength(JSON.stringify(upstream.data)));
  });

  it('ends at once with DELETE, and with the service', async () => {
    await start();
    await away();
    clock.advance(3000);
    await filled(2, 100);
    await live.service.registry.drain();
    assert.equal((await live.service.ended()).reason, 'shutdown');
  });

  it('does not fill the memory of an upstream whose server has stopped reading', async () => {
    await start({ outMemLimit: 1_000_000, outTimeout: 1e9, outLinger: 600_000 });
    connection.pause();
    // Until the kernel takes no more, and frames pile up.
    let sent = 8;
    for (let more = 5; more > 0;) {
      const { sent_bytes: before } = live.status();
      senders.audio.send(frameAt(sent++ * 40 + 10, Buffer.alloc(40_000)));
      await live.received('audio', sent);
      await turns(20);
      more = live.status().sent_bytes === before ? more - 1 : 5;
    }
    await away();
    // Much more than fits.
    for (let i = 0; i < 900; i++) clock.advance(600);
    const left = live.upstream?.ledger.left ?? 0;
    // A quarter is spared for the sender. The slate takes all of the rest, and no more.
    assert.ok(left >= 250_000 && left < 260_000, `${left} bytes left`);
    assert.equal(live.status().state, 'input_lost');
    connection.resume();
    await eventually(
      () => (tracks().audio?.slate_frames ?? 0) > 0 && (tracks().video?.slate_frames ?? 0) > 0,
      'the slate',
    );
  });

  it('none: nothing is sent, and no timer runs', async () => {
    await start({ outSlate: 'none' });
    const timers = clock.pending;
    clock.advance(4000);
    await turns();
    assert.deepEqual([tracks().video?.slate_frames, tracks().audio?.slate_frames], [0, 0]);
    assert.deepEqual([of('video').length, of('audio').length], [8, 8]);
    assert.equal(live.status().state, 'publishing');
    assert.ok(clock.pending <= timers, `${clock.pending} timers, ${timers} before`);
  });
});
