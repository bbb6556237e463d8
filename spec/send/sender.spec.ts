import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { planTracks } from '../../lib/send/plan.js';
import { Sender, type SendProgress, type SenderOptions } from '../../lib/send/sender.js';
import type { MediaSource } from '../../lib/source/source.js';
import { eventually } from '../support/time/eventually.js';
import { FakeClock } from '../support/time/fake-clock.js';
import { KmpPeer, type PeerConnection } from '../support/kmp/kmp-peer.js';
import { audioInfo, madeFrame, madeSource, videoInfo } from '../support/media/made-source.js';

const target = { upstreamId: 'u1', url: 'rtmp://host/app/key' };
const WALL = Date.UTC(2026, 0, 1);

describe('Sender', () => {
  let peer: KmpPeer;
  let clock: FakeClock;
  beforeEach(async () => {
    peer = await KmpPeer.listen();
    clock = new FakeClock(WALL);
  });
  afterEach(() => peer.close());

  const source = (): MediaSource =>
    madeSource([
      { info: videoInfo, frames: [0, 40, 80, 120].map((ms) => madeFrame('v', ms - 80, { ptsDelay: 7200 })) },
      { info: audioInfo, frames: [0, 50, 100].map((ms) => madeFrame('a', ms - 80)) },
    ]);

  function make(options: Partial<SenderOptions> = {}): Sender {
    const tracks = planTracks([source()], { target });
    return new Sender({ host: '127.0.0.1', port: peer.port, tracks, clock, ...options });
  }

  /** Acknowledges frames as they come, from the connection's first one. */
  function acknowledgeAll(): void {
    peer.onConnection = (connection) => {
      connection.socket.on('data', () => {
        if (connection.frames.length > 0) connection.ack(connection.initialFrameId + BigInt(connection.frames.length));
      });
    };
  }

  /** Turns the clock from one due time to the next, each time looking for the frames that are due by then. */
  async function playThrough(): Promise<void> {
    for (const [at, sum] of [
      [0, 2],
      [40, 3],
      [50, 4],
      [80, 5],
      [100, 6],
      [120, 7],
    ] as const) {
      clock.advance(at - clock.now());
      await eventually(() => frames() >= sum, `${sum} frames at ${at} ms`);
      if (sum < 7) await eventually(() => clock.untilNext <= 40, 'the wait for the next frame');
      assert.equal(frames(), sum);
    }
  }

  const frames = (): number => peer.connections.reduce((sum, connection) => sum + connection.frames.length, 0);
  const field = (connection: PeerConnection | undefined, read: (header: Buffer) => bigint | number): unknown[] =>
    (connection?.packets ?? []).filter(({ type }) => type === 'fram').map(({ header }) => Number(read(header)));

  it('sends each frame when it is due, and not before', async () => {
    acknowledgeAll();
    const running = make().run();
    await playThrough();
    const report = await running;
    assert.deepEqual([report.complete, report.stopped, report.frames, report.acked], [true, false, 7, 7]);
  });

  it('twice as fast takes half the time', async () => {
    acknowledgeAll();
    const running = make({ speed: 2 }).run();
    for (let at = 0; at < 60; at++) {
      await eventually(() => clock.untilNext <= 25, `a wait at ${at} ms`);
      clock.advance(1);
    }
    assert.equal((await running).complete, true);
  });

  it('created is the wall clock at the beginning, and the dts', async () => {
    acknowledgeAll();
    await make({ speed: Infinity }).run();
    const [video, audio] = peer.connections;
    assert.deepEqual(
      field(video, (header) => header.readBigInt64LE(24)),
      [0, 3600, 7200, 10800],
    );
    assert.deepEqual(
      field(audio, (header) => header.readBigInt64LE(16)),
      [0, 4500, 9000].map((dts) => WALL * 90 + dts),
    );
    assert.deepEqual(
      field(video, (header) => header.readInt32LE(36)),
      [7200, 7200, 7200, 7200],
    );
  });

  it('a dump goes out with its own created and dts, moved on in the second pass', async () => {
    acknowledgeAll();
    const dump = madeSource(
      [{ info: audioInfo, frames: [100, 150].map((ms) => madeFrame('a', ms, { created: 777_000 + ms * 90 })) }],
      { absolute: true },
    );
    await make({ tracks: planTracks([dump], { target }), speed: Infinity, passes: 2 }).run();
    const [connection] = peer.connections;
    const times = [100, 150, 200, 250].map((ms) => ms * 90);
    assert.deepEqual(
      field(connection, (header) => header.readBigInt64LE(24)),
      times,
    );
    assert.deepEqual(
      field(connection, (header) => header.readBigInt64LE(16)),
      times.map((dts) => 777_000 + dts),
    );
  });

  it('tells how far it is', async () => {
    acknowledgeAll();
    const told: SendProgress[] = [];
    const running = make({ onProgress: (progress) => told.push(progress), progressEvery: 60 }).run();
    await playThrough();
    await running;
    assert.deepEqual(
      told.slice(0, 2).map(({ elapsed, media, frames: sent }) => [elapsed, media, sent]),
      [
        [60, 50, 4],
        [120, 100, 6],
      ],
    );
    assert.ok((told[0]?.bytes ?? 0) > 4 * 40);
  });

  it('an endless loop ends in order when it is stopped', async () => {
    acknowledgeAll();
    const stop = new AbortController();
    const running = make({ passes: Infinity }).run(stop.signal);
    for (let at = 0; at < 500; at += 10) {
      await eventually(() => clock.untilNext <= 50, `a wait at ${at} ms`);
      clock.advance(10);
    }
    stop.abort();
    const report = await running;
    assert.deepEqual([report.stopped, report.complete], [true, true]);
    assert.ok(report.frames > 20 && report.frames < 30, `${report.frames}`);
    const [video] = peer.connections;
    await video?.saw('eost');
    const dts = field(video, (header) => header.readBigInt64LE(24));
    // A pass lasts 160 ms: the last picture its 40.
    assert.deepEqual(
      dts.slice(0, 8),
      [0, 40, 80, 120, 160, 200, 240, 280].map((ms) => ms * 90),
    );
  });

  it('told to stop while the server is away, it ends within five seconds, incomplete', async () => {
    const stop = new AbortController();
    const running = make({ passes: Infinity }).run(stop.signal);
    await eventually(() => frames() === 2, 'the first frames');
    for (const { socket } of peer.connections) socket.destroy();
    peer.onConnection = ({ socket }) => socket.destroy();
    stop.abort();
    let ended = false;
    void running.then(() => (ended = true));
    for (let waited = 0; waited < 5000 && !ended; waited += 50) {
      clock.advance(50);
      await new Promise((resolve) => setImmediate(resolve));
    }
    const report = await running;
    assert.deepEqual([report.stopped, report.complete], [true, false]);
  });

  it('fails as a whole if one track cannot be sent, and leaves no connection open', async () => {
    peer.onConnection = (connection) => {
      if (peer.connections.length === 2) connection.socket.on('data', () => connection.socket.destroy());
    };
    const failed = assert.rejects(make({ client: { reconnect: false } }).run(), { code: 'send_closed' });
    await eventually(() => peer.connections[1]?.closed === true, 'the cut');
    for (let at = 0; at < 120; at += 10) clock.advance(10);
    await failed;
    await eventually(() => peer.connections.every(({ closed }) => closed), 'the end of all connections');
  });
});
