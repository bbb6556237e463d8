import { afterEach, beforeEach, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import type { UpstreamStatus } from '../../../lib/upstream/report/status.js';
import { heldBufferBytes } from '../../support/node/collect-garbage.js';
import { eventually } from '../../support/time/eventually.js';
import { FakeClock } from '../../support/time/fake-clock.js';
import { frameFields, packet } from '../../support/kmp/kmp-bytes.js';
import { audioMinf, frameAt, KmpSender, videoMinf } from '../../support/kmp/kmp-sender.js';
import { startKmp, type KmpService } from '../../support/service/kmp-service.js';
import { AT_ONCE_DIRECTIVES, RunningService } from '../../support/service/running-service.js';
import { ScriptableIngest } from '../../support/ingest/scriptable-ingest.js';

const QUICK = `${AT_ONCE_DIRECTIVES}
  kmp_rtmp_in_read_interval 0;`;

describe('a server that stops reading', { timeout: 90_000 }, () => {
  const ingests: ScriptableIngest[] = [];
  const senders: KmpSender[] = [];
  let running: RunningService;

  const ingestThat = async (script = {}): Promise<ScriptableIngest> => {
    const ingest = await ScriptableIngest.start(script);
    ingests.push(ingest);
    return ingest;
  };
  const publish = async (id: string, { port }: ScriptableIngest): Promise<KmpSender> => {
    const data = { upstream_id: id, url: `rtmp://127.0.0.1:${port}/app/s` };
    const sender = await KmpSender.open(running.kmpPort, data);
    senders.push(sender);
    sender.send(audioMinf(), frameAt(0, 'first'));
    return sender;
  };

  afterEach(async () => {
    for (const sender of senders.splice(0)) sender.destroy();
    await running.close();
    for (const ingest of ingests.splice(0)) await ingest.close();
  });

  it('ends its upstream at the memory limit; the others do not notice', async () => {
    // A busy machine may need longer to fill the memory than the usual limit for a write.
    running = await RunningService.start({ media: `${QUICK} kmp_rtmp_out_mem_limit 8m; kmp_rtmp_out_timeout 5m;` });
    const deaf = await ingestThat({ reads: 'never' });
    const good = await ingestThat({ answers: true });
    const [slow, other] = [await publish('slow', deaf), await publish('other', good)];
    const connection = await good.next();
    const { mem_left: atFirst } = await running.shows('other', ({ state }) => state === 'publishing', 'publishing');

    const chunk = Buffer.alloc(256 * 1024);
    let n = 1;
    const seen: number[] = [];
    while (!slow.isClosed) {
      slow.send(frameAt(n, chunk));
      other.send(frameAt(n, `f${n}`));
      await connection.message(({ payload }) => payload.toString('latin1').endsWith(`f${n}`));
      const { upstreams } = await running.status();
      if (upstreams['slow'] !== undefined) seen.push(upstreams['slow'].mem_left);
      const { mem_left = 0, mem_limit = 0 } = upstreams['other'] ?? {};
      // What it has written is kept for a second, until its server, which does not answer, counts as one that lets it
      // in.
      assert.ok(mem_left > mem_limit - 100_000, `the other one has ${mem_left} left, ${atFirst} at first`);
      n++;
    }
    const { reason, upstream_id } = await running.notified();
    assert.equal(upstream_id, 'slow');
    assert.ok(['get_buf_failed', 'push_frame_failed', 'process_frame_failed', 'flush_failed'].includes(reason), reason);
    // It filled step by step, down to where a frame did not fit any more.
    assert.ok(Math.min(...seen) < 2 * chunk.length, `${Math.min(...seen)} left at least`);
    assert.ok(!other.isClosed);
    other.send(frameAt(n, 'last'));
    await connection.message(({ payload }) => payload.includes('last'));
    assert.equal(running.unseen, 0);
  });

  it('keeps its queued frames, and continues when the server reads again', async () => {
    running = await RunningService.start({ media: QUICK });
    const ingest = await ingestThat();
    const sender = await publish('u1', ingest);
    const connection = await ingest.next();
    await connection.message(({ payload }) => payload.includes('first'));
    const { mem_left: before } = await running.shows('u1', (u) => u.streams['s']?.tracks.audio?.mem_used === 0, 'rest');
    connection.pause();
    const frames = 48;
    for (let n = 1; n <= frames; n++) sender.send(frameAt(n, Buffer.alloc(256 * 1024, n)));
    const full = await running.shows(
      'u1',
      ({ streams, mem_left }) => streams['s']?.tracks.audio?.input?.received_frames === frames + 1 && mem_left < before,
      'all frames',
    );
    const track = full.streams['s']?.tracks.audio;
    assert.ok(track !== undefined && track.pending_frames > 0 && track.mem_used >= track.pending_frames * 256 * 1024);
    connection.resume();
    await connection.until(() => connection.messages.filter(({ type }) => type === 8).length === frames + 2);
    const { mem_left } = await running.shows('u1', (u) => u.mem_left === before, 'all memory given back');
    assert.equal(mem_left, before);
    await sender.acked(BigInt(frames + 1));
  });
});

/** Frames stay queued until the spec turns the clock. */
describe('the memory that the API shows', { timeout: 90_000 }, () => {
  let ingest: ScriptableIngest;
  let service: KmpService;
  let clock: FakeClock;
  const senders: KmpSender[] = [];

  const open = async (track: string): Promise<KmpSender> => {
    const data = { upstream_id: 'u1', url: `rtmp://127.0.0.1:${ingest.port}/app/s` };
    const sender = await KmpSender.open(service.port, data, { track });
    senders.push(sender);
    return sender;
  };
  const status = (): UpstreamStatus => {
    const found = service.registry.get('u1')?.status();
    if (found === undefined) throw new Error('no upstream');
    return found;
  };
  const tracks = () => service.registry.get('u1')?.status().streams['s']?.tracks ?? {};

  /** From here on sockets are read in intervals. */
  async function pastTheBeginning(...senders: KmpSender[]): Promise<void> {
    await eventually(() => status().state === 'publishing', 'a connection');
    clock.advance(60_000);
    for (const sender of senders) sender.send(frameAt(0, 'first', { key: true }));
    const received = (): number[] => Object.values(tracks()).map(({ input }) => input?.received_frames ?? 0);
    await eventually(
      () => received().length === senders.length && received().every((n) => n === 1),
      'the first frames',
    );
    clock.advance(60_000);
    await eventually(() => Object.values(tracks()).every(({ mem_used }) => mem_used === 0), 'nothing pending');
  }

  async function start(settings: Parameters<typeof startKmp>[0] = {}): Promise<void> {
    service = await startKmp({ outFlushTimeout: 0, outOnfiPeriod: 0, ...settings }, { clock });
  }
  beforeEach(async () => {
    clock = new FakeClock();
    ingest = await ScriptableIngest.start();
  });
  afterEach(async () => {
    for (const sender of senders.splice(0)) sender.destroy();
    await service.close();
    await ingest.close();
  });

  for (const inReadInterval of [0, 200]) {
    it(`is true from the first byte to the last (read interval ${inReadInterval})`, async () => {
      await start({ inReadInterval });
      const [video, audio] = [await open('v'), await open('a')];
      video.send(videoMinf());
      audio.send(audioMinf());
      await eventually(() => tracks().audio !== undefined && tracks().video !== undefined, 'two tracks');
      const connection = await ingest.next();
      await connection.command('publish');
      await pastTheBeginning(video, audio);
      await eventually(() => status().written_bytes === status().sent_bytes, 'nothing on its way');
      const base = status().mem_left;

      // Part of a packet: charged, though nothing of it is pending.
      const whole = frameAt(60_000, Buffer.alloc(50_000, 1), { key: true });
      video.send(whole.subarray(0, 30_000));
      await eventually(() => base - status().mem_left >= 29_900, 'part of a frame');
      assert.ok(base - status().mem_left <= 30_000);
      assert.deepEqual([tracks().video?.pending_frames, tracks().video?.mem_used], [0, 0]);

      video.send(whole.subarray(30_000), frameAt(60_040, Buffer.alloc(1000)), frameAt(60_080, Buffer.alloc(1000)));
      for (let n = 0; n < 5; n++) audio.send(frameAt(60_000 + n * 20, Buffer.alloc(300)));
      await eventually(() => tracks().video?.pending_frames === 3 && tracks().audio?.pending_frames === 5, '8 frames');
      const used = (tracks().video?.mem_used ?? 0) + (tracks().audio?.mem_used ?? 0);
      assert.equal(base - status().mem_left, used);
      const payload = 52_000 + 5 * 300;
      assert.ok(used > payload && used < payload + 8 * 1000, `${used} for ${payload} bytes of payload`);

      clock.advance(1000);
      await connection.until(() => connection.messages.filter(({ type }) => type === 8 || type === 9).length === 4 + 8);
      await eventually(() => status().mem_left === base, 'all memory given back');
      for (const track of [tracks().video, tracks().audio]) {
        assert.deepEqual([track?.pending_frames, track?.mem_used], [0, 0]);
      }
      video.end();
      await eventually(() => tracks().video === undefined, 'the end of the track');
      assert.ok(status().mem_left > base);
    });
  }

  it('is released if a connection ends within a packet', async () => {
    await start();
    const audio = await open('a');
    audio.send(audioMinf(), frameAt(0, 'a0'));
    await eventually(() => tracks().audio?.pending_frames === 1, 'a frame');
    const before = status().mem_left;
    audio.send(frameAt(0, Buffer.alloc(50_000)).subarray(0, 40_000));
    await eventually(() => before - status().mem_left > 39_000, 'part of a frame');
    audio.destroy();
    await eventually(() => status().mem_left >= before, 'memory given back');
  });

  it('is the memory of the process: padding is not kept', async () => {
    await start({ outWriteMetaTimeout: 0, inReadInterval: 200 });
    const audio = await open('a');
    audio.send(audioMinf());
    await eventually(() => tracks().audio !== undefined, 'a track');
    await pastTheBeginning(audio);
    const before = heldBufferBytes();
    const padded = packet('fram', Buffer.concat([frameFields(0, 60_000 * 90), Buffer.alloc(60_000)]), Buffer.from('x'));
    const COUNT = 400;
    for (let n = 1; n <= COUNT; n++) {
      audio.send(padded);
      if (n % 200 === 0) await eventually(() => tracks().audio?.pending_frames === n, `${n} frames`);
    }
    const grown = heldBufferBytes() - before;
    assert.ok(grown < (COUNT * padded.length) / 6, `${grown} bytes are held of ${COUNT * padded.length}`);
    assert.ok(status().mem_limit - status().mem_left < COUNT * 1000);
  });

  for (const inReadInterval of [0, 200]) {
    it(`is the memory of the process: dropped frames are not kept (read interval ${inReadInterval})`, async () => {
      await start({ outWriteMetaTimeout: 0, inReadInterval });
      const video = await open('v');
      video.send(videoMinf());
      await eventually(() => tracks().video !== undefined, 'a track');
      await pastTheBeginning(video);
      const before = heldBufferBytes();
      // The media info has the track wait for a key frame: what comes ahead of that is skipped.
      const large = frameAt(60_000, Buffer.alloc(60_000));
      const round = Buffer.concat([frameAt(60_000, 'x', { key: true }), videoMinf(), large]);
      const COUNT = 400;
      for (let n = 1; n <= COUNT; n++) {
        video.send(round);
        if (n % 100 === 0) await eventually(() => tracks().video?.pending_frames === n, `${n} frames`);
      }
      const grown = heldBufferBytes() - before;
      assert.ok(grown < (COUNT * round.length) / 6, `${grown} bytes are held of ${COUNT * round.length}`);
      assert.ok(status().mem_limit - status().mem_left < COUNT * 1000);
    });
  }
});

describe('memory before the upstream is known', { timeout: 90_000 }, () => {
  let service: KmpService;
  afterEach(() => service.close());

  it('is limited by kmp_rtmp_in_mem_limit, whatever holds it', async () => {
    service = await startKmp({ inMemLimit: 10_000 });
    const data = { upstream_id: 'u1', url: 'rtmp://127.0.0.1:1/app/s' };
    const cases: ((sender: KmpSender) => void)[] = [
      // A connect packet of which more comes than may.
      (sender) => sender.send(videoMinf({ extraData: Buffer.alloc(20_000) }).subarray(0, 15_000)),
      (sender) => sender.send(frameAt(0, Buffer.alloc(20_000)).subarray(0, 15_000)),
    ];
    for (const send of cases) {
      const sender = await KmpSender.open(service.port, data);
      send(sender);
      await sender.closed;
    }
    const large = await KmpSender.open(service.port, { ...data, opaque: 'x'.repeat(20_000) });
    await large.closed;
    const lines = service.log.of('error').filter(({ message }) => message.includes('kmp_rtmp_in_mem_limit'));
    assert.equal(lines.length, 3);
    assert.equal(service.registry.size, 0);
  });

  it('is not charged for frames that are skipped', async () => {
    service = await startKmp({ inMemLimit: 10_000 });
    const sender = await KmpSender.open(service.port, { upstream_id: 'u1', url: 'rtmp://127.0.0.1:1/app/s' });
    for (let n = 0; n < 50; n++) sender.send(frameAt(n, Buffer.alloc(5000)));
    sender.send(packet('null'));
    sender.end();
    await sender.closed;
    assert.deepEqual(service.log.of('error'), []);
  });
});
