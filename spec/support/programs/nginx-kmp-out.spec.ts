// The stand-in for nginx-kmp-out does what its source says; against a KMP server and a controller that only listen.
import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { eventually } from '../time/eventually.js';
import { FakeClock } from '../time/fake-clock.js';
import { httpTarget, reply, type HttpTarget } from '../network/http-target.js';
import { KmpPeer } from '../kmp/kmp-peer.js';
import { audioMinf, frameAt, videoMinf } from '../kmp/kmp-sender.js';
import { NginxKmpOut } from './nginx-kmp-out/nginx-kmp-out.js';

/** 2026-01-01 in units of 1/90000 s: the id of the first frame of each track. */
const FIRST = BigInt(Date.UTC(2026, 0, 1)) * 90n;

describe('the stand-in for nginx-kmp-out', () => {
  let clock: FakeClock;
  let peers: KmpPeer[];
  let controller: HttpTarget;
  let sender: NginxKmpOut;
  /** Fields of the upstreams in the answer to publish. */
  let fields: object;
  let destinations: number;

  beforeEach(async () => {
    clock = new FakeClock();
    peers = [await KmpPeer.listen(), await KmpPeer.listen()];
    const ports = peers.map(({ port }) => port);
    fields = {};
    destinations = 1;
    controller = await httpTarget((socket, { body }) => {
      const { event_type: event, id } = JSON.parse(body) as { event_type: string; id?: string };
      const upstreams = ports.map((port, n) => ({ id: `u${n}`, url: `kmp://127.0.0.1:${port}`, ...fields }));
      const answer =
        event === 'publish'
          ? { channel_id: 'c', track_id: 't', upstreams: upstreams.slice(0, destinations) }
          : { ...upstreams.find((one) => one.id === id) };
      reply(socket, 200, JSON.stringify({ code: 'ok', ...answer }), { 'Content-Type': 'application/json' });
    });
    sender = new NginxKmpOut({ controlUrl: controller.url, name: 'cam', clock });
  });
  afterEach(async () => {
    sender.destroy();
    await Promise.all([...peers.map((peer) => peer.close()), controller.close()]);
  });

  const events = (): string[] => sender.controller.requests.map((body) => String(body['event_type']));

  /** A group of `count` frames from frame `from` on, 40 ms each, key frame first. */
  function group(from: number, count: number): Buffer[] {
    return Array.from({ length: count }, (_, n) => frameAt((from + n) * 40, `f${from + n}`, { key: n === 0 }));
  }

  /** Video with the given frames, sent. */
  async function sending(...frames: Buffer[]): Promise<void> {
    sender.video.mediaInfo(videoMinf());
    sender.video.frame(...frames);
    await eventually(() => (peers[0]?.connections[0]?.packets.length ?? 0) > 0, 'the connect packet');
    clock.advance(1000);
    await eventually(() => (peers[0]?.connections[0]?.frames.length ?? 0) >= frames.length, 'the frames');
  }

  it('asks the controller with the fields of each track, and flushes each track by itself once a second', async () => {
    sender.video.mediaInfo(videoMinf());
    sender.video.frame(...group(0, 3));
    await eventually(() => sender.video.active, 'the answer');
    clock.advance(600);
    sender.audio.mediaInfo(audioMinf());
    sender.audio.frame(frameAt(0, 'a0'));
    const [publish] = sender.controller.requests;
    const { rtmp, media_info: info, ...rest } = publish as { rtmp: object; media_info: object };
    assert.deepEqual(rest, {
      ...{ event_type: 'publish', input_id: 'rtmp://ingest.example/live/cam/video', input_type: 'rtmp' },
    });
    assert.equal((rtmp as { name?: unknown }).name, 'cam');
    assert.deepEqual(info, {
      ...{ media_type: 'video', bitrate: 2_500_000, codec_id: 7, extra_data: Buffer.from('avcC').toString('hex') },
      ...{ width: 1280, height: 720, frame_rate: 30, cea_captions: false },
    });
    const [peer] = peers;
    await eventually(() => peer?.connections.length === 2, 'both connections');
    await eventually(() => peer?.connections.every(({ packets }) => packets.length === 1) === true, 'connect packets');
    clock.advance(399);
    assert.deepEqual(
      peer?.connections.map(({ frames }) => frames.length),
      [0, 0],
    );
    clock.advance(1);
    await eventually(() => peer?.connections[0]?.frames.length === 3, 'the video');
    assert.equal(peer?.connections[1]?.frames.length, 0);
    clock.advance(600);
    await eventually(() => peer?.connections[1]?.frames.length === 1, 'the audio');
    assert.deepEqual(
      peer?.connections.map(({ initialFrameId }) => initialFrameId),
      [FIRST, FIRST],
    );
    // Flags of the connect packet: the frames are consistent.
    assert.equal(peer?.connections[0]?.packets[0]?.header.readUInt32LE(100), 1);
  });

  it('does not wait for the second once a buffer is full', async () => {
    sender.video.mediaInfo(videoMinf());
    await eventually(() => peers[0]?.connections[0]?.packets.length === 1, 'the connect packet');
    sender.video.frame(frameAt(0, Buffer.alloc(40_000), { key: true }), frameAt(40, Buffer.alloc(40_000)));
    await eventually(() => peers[0]?.connections[0]?.frames.length === 1, 'the first frame, and a part of the second');
    clock.advance(1000);
    await eventually(() => peers[0]?.connections[0]?.frames.length === 2, 'the rest');
  });

  it('resumes at the frame after the last acknowledged one, in the middle of a group', async () => {
    await sending(...group(0, 25));
    const first = await peers[0]?.connection(0);
    first?.ack(FIRST + 7n);
    const upstream = sender.video.upstreams[0];
    await eventually(() => upstream?.ackedFrame === FIRST + 7n, 'the ack');
    first?.socket.destroy();
    // All was sent: nothing happens before there is something to send.
    await eventually(() => upstream?.state === 'idle', 'the end of the connection');
    clock.advance(5000);
    assert.deepEqual(events(), ['publish']);
    sender.video.frame(...group(25, 2));
    clock.advance(1000);
    const second = await peers[0]?.connection(1);
    await eventually(() => second?.frames.length === 20, 'the rest');
    assert.deepEqual(events(), ['publish', 'republish']);
    assert.equal(second?.initialFrameId, FIRST + 7n);
    assert.deepEqual(
      second.packets.slice(0, 3).map(({ type }) => type),
      ['cnct', 'minf', 'fram'],
    );
    assert.deepEqual([String(second.frames[0]), String(second.frames.at(-1))], ['f7', 'f26']);
    assert.equal(sender.controller.requests[1]?.['id'], 'u0');
  });

  /** Turns the clock whenever the second upstream waits, until it has ended; it may ask 16 times. */
  async function untilGivenUp(): Promise<void> {
    await eventually(() => sender.video.upstreams.length === 2, 'the answer to publish');
    const upstream = sender.video.upstreams[1];
    for (let attempt = 0; attempt < 16 && upstream?.state !== 'ended'; attempt++) {
      await eventually(() => upstream?.state === 'waiting' || upstream?.state === 'ended', `wait ${attempt}`);
      if (upstream?.state === 'waiting') clock.advance(1000);
    }
    assert.equal(upstream?.state, 'ended');
  }

  it('a destination that is gone is published 16 times, a second apart; then the encoder is disconnected', async () => {
    destinations = 2;
    const [, second] = peers;
    await second?.close();
    sender.video.mediaInfo(videoMinf());
    await untilGivenUp();
    assert.equal(await sender.disconnected, 'upstream_error');
    const times = events().filter((event) => event === 'republish').length;
    assert.equal(times, 16);
    // The other destination gets an end in order.
    const connection = await peers[0]?.connection(0);
    await connection?.saw('eost');
    connection?.socket.destroy();
    await sender.video.unpublished;
    assert.deepEqual(sender.controller.requests.at(-1), {
      ...{ event_type: 'unpublish', input_id: 'rtmp://ingest.example/live/cam/video', reason: 'upstream_error' },
      ...{ input_type: 'rtmp', rtmp: sender.controller.requests[0]?.['rtmp'] },
    });
  });

  it('goes on with the others if that destination is not required', async () => {
    destinations = 2;
    fields = { required: false };
    await peers[1]?.close();
    sender.video.mediaInfo(videoMinf());
    await untilGivenUp();
    assert.deepEqual(
      sender.video.upstreams.map(({ id }) => id),
      ['u0'],
    );
    assert.equal(sender.isDisconnected, false);
    sender.video.frame(...group(0, 2));
    clock.advance(1000);
    await eventually(() => peers[0]?.connections[0]?.frames.length === 2, 'the frames');
  });

  it('an ack of what was never sent ends the upstream without another try', async () => {
    await sending(...group(0, 3));
    (await peers[0]?.connection(0))?.ack(FIRST + 4n);
    assert.equal(await sender.disconnected, 'upstream_error');
    assert.ok(!events().includes('republish'));
  });

  it('forgets what is not acknowledged when its memory is full, down to half of it', async () => {
    sender = new NginxKmpOut({ controlUrl: controller.url, name: 'cam', clock, memoryLimit: 100_000 });
    await sending(...Array.from({ length: 9 }, (_, n) => frameAt(n * 40, Buffer.alloc(10_000), { key: n === 0 })));
    const [upstream] = sender.video.upstreams;
    assert.equal(upstream?.autoAcked, 0);
    sender.video.frame(frameAt(400, 'one more'));
    // 90 428 bytes are held: media info and four frames are 200 bytes too few.
    assert.equal(upstream?.autoAcked, 5);
    assert.equal(upstream.ackedFrame, FIRST + 5n);
  });
});
