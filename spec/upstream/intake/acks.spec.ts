import { afterEach, beforeEach, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import type { TurnClock } from '../../../lib/time/turn-clock.js';
import { systemClock } from '../../../lib/time/clock.js';
import type { MediaSettings } from '../../../lib/config/settings.js';
import { AckSender } from '../../../lib/upstream/intake/ack-sender.js';
import { testInternals } from '../../../lib/node-internals/self-test.js';
import { readInTurns } from '../../../lib/node-internals/socket-turn-reader.js';
import { eventually } from '../../support/time/eventually.js';
import { internalsOff } from '../../support/node/internals-off.js';
import { FakeClock } from '../../support/time/fake-clock.js';
import { audioMinf, frameAt, KmpSender, videoMinf } from '../../support/kmp/kmp-sender.js';
import { turns } from '../../support/time/turns.js';
import { startKmp, type KmpService } from '../../support/service/kmp-service.js';
import { ScriptableIngest } from '../../support/ingest/scriptable-ingest.js';

describe('acks', { timeout: 90_000 }, () => {
  let ingest: ScriptableIngest;
  let service: KmpService;
  let clock: FakeClock;
  let sender: KmpSender;

  async function start(settings: Partial<MediaSettings>, frameId = 0n): Promise<void> {
    service = await startKmp(
      { inAck: 'frame', outWriteMetaTimeout: 0, outFlushTimeout: 0, outOnfiPeriod: 0, ...settings },
      { clock },
    );
    const data = { upstream_id: 'u1', url: `rtmp://127.0.0.1:${ingest.port}/app/s` };
    sender = await KmpSender.open(service.port, data, { frameId });
  }
  const input = () => service.registry.get('u1')?.status().streams['s']?.tracks;
  const received = (frames: number): Promise<void> =>
    eventually(() => {
      const { video, audio } = input() ?? {};
      return (video ?? audio)?.input?.received_frames === frames;
    }, `${frames} frames`);

  beforeEach(async () => {
    clock = new FakeClock();
    ingest = await ScriptableIngest.start({ answers: true });
  });
  afterEach(async () => {
    sender.destroy();
    await service.close();
    await ingest.close();
  });

  it('contain the next expected frame, once the kernel has taken those before it', async () => {
    await start({}, 1000n);
    sender.send(audioMinf(), frameAt(0, 'a'), frameAt(1, 'b'));
    await received(2);
    await turns();
    assert.deepEqual(sender.acks, []);
    clock.advance(500);
    await sender.acked(1002n);
    assert.deepEqual(sender.acks, [1002n]);
  });

  it('cover skipped frames: without media info, empty, without a key frame', async () => {
    await start({});
    sender.send(frameAt(0, 'early'), frameAt(1, 'early'), videoMinf());
    sender.send(frameAt(2, ''), frameAt(3, 'no key'), frameAt(4, 'no key'));
    await eventually(() => input()?.video?.input?.skipped_frames.no_key === 2, 'skipped frames');
    clock.advance(100);
    await sender.acked(5n);
  });

  it('do not cover skipped frames behind one that waits', async () => {
    await start({});
    sender.send(videoMinf(), frameAt(0, 'a', { key: true }), frameAt(1, ''), frameAt(2, ''));
    await eventually(() => input()?.video?.input?.skipped_frames.empty === 2, 'skipped frames');
    clock.advance(400);
    await turns();
    assert.deepEqual(sender.acks, []);
    clock.advance(200);
    await sender.acked(3n);
    assert.deepEqual(sender.acks, [3n]);
  });

  it('are sent once per flush, the newest only', async () => {
    await start({ outMinProcessDelay: 0, outFlushTimeout: 500 });
    sender.send(audioMinf());
    await eventually(() => input()?.audio !== undefined, 'the track');
    for (let i = 0; i < 20; i++) {
      sender.send(frameAt(i, `f${i}`));
      await received(i + 1);
      clock.advance(50);
    }
    clock.advance(500);
    await sender.acked(20n);
    // 1500 ms have passed: one each 500 ms.
    assert.ok(sender.acks.length <= 3, String(sender.acks));
  });

  it('are not sent with kmp_rtmp_in_ack off', async () => {
    await start({ inAck: 'off', outMinProcessDelay: 0 });
    sender.send(audioMinf(), frameAt(0, 'a'));
    const connection = await ingest.next();
    await connection.message(({ payload }) => payload.includes('a', 2));
    clock.advance(1000);
    sender.end();
    await sender.closed;
    assert.deepEqual(sender.acks, []);
  });

  it('do not cover dropped frames behind one that is on its way', async () => {
    ingest.script = { reads: 'never', forget: true };
    const overload = { outMemLimit: 2 ** 24, outOverload: 'drop_frames' } as const;
    await start({ outMinProcessDelay: 0, outWriteMetaTimeout: 3000, outTimeout: 1e9, ...overload });
    const data = { upstream_id: 'u1', url: `rtmp://127.0.0.1:${ingest.port}/app/s` };
    const audio = await KmpSender.open(service.port, data);
    sender.send(videoMinf());
    audio.send(audioMinf());
    const { ledger } = await service.upstream('u1');
    const tracks = () => input() ?? {};
    await eventually(() => tracks().audio !== undefined && tracks().video !== undefined, 'both tracks');
    // Groups of four frames; most of them wait in the track, since nobody reads.
    let frames = 0;
    while (ledger.used < ledger.limit * 0.7) {
      sender.send(frameAt(frames, Buffer.alloc(2 ** 17), { key: frames % 4 === 0 }));
      frames++;
      await eventually(() => tracks().video?.input?.received_frames === frames, 'the frame');
      clock.advance(100);
    }
    // Audio is never dropped: it makes room at the cost of groups that wait.
    for (let n = 1; tracks().video?.dropped_frames === 0; n++) {
      audio.send(frameAt(n, Buffer.alloc(2 ** 16)));
      await eventually(() => tracks().audio?.input?.received_frames === n, 'the audio frame');
      clock.advance(100);
    }
    await turns();
    const dropped = tracks().video?.dropped_frames ?? 0;
    assert.ok(dropped > 0);
    assert.ok((sender.lastAck ?? 0n) <= BigInt(frames - dropped), `${sender.lastAck} of ${frames}, ${dropped} dropped`);
    (await ingest.next()).resume();
    await eventually(() => {
      clock.advance(100);
      return sender.lastAck === BigInt(frames);
    }, 'the last ack');
    audio.destroy();
  });

  it('do not cover frames that a sender repeats while they are still on their way', async () => {
    ingest.script = { reads: 'never', forget: true };
    await start({ outMinProcessDelay: 0, outMemLimit: 2 ** 26, outTimeout: 1e9 });
    const data = { upstream_id: 'u1', url: `rtmp://127.0.0.1:${ingest.port}/app/s` };
    const audio = await KmpSender.open(service.port, data);
    audio.send(audioMinf());
    await eventually(() => input()?.audio !== undefined, 'the audio track');
    // More than the kernel accepts for a peer that does not read.
    const frames = [frameAt(0, 'a', { key: true }), frameAt(40, Buffer.alloc(15 * 2 ** 20))];
    sender.send(videoMinf(), ...frames);
    await eventually(() => input()?.video?.sent_frames === 2, 'the frames');
    sender.destroy();
    await eventually(() => input()?.video === undefined, 'the end of the track');
    sender = await KmpSender.open(service.port, data, { frameId: 1n });
    sender.send(videoMinf(), ...frames.slice(1));
    await eventually(() => input()?.video?.input?.skipped_frames.duplicate === 1, 'the repeated frame');
    clock.advance(1000);
    assert.ok((service.registry.get('u1')?.status().sent_bytes ?? Infinity) < 15 * 2 ** 20);
    await sender.acked(1n);
    (await ingest.next()).resume();
    await eventually(() => {
      clock.advance(100);
      return sender.lastAck === 2n;
    }, 'the last ack');
    assert.deepEqual(sender.acks, [1n, 2n]);
    audio.destroy();
  });

  it('stop while the server takes nothing, and continue when it does', async () => {
    ingest.script = { reads: 'never', forget: true };
    await start({ outMinProcessDelay: 0, outMemLimit: 2 ** 26 });
    const payload = Buffer.alloc(2 ** 20, 7);
    sender.send(audioMinf(), ...Array.from({ length: 24 }, (_, i) => frameAt(i, payload)));
    await received(24);
    clock.advance(200);
    const connection = await ingest.next();
    await eventually(() => connection.hello.length > 0, 'the handshake');
    // What the kernel buffers is done; the rest must not be.
    for (let i = 0; i < 3; i++) {
      await turns();
      clock.advance(200);
    }
    await turns();
    assert.ok((sender.lastAck ?? 0n) < 24n, `all of 24 MB acknowledged: ${sender.lastAck}`);
    connection.resume();
    await eventually(() => {
      clock.advance(100);
      return sender.lastAck === 24n;
    }, 'the last ack');
  });
});

describe('AckSender', { timeout: 90_000 }, () => {
  let server: net.Server;
  let ours: net.Socket;
  let theirs: net.Socket;
  let clock: FakeClock;

  beforeEach(async () => {
    clock = new FakeClock();
    server = net.createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const accepted = once(server, 'connection') as Promise<[net.Socket]>;
    theirs = net.connect((server.address() as net.AddressInfo).port, '127.0.0.1');
    [ours] = await accepted;
    ours.on('error', () => {});
    theirs.on('error', () => {});
  });
  afterEach(async () => {
    ours.destroy();
    theirs.destroy();
    server.close();
    await once(server, 'close');
  });

  it('never sends a second ack before the first has left, and gives up the sender after the time limit', () => {
    let stuck = 0;
    // The kernel's buffers are filled, and the other side does not read.
    ours.write(Buffer.alloc(2 ** 24));
    const filled = ours.writableLength;
    const acks = new AckSender(ours, clock, 100, 10_000, () => stuck++);
    for (let i = 1; i <= 1000; i++) {
      acks.acknowledge(BigInt(i));
      clock.advance(5);
    }
    assert.equal(ours.writableLength, filled + 40);
    assert.equal(stuck, 0);
    clock.advance(5000);
    assert.equal(stuck, 1);
    assert.equal(clock.pending, 0);
  });

  it('sends the newest when the one before has left', async () => {
    const filler = 2 ** 24;
    ours.write(Buffer.alloc(filler));
    let stuck = 0;
    const acks = new AckSender(ours, clock, 100, 10_000, () => stuck++);
    for (const id of [1n, 2n, 3n]) acks.acknowledge(id);
    clock.advance(100);
    const heard: Buffer[] = [];
    theirs.on('data', (bytes: Buffer) => heard.push(bytes));
    const ids = (): bigint[] => {
      const bytes = Buffer.concat(heard).subarray(filler);
      return Array.from({ length: Math.floor(bytes.length / 40) }, (_, i) => bytes.readBigUInt64LE(i * 40 + 16));
    };
    await eventually(() => ids().length === 2, 'two acks');
    assert.deepEqual(ids(), [1n, 3n]);
    // What has left is not stuck, however much time goes by.
    clock.advance(20_000);
    assert.equal(stuck, 0);
  });

  it('on a connection that was cut, reads received bytes first', { skip: internalsOff }, async () => {
    await testInternals();
    // Turns that never come: the kernel has it all.
    const reading: TurnClock = { ...systemClock, period: 100, onTurn: () => () => {}, onEveryPhase: () => () => {} };
    const schedule = { clock: systemClock, reading, turnsPerRead: 1, flushTimeout: 0 };
    const turns = readInTurns(ours, schedule, { blockSize: 65536, idleTimeout: 60_000 });
    let got = 0;
    ours.on('data', (bytes: Buffer) => (got += bytes.length));
    let before: number | undefined;
    ours.on('error', () => (before = got));
    await new Promise((resolve) => theirs.write(Buffer.alloc(1000), resolve));
    theirs.resetAndDestroy();
    const acks = new AckSender(
      ours,
      clock,
      100,
      10_000,
      () => {},
      () => turns?.readLast(),
    );
    let id = 0n;
    await eventually(() => {
      acks.acknowledge(++id);
      clock.advance(100);
      return before !== undefined;
    }, 'the end of the connection');
    assert.equal(before, 1000);
  });

  it('sends the last ack when it is closed, without waiting, and nothing after it', async () => {
    const acks = new AckSender(ours, clock, 500, 10_000, () => {});
    acks.acknowledge(1n);
    acks.acknowledge(2n);
    await turns();
    acks.close();
    acks.acknowledge(3n);
    clock.advance(1000);
    ours.end();
    let bytes = Buffer.alloc(0);
    for await (const chunk of theirs) bytes = Buffer.concat([bytes, chunk as Buffer]);
    assert.deepEqual([bytes.length, bytes.readBigUInt64LE(16), bytes.readBigUInt64LE(56)], [80, 1n, 2n]);
    assert.equal(clock.pending, 0);
  });
});
