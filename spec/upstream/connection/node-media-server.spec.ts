import { after, afterEach, before, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import type { MediaSettings } from '../../../lib/config/settings.js';
import { eventually } from '../../support/time/eventually.js';
import { FakeClock } from '../../support/time/fake-clock.js';
import type { FlvTag } from '../../support/media/flv-parse.js';
import { audioMinf, frameAt, KmpSender, videoMinf } from '../../support/kmp/kmp-sender.js';
import { startKmp, type KmpService, type KmpServiceOptions } from '../../support/service/kmp-service.js';
import { AT_ONCE, audioFrames, names, videoFrames } from '../../support/service/live.js';
import { startNodeMediaServer, type NodeMediaServer } from '../../support/programs/node-media-server.js';
import { caFile } from '../../support/network/tls-fixture.js';

const tls = { key: 'spec/fixtures/tls/server.key', cert: 'spec/fixtures/tls/server.pem' };

/** The frames of video, by their payloads; sequence headers aside. */
const shown = (tags: readonly FlvTag[]): FlvTag[] => tags.filter(({ type, payload }) => type === 9 && payload[1] === 1);
const payloads = (tags: readonly FlvTag[]): string[] => shown(tags).map(({ payload }) => payload.toString('latin1', 5));

describe('node-media-server', { timeout: 90_000 }, () => {
  let server: NodeMediaServer;
  let service: KmpService;
  const senders: KmpSender[] = [];

  before(async () => {
    server = await startNodeMediaServer(tls);
  });
  afterEach(async () => {
    for (const sender of senders.splice(0)) sender.destroy();
    await service.close();
  });
  after(() => server.stop());

  async function start(settings: Partial<MediaSettings> = {}, options: KmpServiceOptions = {}): Promise<void> {
    service = await startKmp({ ...AT_ONCE, outStreamId: 'negotiate', ...settings }, options);
  }

  async function send(url: string, ...packets: Buffer[]): Promise<KmpSender> {
    const sender = await KmpSender.open(service.port, { upstream_id: url, url });
    senders.push(sender);
    sender.send(...packets);
    return sender;
  }

  it('is published to over TLS, its certificate verified', async () => {
    await start({ outSslTrustedCertificate: caFile });
    const playback = await server.play('app', 'secure');
    const url = `rtmps://localhost:${server.ports.rtmps}/app/secure`;
    await send(url, videoMinf(), ...videoFrames(0, 10));
    await send(url, audioMinf(), ...audioFrames(0, 10));
    await playback.until((tags) => payloads(tags).length === 10);
    playback.stop();
    assert.deepEqual(payloads(playback.tags), names('v', 0, 10));
  });

  it('is not published to if its certificate is not trusted', async () => {
    await start();
    await send(`rtmps://localhost:${server.ports.rtmps}/app/unverified`, videoMinf());
    const { reason } = await service.ended();
    assert.equal(reason, 'handshake_failed');
  });

  it('closes the connection of a second publisher of a name, and only that upstream ends', async () => {
    await start({ outWriteMetaTimeout: 0 });
    const url = `rtmp://127.0.0.1:${server.ports.rtmp}/app/twice`;
    const playback = await server.play('app', 'twice');
    const first = await send(url, audioMinf(), frameAt(0, 'first'));
    await playback.until((tags) => tags.some(({ payload }) => payload.includes('first')));
    const again = await KmpSender.open(service.port, { upstream_id: 'again', url });
    senders.push(again);
    again.send(audioMinf(), frameAt(0, 'again'));
    const { reason, upstream } = await service.ended();
    assert.deepEqual([reason, upstream.id], ['recv_failed', 'again']);
    await again.closed;
    first.send(frameAt(20, 'second'));
    await playback.until((tags) => tags.some(({ payload }) => payload.includes('second')));
    playback.stop();
  });

  it('may be killed in the middle of a group, and return', async () => {
    const clock = new FakeClock();
    await start({ outReconnects: Infinity }, { clock });
    const mortal = await startNodeMediaServer();
    const { rtmp } = mortal.ports;
    const url = `rtmp://127.0.0.1:${rtmp}/app/reborn`;
    const before = await mortal.play('app', 'reborn');
    const video = await send(url, videoMinf(), ...videoFrames(0, 8));
    const audio = await send(url, audioMinf(), ...audioFrames(0, 8));
    await before.until((tags) => payloads(tags).length === 8);
    const upstream = await service.upstream(url);
    await mortal.kill();
    await eventually(() => upstream.state === 'reconnecting', 'the break');
    video.send(...videoFrames(8, 12));
    audio.send(...audioFrames(8, 12));
    const reborn = await startNodeMediaServer(undefined, rtmp);
    const playback = await reborn.play('app', 'reborn');
    clock.advance(1000);
    await eventually(() => upstream.state === 'publishing', 'the new connection');
    video.send(...videoFrames(12, 16));
    audio.send(...audioFrames(12, 16));
    await playback.until((tags) => payloads(tags).includes('v15'));
    playback.stop();
    // All of it is younger than kmp_rtmp_out_resend says: nothing is missing, and it begins with a key frame.
    assert.deepEqual(payloads(playback.tags), names('v', 0, 16));
    assert.deepEqual(
      shown(playback.tags).map(({ timestamp }) => timestamp),
      Array.from({ length: 16 }, (_, i) => i * 40),
    );
    assert.ok(!video.isClosed && !audio.isClosed);
    await reborn.stop();
  });
});
