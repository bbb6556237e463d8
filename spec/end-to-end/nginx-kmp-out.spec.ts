// What nginx with nginx-kmp-out does meets the whole service: the controller's route, KMP, the RTMP server.
import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import { parseConfig } from '../../lib/config/load.js';
import { Service } from '../../lib/service.js';
import { eventually } from '../support/time/eventually.js';
import { FakeClock } from '../support/time/fake-clock.js';
import { freePort } from '../support/network/free-port.js';
import { framesOf } from '../support/ingest/ingest-media.js';
import { audioMinf, frameAt, videoMinf } from '../support/kmp/kmp-sender.js';
import { NginxKmpOut } from '../support/programs/nginx-kmp-out/nginx-kmp-out.js';
import { ScriptableIngest, type IngestConnection } from '../support/ingest/scriptable-ingest.js';

const GROUP = 10;

let closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.reverse()) await close();
  closing = [];
});

async function startService(ingest: ScriptableIngest, kmp: number, http: number, media = ''): Promise<Service> {
  const service = new Service(
    parseConfig(`
      stream { server { listen 127.0.0.1:${kmp}; kmp_rtmp; kmp_rtmp_out_min_process_delay 20ms; ${media} } }
      http { server { listen 127.0.0.1:${http}; location /control {
        kmp_rtmp_control; kmp_rtmp_route ^cam$ rtmp://127.0.0.1:${ingest.port}/live/camera; } } }`),
  );
  await service.start();
  closing.push(() => service.kill());
  return service;
}

/** The frames of one kind that came in, by their payloads. */
function frames(connection: IngestConnection, name: 'v' | 'a'): string[] {
  return framesOf(connection).filter((text) => text.startsWith(name));
}

const numbered = (name: string, from: number, to: number): string[] =>
  Array.from({ length: to - from }, (_, n) => `${name}${from + n}`);

describe('nginx-kmp-out at the service', () => {
  /** Sends video and audio frames by number, 40 ms each, and flushes both tracks. */
  function play(sender: NginxKmpOut, clock: FakeClock, from: number, to: number): void {
    for (let n = from; n < to; n++) {
      sender.video.frame(frameAt(n * 40, `v${n}`, { key: n % GROUP === 0 }));
      sender.audio.frame(frameAt(n * 40, `a${n}`));
    }
    clock.advance(1000);
  }

  async function start(media = ''): Promise<{
    ingest: ScriptableIngest;
    service: Service;
    sender: NginxKmpOut;
    clock: FakeClock;
  }> {
    const ingest = await ScriptableIngest.start({ answers: true });
    closing.push(() => ingest.close());
    const service = await startService(ingest, await freePort(), await freePort(), media);
    const clock = new FakeClock();
    const controlUrl = `http://127.0.0.1:${service.httpAddresses[0]?.port}/control`;
    const sender = new NginxKmpOut({ controlUrl, name: 'cam', clock });
    closing.push(() => sender.destroy());
    sender.video.mediaInfo(videoMinf());
    sender.audio.mediaInfo(audioMinf());
    await eventually(() => sender.video.active && sender.audio.active, 'the answers to publish');
    return { ingest, service, sender, clock };
  }

  it('gets the address to publish to, is acknowledged, and unpublishes at the end', async () => {
    const { ingest, sender, clock } = await start();
    play(sender, clock, 0, 25);
    const connection = await ingest.next();
    await eventually(() => frames(connection, 'v').length === 25 && frames(connection, 'a').length === 25, 'all');
    assert.deepEqual(frames(connection, 'v'), numbered('v', 0, 25));
    assert.deepEqual(frames(connection, 'a'), numbered('a', 0, 25));
    assert.equal(connection.commands('publish')[0]?.[3], 'camera');
    const [audio] = sender.audio.upstreams;
    await eventually(() => (audio?.ackedFrame ?? 0n) > sender.audio.ids.firstFrame, 'an ack');

    await sender.end();
    await connection.closed;
    assert.deepEqual(
      sender.controller.requests.map(({ event_type: event, reason }) => [event, reason]),
      [
        ...['publish', 'publish'].map((event) => [event, undefined]),
        ...['unpublish', 'unpublish'].map((event) => [event, 'rtmp_close']),
      ],
    );
    assert.equal(sender.isDisconnected, false);
  });

  it('forwards signed connect data as the controller gives it, and gets in again after a break', async () => {
    const secret = 'kmp_rtmp_in_secret controller 5b1d0e6f7a8c9d2e3f405162738495a6;';
    const { ingest, sender, clock, service } = await start(secret);
    play(sender, clock, 0, 25);
    const connection = await ingest.next();
    await eventually(() => frames(connection, 'v').length === 25, 'all');
    const [upstream] = (await service.management.upstreamIds()).ids;
    await service.management.dropUpstream(upstream ?? '');
    await connection.closed;
    play(sender, clock, 25, 35);
    const again = await ingest.next();
    await eventually(() => frames(again, 'v').includes('v34'), 'the frames after the break');
    assert.ok(sender.controller.requests.some(({ event_type: event }) => event === 'republish'));
  });

  it('resumes at a service that was started again, behind the last acknowledged frame', async () => {
    const { ingest, service, sender, clock } = await start();
    play(sender, clock, 0, 25);
    const before = await ingest.next();
    const upstreams = [sender.video.upstreams[0], sender.audio.upstreams[0]];
    const firsts = [sender.video.ids.firstFrame, sender.audio.ids.firstFrame];
    await eventually(() => upstreams.every((one, n) => (one?.ackedFrame ?? 0n) > (firsts[n] ?? 0n)), 'acks');
    const ports = [service.kmpAddresses[0]?.port ?? 0, service.httpAddresses[0]?.port ?? 0] as const;
    service.kill();
    await before.closed;
    await eventually(() => upstreams.every((one) => one?.state === 'idle'), 'the end of the connections');
    const acked = upstreams.map((one) => one?.ackedFrame);
    await startService(ingest, ...ports);

    play(sender, clock, 25, 60);
    const after = await ingest.next();
    await eventually(() => frames(after, 'v').at(-1) === 'v59' && frames(after, 'a').at(-1) === 'a59', 'the rest');
    assert.deepEqual(
      upstreams.map((one) => one?.resumedAt[1]),
      acked,
    );
    // The service begins with a key frame, whatever frame the sender resumed at.
    const [begin = ''] = frames(after, 'v');
    assert.equal(Number(begin.slice(1)) % GROUP, 0, begin);
    assert.deepEqual(frames(after, 'v').slice(-30), numbered('v', 30, 60));
    assert.equal(sender.isDisconnected, false);
  });
});
