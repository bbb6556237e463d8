/** What real servers acknowledge, once they are asked to; and what is written to them again. */
import { after, before, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { UpstreamStatus } from '../../lib/upstream/report/status.js';
import { Folder, kmpRtmp } from '../support/process/cli.js';
import { eventually } from '../support/time/eventually.js';
import { FakeClock } from '../support/time/fake-clock.js';
import { ffmpeg, packetsOf, type Packet } from '../support/programs/ffmpeg.js';
import { FlvParse } from '../support/media/flv-parse.js';
import { freePort } from '../support/network/free-port.js';
import { audioMinf, frameAt, KmpSender, videoMinf } from '../support/kmp/kmp-sender.js';
import { startKmp } from '../support/service/kmp-service.js';
import { listening } from '../support/network/listening.js';
import { AT_ONCE, names } from '../support/service/live.js';
import { startNginx } from '../support/programs/nginx.js';
import { reap } from '../support/process/reaper.js';

/** avcC of a 160x90 stream: nginx looks into it. */
const avcC = Buffer.from('014d400affe10014674d400aeca0a3f5c044000003000400000300c83c489e6001000468ef31b2', 'hex');

/** The smallest window that is asked for. */
const WINDOW = 16 * 1024;

/** All but a window, and what one read may hold beyond it. */
const nearlyAll = ({ sent_bytes, acked_bytes }: UpstreamStatus): boolean =>
  acked_bytes > sent_bytes - WINDOW - 8 * 1024 && acked_bytes <= sent_bytes;

describe('Acknowledgements', { timeout: 90_000 }, () => {
  const folder = new Folder();
  const film = join(folder.path, 'film.flv');

  before(() =>
    ffmpeg(
      ...['-f', 'lavfi', '-i', 'testsrc2=size=320x240:rate=25', '-f', 'lavfi', '-i', 'sine=frequency=440'],
      ...['-t', '8', '-c:v', 'libx264', '-preset', 'veryfast', '-pix_fmt', 'yuv420p', '-g', '25', '-c:a', 'aac', film],
    ),
  );
  after(() => folder.remove());

  it("of nginx's RTMP module: one that is killed and returns gets the last group again, with its sound", async () => {
    const clock = new FakeClock();
    const service = await startKmp({ ...AT_ONCE, outStreamId: 'negotiate', outReconnects: Infinity }, { clock });
    const mortal = await startNginx();
    const url = `rtmp://127.0.0.1:${mortal.port}/live/s`;
    const open = (): Promise<KmpSender> => KmpSender.open(service.port, { upstream_id: 'u1', url });
    const [video, audio] = [await open(), await open()];
    video.send(videoMinf({ extraData: avcC, bitrate: 300_000 }));
    audio.send(audioMinf({ bitrate: 64_000 }));
    const send = (from: number, to: number): void => {
      for (let n = from; n < to; n++) {
        video.send(frameAt(n * 40, `v${n}`.padEnd(8000), { key: n % 5 === 0 }));
        audio.send(frameAt(n * 40 + 10, `a${n}`.padEnd(800)));
      }
    };
    const upstream = await service.upstream('u1');
    const sent = (frames: number): Promise<void> =>
      eventually(() => {
        const { video, audio } = upstream.status().streams['s']?.tracks ?? {};
        return video?.sent_frames === frames && audio?.sent_frames === frames;
      }, `${frames} frames`);
    send(0, 13);
    await sent(13);
    await eventually(() => nearlyAll(upstream.status()), 'the acknowledgements');
    await mortal.kill();
    await eventually(() => upstream.state === 'reconnecting', 'the break');
    const reborn = await startNginx({ port: mortal.port });
    clock.advance(1000);
    await eventually(() => upstream.state === 'publishing', 'the new connection');
    send(13, 16);
    await sent(16);
    video.end();
    audio.end();
    await Promise.all([video.closed, audio.closed]);
    // The last window is not acknowledged: it might have to be sent again for so long.
    clock.advance(1000);
    const { reason } = await service.ended();
    assert.equal(reason, 'done');
    const parse = new FlvParse();
    parse.push(readFileSync(await reborn.recorded('s')));
    const texts = (type: number, head: number): string[] =>
      parse.tags
        .filter((tag) => tag.type === type && tag.payload[1] === 1)
        .map(({ payload }) => payload.toString('latin1', head).trim());
    assert.deepEqual(texts(9, 5), names('v', 10, 16));
    // From the time of the first resent picture on; acknowledged sound before it is not resent.
    assert.deepEqual(texts(8, 2), names('a', 10, 16));
    await service.close();
    await reborn.stop();
  });

  it('of FFmpeg as a server, which takes every packet', async () => {
    const service = await startKmp({ outReconnects: 5 });
    const [port, out] = [await freePort(), join(folder.path, 'taken.flv')];
    const url = `rtmp://127.0.0.1:${port}/live/s`;
    const args = ['-v', 'warning', '-nostdin', '-y', '-listen', '1', '-i', url, '-c', 'copy', out];
    const server = reap(spawn('ffmpeg', args, { stdio: ['ignore', 'ignore', 'pipe'] }));
    let complaints = '';
    server.stderr.on('data', (text: Buffer) => (complaints += String(text)));
    const closed = once(server, 'close');
    await listening(port);
    const sending = kmpRtmp(['send', film, '--to', `127.0.0.1:${service.port}`, '--upstream-id', 'u', '--url', url]);
    const upstream = await service.upstream('u');
    const { code, stderr } = await sending;
    assert.equal(code, 0, stderr);
    await closed;
    const { acked_bytes, sent_bytes } = upstream.status();
    assert.ok(acked_bytes > sent_bytes / 2 && acked_bytes <= sent_bytes, `${acked_bytes} of ${sent_bytes}`);
    const text = ({ type, size, md5 }: Packet): string => `${type} ${size} ${md5}`;
    const [wanted, taken] = [await packetsOf(film), await packetsOf(out)];
    assert.deepEqual(taken.map(text).sort(), wanted.map(text).sort(), complaints);
    await service.close();
  });
});
