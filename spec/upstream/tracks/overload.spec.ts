import { afterEach, beforeEach, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import type { MediaSettings } from '../../../lib/config/settings.js';
import { eventually } from '../../support/time/eventually.js';
import { FakeClock } from '../../support/time/fake-clock.js';
import { mediaOf } from '../../support/ingest/ingest-media.js';
import { frameAt, KmpSender, videoMinf } from '../../support/kmp/kmp-sender.js';
import { Live, names } from '../../support/service/live.js';
import type { IngestConnection } from '../../support/ingest/scriptable-ingest.js';

const GROUP = 10;
const VIDEO_SIZE = 20_000;
const LIMIT = 2_000_000;

/** The frames that have arrived, by the names that stand ahead of their filling. */
const arrived = (connection: IngestConnection, kind: 'video' | 'audio'): string[] =>
  mediaOf(connection)
    .filter((message) => message.kind === kind)
    .map(({ text }) => text.split(' ', 1)[0] ?? '');

describe('a server that is slower than its senders', { timeout: 120_000 }, () => {
  const clock = new FakeClock();
  let live: Live;
  let video: KmpSender;
  let audio: KmpSender;
  let connection: IngestConnection;
  let sent: number;
  let most: number;

  async function start(settings: Partial<MediaSettings>): Promise<void> {
    live = await Live.start({ clock, settings: { inAck: 'frame', outMemLimit: LIMIT, ...settings } });
    ({ video, audio } = await live.both());
    await send(1);
    connection = await live.ingest.next();
    await connection.until(() => arrived(connection, 'video').length === GROUP);
  }

  /** So many groups of video, and the audio that belongs to them, all taken by the service. */
  async function send(groups: number): Promise<void> {
    for (let n = 0; n < groups * GROUP && (sent === 0 || live.upstream !== undefined); n++) {
      const name = (letter: string): string => `${letter}${sent} `;
      const options = { key: sent % GROUP === 0 };
      video.send(frameAt(sent * 40, Buffer.concat([Buffer.from(name('v')), Buffer.alloc(VIDEO_SIZE)]), options));
      audio.send(frameAt(sent * 40 + 10, Buffer.concat([Buffer.from(name('a')), Buffer.alloc(200)])));
      sent++;
      const taken = (kind: 'video' | 'audio'): boolean =>
        (live.upstream?.status().streams['s']?.tracks[kind]?.input?.received_frames ?? 0) >= sent;
      const over = (): boolean => sent > 1 && live.upstream === undefined;
      await eventually(() => over() || (taken('video') && taken('audio')), `frame ${sent}`);
      most = Math.max(most, live.upstream?.ledger.used ?? 0);
    }
  }

  const track = (kind: 'video' | 'audio') => live.status().streams['s']?.tracks[kind];
  const warnings = (): string[] =>
    live.service.log.of('warn').flatMap(({ message }) => (message.startsWith('overload') ? [message] : []));

  /** Group for group, how many of its frames have arrived, from its first one on. */
  function assertWholeGroups(): number[] {
    const groups = new Map<number, number>();
    for (const name of arrived(connection, 'video')) {
      const n = Number(name.slice(1));
      const group = Math.floor(n / GROUP);
      const before = groups.get(group) ?? 0;
      assert.equal(n % GROUP, before, `frame ${n} without what it refers to`);
      groups.set(group, before + 1);
    }
    return [...groups.values()];
  }

  beforeEach(() => {
    sent = 0;
    most = 0;
  });
  afterEach(() => live.close());

  it('loses groups of video but no audio, and stays within its memory, with kmp_rtmp_out_overload drop_frames', async () => {
    await start({ outOverload: 'drop_frames' });
    for (let i = 0; i < 2; i++) {
      connection.pause();
      await send(100);
      assert.ok((track('video')?.dropped_frames ?? 0) > 0);
      connection.resume();
      await eventually(() => track('video')?.pending_frames === 0, 'all to be sent');
      await send(2);
      await connection.until(() => arrived(connection, 'audio').length === sent);
      await connection.until(() => arrived(connection, 'video').at(-1) === `v${sent - 1}`);
    }
    assert.ok(most <= LIMIT, `${most} bytes`);
    assert.deepEqual(arrived(connection, 'audio'), names('a', 0, sent));
    const groups = assertWholeGroups();
    assert.ok(groups.length < sent / GROUP);
    // An episode is one line where it begins, and one where it ends. The kernel's buffers may make several of one: but
    // a quarter of the limit, from one mark to the other, has gone out between two of them.
    const episodes = warnings().length;
    const mostEpisodes = 2 + (arrived(connection, 'video').length * VIDEO_SIZE) / (LIMIT / 4);
    assert.ok(episodes >= 2 && episodes <= mostEpisodes, `${episodes} episodes`);
    const ends = live.service.log.of('info').filter(({ message }) => message.startsWith('the overload is over'));
    assert.equal(ends.length, episodes);
    // At most one group an episode was cut off where the memory was nearly full.
    assert.ok(groups.filter((frames) => frames < GROUP).length <= episodes, groups.join());
    assert.equal(track('video')?.dropped_frames, sent - arrived(connection, 'video').length);
    assert.equal(track('audio')?.dropped_frames, 0);
    assert.equal(live.status().state, 'publishing');
    // Frames that were left out count as done for their sender.
    clock.advance(1000);
    await video.acked(BigInt(sent));
    assert.ok(!video.isClosed && !audio.isClosed);
    await live.finish();
  });

  it('ends its upstream by default, with all its inputs', async () => {
    await start({});
    connection.pause();
    await send(100);
    const { reason } = await live.service.ended();
    assert.ok(['get_buf_failed', 'push_frame_failed', 'process_frame_failed'].includes(reason), reason);
    assert.match(live.service.log.text, /memory limit of 2000000 bytes/);
    assert.ok(most <= LIMIT, `${most} bytes`);
    await Promise.all([video.closed, audio.closed]);
  });

  it('does not get the rest of a dropped group, even if the sender was away meanwhile', async () => {
    await start({ outOverload: 'drop_frames' });
    connection.pause();
    await send(100.5);
    assert.ok((track('video')?.dropped_frames ?? 0) > 0);
    video.destroy();
    connection.resume();
    await eventually(() => track('video') === undefined, 'the end of the track');
    const data = { upstream_id: 'u1', url: live.url() };
    video = await KmpSender.open(live.service.port, data, { frameId: BigInt(sent) });
    live.senders.push(video);
    video.send(videoMinf());
    for (const end = sent + 15; sent < end; sent++) {
      const payload = Buffer.concat([Buffer.from(`v${sent} `), Buffer.alloc(VIDEO_SIZE)]);
      video.send(frameAt(sent * 40, payload, { key: sent % GROUP === 0 }));
    }
    await connection.until(() => arrived(connection, 'video').at(-1) === `v${sent - 1}`);
    assertWholeGroups();
  });

  it('gets all audio after its connection was opened again', async () => {
    await start({ outOverload: 'drop_frames', outReconnects: Infinity });
    await live.killServer();
    await live.state('reconnecting');
    await send(20);
    assert.ok((track('video')?.dropped_frames ?? 0) > 0);
    assert.ok(most <= LIMIT, `${most} bytes`);
    await live.startServer();
    clock.advance(1000);
    connection = await live.ingest.next();
    await connection.until(() => arrived(connection, 'audio').includes(`a${sent - 1}`));
    await eventually(() => track('video')?.pending_frames === 0, 'all to be sent');
    await send(2);
    await connection.until(() => arrived(connection, 'video').includes(`v${sent - 1}`));
    assert.deepEqual(arrived(connection, 'audio').slice(-22 * GROUP), names('a', GROUP, sent));
    assertWholeGroups();
    video.end();
    audio.end();
    await Promise.all([video.closed, audio.closed]);
    // For so long it may have to be written once more.
    clock.advance(1000);
    await live.finish();
  });
});
