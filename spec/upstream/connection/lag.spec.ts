import { afterEach, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import type { MediaSettings } from '../../../lib/config/settings.js';
import { eventually } from '../../support/time/eventually.js';
import { FakeClock } from '../../support/time/fake-clock.js';
import { framesOf } from '../../support/ingest/ingest-media.js';
import { frameAt } from '../../support/kmp/kmp-sender.js';
import { Live, names } from '../../support/service/live.js';
import type { IngestConnection } from '../../support/ingest/scriptable-ingest.js';

const GROUP = 25;
const linux = process.platform === 'linux';

describe('how far a server is behind', { timeout: 120_000, skip: linux ? false : 'only Linux shows it' }, () => {
  const clock = new FakeClock();
  let live: Live;
  let senders: Awaited<ReturnType<Live['both']>>;
  let connection: IngestConnection;
  let sent = 0;

  async function start(settings: Partial<MediaSettings> = {}): Promise<void> {
    live = await Live.start({ clock, settings: { outMaxLag: 4000, inAck: 'frame', ...settings } });
    senders = await live.both();
    connection = await live.ingest.next();
    sent = 0;
    await second();
    await arrived(sent);
  }

  /**
   * One second of media, and what the service does meanwhile. Frames have 4000 bytes: the kernel could hold minutes.
   */
  async function second(): Promise<void> {
    const { video, audio } = senders;
    for (let n = 0; n < 5; n++) {
      for (const end = sent + 5; sent < end; sent++) {
        const filling = Buffer.alloc(4000);
        const payload = Buffer.concat([Buffer.from(`v${sent} `), filling]);
        video.send(frameAt(sent * 40, payload, { key: sent % GROUP === 0 }));
        audio.send(frameAt(sent * 40 + 10, `a${sent}`));
      }
      await live.received('video', sent);
      await live.received('audio', sent);
      clock.advance(200);
    }
    await measured();
  }

  /** The service has measured its queues. */
  async function measured(): Promise<void> {
    await live.service.registry.refreshLags();
  }

  /** A measurement that was under way may have been of the time before. */
  async function lagBecomes(ms: number): Promise<void> {
    for (let i = 0; i < 5 && live.status().lag_ms !== ms; i++) {
      clock.advance(1000);
      await measured();
    }
    assert.equal(live.status().lag_ms, ms);
  }

  const video = (): number[] =>
    framesOf(connection).flatMap((text) => (text.startsWith('v') ? [Number(text.slice(1).split(' ', 1)[0])] : []));
  const audio = (): string[] => framesOf(connection).filter((text) => text.startsWith('a'));
  const track = (kind: 'video' | 'audio') => live.status().streams['s']?.tracks[kind];
  const arrived = (frames: number): Promise<void> => connection.until(() => video().includes(frames - 1));
  const lines = (level: 'info' | 'warn', start: string): string[] =>
    live.service.log.of(level).flatMap(({ message }) => (message.startsWith(start) ? [message] : []));

  afterEach(async () => {
    await live.close();
    clock.advance(60_000);
  });

  it('is the age of what it has not read, although the kernel has taken everything', async () => {
    await start();
    await lagBecomes(0);
    connection.pause();
    for (let s = 0; s < 6; s++) await second();
    const { lag_ms, streams, sent_bytes, written_bytes } = live.status();
    assert.equal(sent_bytes, written_bytes);
    assert.equal(track('video')?.pending_frames, 0);
    // It stopped in the first of these seconds; it may have read a little more.
    assert.ok(lag_ms >= 5000 && lag_ms <= 6200, `${lag_ms} ms`);
    assert.equal(streams['s']?.tracks.audio?.lag_ms, lag_ms);
    connection.resume();
    await arrived(sent);
    await lagBecomes(0);
  });

  it('is the age of what it has not acknowledged, if it acknowledges', async () => {
    await start({ outReconnects: Infinity });
    connection.acknowledge();
    await eventually(() => live.status().acked_bytes > 0, 'the acknowledgement');
    await second();
    assert.ok(live.status().lag_ms <= 1200, `${live.status().lag_ms} ms`);
    for (let s = 0; s < 4; s++) await second();
    await arrived(sent);
    // The kernels have nothing left, and an acknowledgement is due every 64 KB: 0.6 s.
    const { lag_ms, acked_bytes } = live.status();
    assert.ok(lag_ms >= 3500 && lag_ms <= 5200, `${lag_ms} ms`);
    connection.acknowledge();
    await eventually(() => live.status().acked_bytes > acked_bytes, 'the acknowledgement');
    assert.equal(live.status().lag_ms, 0);
  });

  it('leads to degraded and recovered: log, state and the reason', async () => {
    await start({ outMaxLag: 2000 });
    assert.equal(live.status().degraded, null);
    connection.pause();
    for (let s = 0; s < 5; s++) await second();
    assert.equal(live.status().state, 'degraded');
    const { reason, message, age, dropped_frames } = live.status().degraded ?? {};
    assert.equal(reason, 'lag');
    assert.match(message ?? '', /^the server is \d\.\d s behind, and the limit is 2 s \(kmp_rtmp_out_max_lag\)/);
    assert.ok(age !== undefined && age >= 1 && age <= 3, `${age} s`);
    assert.equal(dropped_frames, 0);
    assert.equal(lines('warn', 'degraded: the server is').length, 1);
    // What the status says follows the lag.
    for (let s = 0; s < 10; s++) await second();
    const later = live.status().degraded;
    const [, shown = ''] = /^the server is (\d+\.\d) s behind, and the limit is 2 s/.exec(later?.message ?? '') ?? [];
    assert.ok(Number(shown) > 7, later?.message);
    assert.equal(later?.reason, 'lag');
    assert.equal(lines('warn', 'degraded: the server is').length, 1, 'it is reported once');
    connection.resume();
    await arrived(sent);
    for (let s = 0; s < 14; s++) await second();
    assert.equal(live.status().state, 'publishing');
    assert.equal(live.status().degraded, null);
    assert.equal(lines('info', 'recovered: in order again after').length, 1);
  });

  it('leads to degraded without a limit, too, if the server takes far less than comes in', async () => {
    await start({ outMaxLag: 0 });
    connection.pause();
    for (let s = 0; s < 10; s++) await second();
    assert.equal(live.status().degraded, null, 'it may be a short break');
    for (let s = 0; s < 20 && live.status().degraded === null; s++) await second();
    assert.equal(live.status().state, 'degraded');
    const { reason, message } = live.status().degraded ?? {};
    assert.equal(reason, 'slow_output');
    // 25 frames of 4 KB a second come in.
    assert.match(
      message ?? '',
      /^the server is \d+\.\d s behind: it takes \d{1,3} kbit\/s of 8\d\d kbit\/s that come in$/,
    );
    assert.equal(lines('warn', 'degraded: the server is').length, 1);
    for (let s = 0; s < 12; s++) await second();
    assert.equal(live.status().degraded?.reason, 'slow_output', 'it lasts');
    connection.resume();
    await arrived(sent);
    for (let s = 0; s < 14; s++) await second();
    assert.equal(live.status().state, 'publishing');
    assert.equal(lines('info', 'recovered: in order again after').length, 1);
  });

  it('a server that takes everything is in order for as long as it does', async () => {
    await start({ outMaxLag: 0 });
    for (let s = 0; s < 40; s++) {
      await second();
      assert.equal(live.status().degraded, null);
    }
  });

  it('is limited with drop_frames: the kernel holds little, and old groups of video are dropped', async () => {
    await start({ outOverload: 'drop_frames' });
    connection.pause();
    for (let s = 0; s < 12; s++) await second();
    // What waits here can be dropped; what the kernel has cannot.
    const pending = track('video')?.pending_frames ?? 0;
    assert.ok(pending >= 6 * GROUP, `${pending} frames wait`);
    connection.resume();
    for (let s = 0; s < 4; s++) await second();
    await arrived(sent);
    await connection.until(() => audio().length === sent);
    assert.deepEqual(audio(), names('a', 0, sent));
    const frames = video();
    assert.equal(track('video')?.dropped_frames, sent - frames.length);
    assert.ok(frames.length < sent - 5 * GROUP, `${sent - frames.length} dropped`);
    // Where frames are missing, the picture continues with a key frame.
    for (const [i, n] of frames.entries()) {
      if (i > 0 && n !== (frames[i - 1] ?? 0) + 1) assert.equal(n % GROUP, 0, `frame ${n} without what it refers to`);
    }
    // Dropped frames count as done for their sender.
    await senders.video.acked(BigInt(sent));
    assert.equal(live.status().state, 'degraded');
  });

  it('costs no frame if it is shorter than the limit', async () => {
    await start({ outOverload: 'drop_frames', outMaxLag: 6000 });
    connection.pause();
    for (let s = 0; s < 4; s++) await second();
    connection.resume();
    for (let s = 0; s < 3; s++) await second();
    await arrived(sent);
    assert.deepEqual(
      video(),
      Array.from({ length: sent }, (_, n) => n),
    );
    assert.equal(live.status().state, 'publishing');
  });
});
