/**
 * A slate in the place of media that is missing, as players get it: nginx's RTMP module makes HLS of the stream, and
 * ffmpeg plays it across both joints.
 */
import { after, before, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { basename, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Browser, hasBrowser } from '../support/programs/browser.js';
import { Folder } from '../support/process/cli.js';
import { ffmpeg, packetsOf, type Packet } from '../support/programs/ffmpeg.js';
import { FilmSenders, largestGap, playsWithoutComplaint } from '../support/kmp/film.js';
import { startNginx, type Nginx } from '../support/programs/nginx.js';
import { RunningService } from '../support/service/running-service.js';
import { until } from '../support/time/until.js';
import type { TrackStatus } from '../../lib/upstream/report/status.js';

describe('a slate, as HLS', { timeout: 180_000 }, () => {
  const folder = new Folder();
  const film = join(folder.path, 'film.flv');
  const slate = join(folder.path, 'slate.mp4');
  const records = join(folder.path, 'records');
  const senders = new FilmSenders(film);
  const services: RunningService[] = [];
  let nginx: Nginx;

  /** The same parameters for film and slate: `picture` is what they show. */
  const make = (picture: string, seconds: number, file: string): Promise<void> =>
    ffmpeg(
      ...['-f', 'lavfi', '-i', `${picture}=size=320x180:rate=25`, '-f', 'lavfi', '-i', 'sine=frequency=440'],
      ...['-t', String(seconds), '-c:v', 'libx264', '-preset', 'ultrafast', '-pix_fmt', 'yuv420p', '-g', '25'],
      ...['-c:a', 'aac', '-ar', '44100', '-ac', '1', file],
    );

  before(async () => {
    for (const name of ['hls', 'records']) mkdirSync(join(folder.path, name));
    await Promise.all([make('testsrc2', 30, film), make('smptebars', 2, slate)]);
    nginx = await startNginx({
      server: `application hls { live on; hls on; hls_path ${folder.path}/hls; hls_fragment 1s; hls_playlist_length 1h;
                                 hls_cleanup off; record all; record_path ${records}; record_unique on; }`,
    });
  });
  after(async () => {
    senders.kill();
    for (const service of services) await service.close();
    await nginx.stop();
    folder.remove();
  });

  for (const [name, directive] of [
    ['freeze', 'freeze'],
    ['file', slate],
  ] as const) {
    it(`${name} plays across both joints, without a second publish`, async () => {
      const media = `kmp_rtmp_out_answer_timeout 5s; kmp_rtmp_out_linger 30s; kmp_rtmp_out_slate_after 2s;
        kmp_rtmp_out_slate ${directive}; kmp_rtmp_out_notif_events publish_start input_back rtmp_close;`;
      const service = await RunningService.start({ media });
      services.push(service);
      const data = { upstream_id: name, url: `rtmp://127.0.0.1:${nginx.port}/hls/${name}` };
      /** Waits until both tracks have `count` more of something than now. */
      const more = async (counter: 'sent_frames' | 'slate_frames', count: number): Promise<void> => {
        const tracks = async (): Promise<TrackStatus[]> => {
          const upstream = await service.upstream(name);
          return Object.values(upstream?.streams ?? {}).flatMap((stream) => Object.values(stream.tracks));
        };
        const before = (await tracks()).map((track) => track[counter]);
        const all = (now: TrackStatus[]): boolean =>
          now.length === 2 && now.every((track, i) => track[counter] >= (before[i] ?? 0) + count);
        await until(`${count} more ${counter} of both tracks`, tracks, all);
      };
      const first = senders.send(0, service.kmpPort, data);
      assert.equal((await service.notified()).event_type, 'publish_start');
      await more('sent_frames', 120);
      first.kill('SIGKILL');
      await service.shows(name, ({ state }) => state === 'input_lost', 'the slate');
      // A frozen picture comes once a second, a film with 25 of them.
      await more('slate_frames', name === 'freeze' ? 4 : 100);
      const second = senders.send(12_000, service.kmpPort, data);
      assert.equal((await service.notified()).event_type, 'input_back');
      await more('sent_frames', 120);
      second.kill('SIGKILL');
      await service.request('DELETE', `/api/upstreams/${name}`);
      const types: string[] = [];
      while (types.at(-1) !== 'rtmp_close') types.push((await service.notified()).event_type);
      assert.deepEqual([...new Set(types)], ['input_back', 'rtmp_close'], 'no second publish');

      const playlist = await wholePlaylist(join(folder.path, 'hls'), name);
      await playsWithoutComplaint(playlist, 'warning');
      const packets = await packetsOf(playlist);
      for (const type of ['video', 'audio'] as const) {
        const times = packets.filter((packet) => packet.type === type).map(({ dts }) => dts);
        const back = times.flatMap((dts, i) => (i > 0 && dts <= (times[i - 1] ?? 0) ? [[times[i - 1], dts]] : []));
        assert.deepEqual(back, [], `${type} goes back`);
        assert.ok((times.at(-1) ?? 0) - (times[0] ?? 0) > 12_000, `${type} ends early`);
      }
      const gaps = { video: largestGap(packets, 'video'), audio: largestGap(packets, 'audio') };
      assert.ok(gaps.video <= 1100 && gaps.audio <= 50, `gaps of ${gaps.video} and ${gaps.audio} ms`);
      const recorded = readdirSync(records).filter((file) => file.startsWith(`${name}-`));
      assert.equal(recorded.length, 1, 'one publish, one recording');
      assertSlate(
        await packetsOf(join(records, recorded[0] ?? '')),
        await packetsOf(film),
        name === 'file' ? await packetsOf(slate) : undefined,
      );
      if (hasBrowser) assert.deepEqual(await played(join(folder.path, 'hls'), name), { error: '', complete: true });
    });
  }
});

/**
 * The slate was recorded, and the film behind it: frames are known by their bytes. A slate is all frames of `file`, or
 * else a frame of each kind that comes again and again.
 */
function assertSlate(recorded: readonly Packet[], film: readonly Packet[], file: readonly Packet[] | undefined): void {
  for (const type of ['video', 'audio'] as const) {
    const md5s = recorded.filter((packet) => packet.type === type).map(({ md5 }) => md5);
    const slate = new Set(file?.flatMap((packet) => (packet.type === type ? [packet.md5] : [])) ?? repeated(md5s));
    const missing = [...slate].filter((md5) => !md5s.includes(md5));
    assert.deepEqual([slate.size > 0, missing], [true, []], `${type} of the slate that was not recorded`);
    const filmed = new Set(film.map(({ md5 }) => md5));
    const after = md5s.slice(md5s.findLastIndex((md5) => slate.has(md5)) + 1).filter((md5) => filmed.has(md5));
    assert.ok(after.length >= 100, `${after.length} frames of ${type} of the film behind the slate`);
  }
}

/** The one that comes most often, if it comes at least four times. */
function repeated(md5s: readonly string[]): string[] {
  const count = new Map<string, number>();
  for (const md5 of md5s) count.set(md5, (count.get(md5) ?? 0) + 1);
  const [most] = [...count].sort(([, a], [, b]) => b - a);
  return most !== undefined && most[1] >= 4 ? [most[0]] : [];
}

const TYPES = { m3u8: 'application/vnd.apple.mpegurl', ts: 'video/mp2t' } as const;

/** The playlist of a stream that has ended. nginx does not end the list itself: players would wait for more. */
async function wholePlaylist(folder: string, name: string): Promise<string> {
  const read = (): string => readFileSync(join(folder, `${name}.m3u8`), 'utf8');
  let text = '';
  while (text !== (text = read())) await sleep(1500);
  const whole = join(folder, `${name}-whole.m3u8`);
  writeFileSync(whole, `${text}#EXT-X-ENDLIST\n`);
  return whole;
}

interface Played {
  /** Empty: none. */
  readonly error: string;
  readonly complete: boolean;
}

/** What a browser says that plays a stream from the beginning to its end, four times as fast. */
async function played(folder: string, name: string): Promise<Played> {
  const web = createServer((request, response) => {
    const file = basename(request.url ?? '');
    const type = file.endsWith('.m3u8') ? TYPES.m3u8 : file.endsWith('.ts') ? TYPES.ts : 'text/html';
    response.setHeader('Content-Type', type);
    if (type === 'text/html') response.end('<video muted></video>');
    else response.end(readFileSync(join(folder, file)));
  });
  web.listen(0, '127.0.0.1');
  await once(web, 'listening');
  const browser = await Browser.open();
  try {
    const page = await browser.context.newPage();
    await page.goto(`http://127.0.0.1:${(web.address() as AddressInfo).port}/`);
    return await page.evaluate<Played>(`new Promise((resolve) => {
      const video = document.querySelector('video');
      const done = (error) => resolve({ error, complete: video.currentTime > 12 });
      for (const type of ['ended', 'error']) video.addEventListener(type, () => done(video.error?.message ?? ''));
      // A player that shows nothing new for half a minute has stalled, on a busy machine, too.
      let last = -1;
      setInterval(() => {
        if (video.currentTime === last) done('stalled at ' + last + ' s');
        last = video.currentTime;
      }, 30_000);
      video.src = '/${name}-whole.m3u8';
      video.playbackRate = 4;
      video.play().catch(() => {});
    })`);
  } finally {
    await browser.close();
    web.close();
    web.closeAllConnections();
  }
}
