import { afterEach, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import type { MediaSettings } from '../../../lib/config/settings.js';
import { FakeClock } from '../../support/time/fake-clock.js';
import { mediaOf, type MediaMessage } from '../../support/ingest/ingest-media.js';
import { frameAt, videoMinf } from '../../support/kmp/kmp-sender.js';
import { Live, names } from '../../support/service/live.js';
import type { IngestConnection } from '../../support/ingest/scriptable-ingest.js';

/** ms between two frames of a track, and frames of a group: two seconds. */
const STEP = 200;
const GROUP = 10;
const LIMIT = 2_000_000;

describe('an outage', { timeout: 120_000 }, () => {
  const clock = new FakeClock();
  let live: Live;
  let senders: Awaited<ReturnType<Live['both']>>;
  let sent = 0;
  let most = 0;

  async function start(settings: Partial<MediaSettings> = {}, size = 1000): Promise<IngestConnection> {
    live = await Live.start({
      clock,
      settings: {
        outReconnects: Infinity,
        outOverload: 'drop_frames',
        outMemLimit: LIMIT,
        inAck: 'on',
        outReconnectMaxInterval: 4000,
        ...settings,
      },
    });
    senders = await live.both();
    sent = most = 0;
    await send(4, size);
    const connection = await live.ingest.next();
    await connection.until(() => frames(connection, 'video').at(-1) === `v${sent - 1}`);
    clock.advance(1000);
    return connection;
  }

  /** So many seconds of media, in the time of the clock: `atOnce` seconds in one piece. */
  async function send(seconds: number, size = 1000, atOnce = 1): Promise<void> {
    const { video, audio } = senders;
    for (const end = sent + (seconds * 1000) / STEP; sent < end;) {
      for (const part = sent + (atOnce * 1000) / STEP; sent < part; sent++) {
        const ms = sent * STEP;
        const payload = Buffer.concat([Buffer.from(`v${sent} `), Buffer.alloc(size)]);
        video.send(frameAt(ms, payload, { key: sent % GROUP === 0 }));
        audio.send(frameAt(ms + 10, `a${sent} `));
      }
      await live.received('video', sent);
      await live.received('audio', sent);
      most = Math.max(most, live.upstream?.ledger.used ?? 0);
      clock.advance(atOnce * 1000);
    }
  }

  const media = (connection: IngestConnection, kind: MediaMessage['kind']): MediaMessage[] =>
    mediaOf(connection).filter((message) => message.kind === kind);
  const frames = (connection: IngestConnection, kind: 'video' | 'audio'): string[] =>
    media(connection, kind).map(({ text }) => text.split(' ', 1)[0] ?? '');
  const track = (kind: 'video' | 'audio') => live.status().streams['s']?.tracks[kind];

  async function serverIsBack(): Promise<IngestConnection> {
    await live.startServer();
    clock.advance(5_000);
    const connection = await live.ingest.next();
    await live.state('publishing');
    return connection;
  }

  afterEach(async () => {
    await live.close();
    clock.advance(120_000);
  });

  it('of an hour ends nothing: it continues live, with picture and sound from the same time', async () => {
    const first = await start();
    const before = media(first, 'video').at(-1)?.ms ?? 0;
    await live.killServer();
    await live.state('reconnecting');
    const begun = live.status().outage?.since;
    assert.ok(begun !== undefined);
    await send(3600, 1000, 10);
    assert.ok(!senders.video.isClosed && !senders.audio.isClosed);
    assert.ok(most < LIMIT, `${most} bytes`);
    const { outage, reconnects } = live.status();
    assert.equal(outage?.since, begun);
    assert.ok(
      (outage?.attempts ?? 0) > 20 && reconnects > 20,
      `${outage?.attempts} attempts, ${reconnects} reconnects`,
    );
    // What was dropped is done for its sender: it has little to keep.
    clock.advance(1000);
    await senders.video.acked(BigInt(sent - 12 * GROUP));
    await senders.audio.acked(BigInt(sent - 12 * GROUP));
    const queued = { video: track('video')?.pending_frames ?? 0, audio: track('audio')?.pending_frames ?? 0 };
    assert.ok(queued.video > 0 && queued.video <= 12 * GROUP, `${queued.video} frames of video wait`);
    assert.ok(queued.audio > 0 && queued.audio <= 12 * GROUP, `${queued.audio} frames of audio wait`);

    const second = await serverIsBack();
    await send(2);
    await second.until(() => frames(second, 'video').at(-1) === `v${sent - 1}`);
    await second.until(() => frames(second, 'audio').at(-1) === `a${sent - 1}`);
    const [video, audio] = [media(second, 'video'), media(second, 'audio')];
    const start0 = Number(frames(second, 'video')[0]?.slice(1));
    assert.equal(video[0]?.key, true);
    assert.deepEqual(frames(second, 'video'), names('v', start0, sent));
    assert.deepEqual(frames(second, 'audio'), names('a', start0, sent));
    assert.ok((video[0]?.ms ?? 0) > before);
    for (const list of [video, audio]) {
      for (const [i, { ms }] of list.entries()) assert.ok(i === 0 || ms > (list[i - 1]?.ms ?? 0), `time at ${i}`);
    }
    assert.equal((audio[0]?.ms ?? 0) - (video[0]?.ms ?? 0), 10);
    assert.equal(live.status().outage, null);
    assert.ok((track('video')?.dropped_frames ?? 0) >= 3500 * (1000 / STEP));
  });

  it('that is shorter than kmp_rtmp_out_max_lag costs no frame', async () => {
    await start({ outMaxLag: 40_000 });
    await live.killServer();
    await live.state('reconnecting');
    const last = sent;
    await send(12);
    await live.startServer();
    clock.advance(5_000);
    const second = await live.ingest.next();
    await second.until(() => frames(second, 'video').at(-1) === `v${sent - 1}`);
    const got = new Set(frames(second, 'video'));
    for (const name of names('v', last, sent)) assert.ok(got.has(name), name);
    assert.equal(track('video')?.dropped_frames, 0);
  });

  it('leaves what is too old out when the server is back, although nothing has arrived meanwhile', async () => {
    await start({ outMaxLag: 4000 });
    await live.killServer();
    await live.state('reconnecting');
    await send(4);
    clock.advance(15_000);
    const second = await serverIsBack();
    await send(2);
    await second.until(() => frames(second, 'video').at(-1) === `v${sent - 1}`);
    // The last key frame before the pause was far too old, but newer ones did not exist when the server was back.
    const start0 = Number(frames(second, 'video')[0]?.slice(1));
    assert.equal(start0 % GROUP, 0);
    assert.deepEqual(frames(second, 'video'), names('v', start0, sent));
    assert.deepEqual(frames(second, 'audio'), names('a', start0, sent));
  });

  for (const outMaxLag of [0, 60_000]) {
    it(`stays within the memory limit if the backlog is larger (kmp_rtmp_out_max_lag ${outMaxLag})`, async () => {
      await start({ outMaxLag, outMemLimit: 400_000 }, 4000);
      await live.killServer();
      await live.state('reconnecting');
      await send(180, 4000, 2);
      // A frame of which only a part has arrived counts, too.
      const large = frameAt(sent * STEP, Buffer.alloc(150_000));
      senders.video.send(large.subarray(0, 140_000));
      await send(0);
      clock.advance(1000);
      assert.ok(most <= 400_000, `${most} bytes`);
      assert.ok(!senders.video.isClosed && !senders.audio.isClosed);
      senders.video.send(large.subarray(140_000));
      await live.received('video', sent + 1);
      assert.equal(live.upstream?.ended, false);
      const second = await serverIsBack();
      sent = Math.ceil((sent + 1) / GROUP) * GROUP;
      senders.video.send(frameAt(sent * STEP, `v${sent} `, { key: true }));
      await second.until(() => frames(second, 'video').includes(`v${sent}`));
      assert.equal(live.status().state, 'publishing');
    });
  }

  it('may see hundreds of media infos', async () => {
    await start();
    await live.killServer();
    await live.state('reconnecting');
    for (let i = 0; i < 300; i++) {
      senders.video.send(videoMinf({ width: 640 + 2 * i }));
      await send(2, 1000, 2);
    }
    assert.ok(!senders.video.isClosed);
    const second = await serverIsBack();
    await second.until(() => frames(second, 'video').includes(`v${sent - 1}`));
  });
});
