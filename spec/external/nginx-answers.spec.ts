/** What Debian's nginx with its RTMP module says to a publisher, and how it is answered. */
import { after, afterEach, before, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { MediaSettings } from '../../lib/config/settings.js';
import { eventually } from '../support/time/eventually.js';
import { FakeClock } from '../support/time/fake-clock.js';
import { FlvParse, type FlvTag } from '../support/media/flv-parse.js';
import { audioMinf, frameAt, KmpSender, videoMinf } from '../support/kmp/kmp-sender.js';
import { startKmp, type KmpService, type KmpServiceOptions } from '../support/service/kmp-service.js';
import { AT_ONCE, audioFrames, names, videoFrames } from '../support/service/live.js';
import { startNginx, type Nginx } from '../support/programs/nginx.js';

/** avcC of a 160x90 stream: nginx looks into it. */
const avcC = Buffer.from('014d400affe10014674d400aeca0a3f5c044000003000400000300c83c489e6001000468ef31b2', 'hex');

function recording(path: string): FlvTag[] {
  const parse = new FlvParse();
  parse.push(readFileSync(path));
  return [...parse.tags];
}

const payloads = (tags: readonly FlvTag[]): string[] =>
  tags
    .filter(({ type, payload }) => type === 9 && payload[1] === 1)
    .map(({ payload }) => payload.toString('latin1', 5));

describe("nginx's RTMP module", { timeout: 90_000 }, () => {
  let nginx: Nginx;
  let service: KmpService;
  const senders: KmpSender[] = [];

  before(async () => {
    nginx = await startNginx({
      server: `
        ping 300ms;
        ping_timeout 300ms;
        ack_window 1000;
        chunk_size 1000;
      `,
    });
  });
  afterEach(async () => {
    for (const sender of senders.splice(0)) sender.destroy();
    await service.close();
  });
  after(() => nginx.stop());

  async function start(settings: Partial<MediaSettings> = {}, options: KmpServiceOptions = {}): Promise<void> {
    service = await startKmp({ ...AT_ONCE, outStreamId: 'negotiate', ...settings }, options);
  }

  async function send(id: string, url: string, ...packets: Buffer[]): Promise<KmpSender> {
    const sender = await KmpSender.open(service.port, { upstream_id: id, url });
    senders.push(sender);
    sender.send(...packets);
    return sender;
  }

  const url = (name: string, port = nginx.port): string => `rtmp://127.0.0.1:${port}/live/${name}`;

  it('has its pings answered: a publisher that has nothing to say stays', async () => {
    await start();
    const video = await send('u1', url('idle'), videoMinf({ extraData: avcC }), ...videoFrames(0, 5));
    const audio = await send('u1', url('idle'), audioMinf());
    const upstream = await service.upstream('u1');
    await eventually(() => upstream.status().last_status?.code === 'NetStream.Publish.Start', 'the start');
    const before = upstream.status();
    // Some five pings, each of which has to be answered within 300 ms.
    await sleep(2000);
    const now = upstream.status();
    assert.equal(now.state, 'publishing');
    assert.ok(now.received_bytes - before.received_bytes >= 3 * 18, 'pings came');
    assert.ok(now.sent_bytes - before.sent_bytes >= 3 * 18, 'and were answered');
    video.send(...videoFrames(5, 6));
    video.end();
    audio.end();
    assert.deepEqual(payloads(recording(await nginx.recorded('idle'))), names('v', 0, 6));
  });

  it('says BadName to the second publisher of a name, whose upstream ends with that', async () => {
    await start({ outWriteMetaTimeout: 0 });
    await send('first', url('twice'), audioMinf(), frameAt(0, 'a'));
    const first = await service.upstream('first');
    await eventually(() => first.status().last_status?.code === 'NetStream.Publish.Start', 'the start');
    await send('second', url('twice'), audioMinf(), frameAt(0, 'a'));
    const { reason, upstream } = await service.ended();
    assert.deepEqual([reason, upstream.id], ['publish_rejected', 'second']);
    assert.deepEqual(upstream.status().last_status, {
      level: 'error',
      code: 'NetStream.Publish.BadName',
      description: 'Already publishing',
    });
    assert.equal(first.status().state, 'publishing');
  });

  it('may be killed in the middle of a group, and come back', async () => {
    const clock = new FakeClock();
    await start({ outReconnects: Infinity }, { clock });
    const mortal = await startNginx();
    const where = url('reborn', mortal.port);
    const video = await send('u1', where, videoMinf({ extraData: avcC }), ...videoFrames(0, 8));
    const audio = await send('u1', where, audioMinf(), ...audioFrames(0, 8));
    const upstream = await service.upstream('u1');
    await eventually(() => upstream.status().streams['reborn']?.tracks.video?.sent_frames === 8, 'the frames');
    await mortal.kill();
    await eventually(() => upstream.state === 'reconnecting', 'the break');
    video.send(...videoFrames(8, 12));
    audio.send(...audioFrames(8, 12));
    const reborn = await startNginx({ port: mortal.port });
    clock.advance(1000);
    await eventually(() => upstream.state === 'publishing', 'the new connection');
    video.send(...videoFrames(12, 16));
    audio.send(...audioFrames(12, 16));
    await eventually(() => upstream.status().streams['reborn']?.tracks.video?.input?.received_frames === 16, 'all');
    assert.ok(!video.isClosed && !audio.isClosed);
    video.end();
    audio.end();
    await Promise.all([video.closed, audio.closed]);
    const written = ({ video, audio }: Partial<Record<'video' | 'audio', { sent_frames: number }>>): boolean =>
      video?.sent_frames === 16 && audio?.sent_frames === 16;
    await eventually(() => written(upstream.status().streams['reborn']?.tracks ?? {}), 'all to be written');
    await eventually(() => upstream.status().written_bytes === upstream.status().sent_bytes, 'the kernel to take all');
    // What nginx does not acknowledge might have to be sent again for so long.
    clock.advance(1000);
    const { reason } = await service.ended();
    assert.equal(reason, 'done');
    const tags = recording(await reborn.recorded('reborn'));
    assert.deepEqual(payloads(tags), names('v', 0, 16));
    await reborn.stop();
  });
});
