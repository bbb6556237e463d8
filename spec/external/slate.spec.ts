/**
 * A slate in the place of media that is missing, as players get it: nginx's RTMP module makes HLS of the stream, and
 * ffmpeg plays it across both joints.
 */
import { after, before, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { basename, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Browser, hasBrowser } from '../support/browser.js';
import { startChild, type Child } from '../support/child.js';
import { Folder } from '../support/cli.js';
import { ffmpeg, packetsOf } from '../support/ffmpeg.js';
import { startNginx, type Nginx } from '../support/nginx.js';
import { RunningService } from '../support/running-service.js';

const SENDER = fileURLToPath(new URL('../support/paced-sender.js', import.meta.url));

describe('a slate, as HLS', { timeout: 180_000 }, () => {
  const folder = new Folder();
  const film = join(folder.path, 'film.flv');
  const slate = join(folder.path, 'slate.mp4');
  const senders: Child[] = [];
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
    mkdirSync(join(folder.path, 'hls'));
    await Promise.all([make('testsrc2', 30, film), make('smptebars', 2, slate)]);
    nginx = await startNginx({
      server: `application hls { live on; hls on; hls_path ${folder.path}/hls; hls_fragment 1s; hls_playlist_length 1h;
                                 hls_cleanup off; }`,
    });
  });
  after(async () => {
    for (const sender of senders) sender.kill('SIGKILL');
    for (const service of services) await service.close();
    await nginx.stop();
    folder.remove();
  });

  for (const [name, directive] of [
    ['freeze', 'freeze'],
    ['file', slate],
  ] as const) {
    it(`${name} plays across both joints, without a second publish`, async () => {
      const media = `kmp_rtmp_out_answer_timeout 5s; kmp_rtmp_out_linger 30s; kmp_rtmp_out_slate_after 500ms;
        kmp_rtmp_out_slate ${directive}; kmp_rtmp_out_notif_events publish_start input_back rtmp_close;`;
      const service = await RunningService.start({ media });
      services.push(service);
      const data = JSON.stringify({ upstream_id: name, url: `rtmp://127.0.0.1:${nginx.port}/hls/${name}` });
      const send = (start: number): Child => {
        const sender = startChild([SENDER, film, String(start), String(service.kmpPort), data]);
        senders.push(sender);
        return sender;
      };
      const first = send(0);
      assert.equal((await service.notified()).event_type, 'publish_start');
      await sleep(5000);
      first.kill('SIGKILL');
      await service.shows(name, ({ state }) => state === 'input_lost', 'the slate');
      await sleep(5000);
      const second = send(12_000);
      assert.equal((await service.notified()).event_type, 'input_back');
      await sleep(5000);
      second.kill('SIGKILL');
      await service.request('DELETE', `/api/upstreams/${name}`);
      const types = [await service.notified(), await service.notified()].map(({ event_type: type }) => type);
      assert.deepEqual(types, ['input_back', 'rtmp_close']);

      const playlist = await wholePlaylist(join(folder.path, 'hls'), name);
      const args = ['-v', 'warning', '-nostdin', '-i', playlist, '-f', 'null', '-'];
      const { stderr } = await promisify(execFile)('ffmpeg', args);
      assert.equal(stderr, '');
      const packets = await packetsOf(playlist);
      for (const type of ['video', 'audio']) {
        const times = packets.filter((packet) => packet.type === type).map(({ dts }) => dts);
        assert.ok(
          times.every((dts, i) => i === 0 || dts > (times[i - 1] ?? 0)),
          `${type} goes back`,
        );
        assert.ok((times.at(-1) ?? 0) - (times[0] ?? 0) > 12_000, `${type} ends early`);
      }
      if (hasBrowser) assert.deepEqual(await played(join(folder.path, 'hls'), name), { error: '', complete: true });
    });
  }
});

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
      const done = () => resolve({ error: video.error?.message ?? '', complete: video.currentTime > 12 });
      for (const type of ['ended', 'error']) video.addEventListener(type, done);
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
