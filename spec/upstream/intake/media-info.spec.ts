import { afterEach, beforeEach, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { eventually } from '../../support/time/eventually.js';
import { FakeClock } from '../../support/time/fake-clock.js';
import { framesOf, mediaOf, type MediaMessage } from '../../support/ingest/ingest-media.js';
import { audioMinf, frameAt, KmpSender, videoMinf } from '../../support/kmp/kmp-sender.js';
import { startKmp, type KmpService } from '../../support/service/kmp-service.js';
import { Live } from '../../support/service/live.js';
import { ScriptableIngest, type IngestConnection } from '../../support/ingest/scriptable-ingest.js';

describe('a media info in the middle of a stream', { timeout: 90_000 }, () => {
  let ingest: ScriptableIngest;
  let service: KmpService;
  let clock: FakeClock;
  let connection: IngestConnection;
  let video: KmpSender;
  let audio: KmpSender;

  const open = (): Promise<KmpSender> =>
    KmpSender.open(service.port, { upstream_id: 'u1', url: `rtmp://127.0.0.1:${ingest.port}/app/s` });
  const pending = (kind: 'video' | 'audio'): number | undefined =>
    service.registry.get('u1')?.status().streams['s']?.tracks[kind]?.pending_frames;
  const holds = (kind: 'video' | 'audio', frames: number): Promise<void> =>
    eventually(() => pending(kind) === frames, `${frames} ${kind} frames`);
  const written = async (last: string): Promise<string[]> => {
    clock.advance(2000);
    await eventually(() => framesOf(connection).includes(last), last);
    return mediaOf(connection).map(short);
  };
  const short = ({ kind, ms, text, values }: MediaMessage): string => {
    const fields = values[2];
    if (kind === 'metadata' && typeof fields === 'object' && fields !== null && !Array.isArray(fields)) {
      return `metadata ${String(fields['width'])}`;
    }
    return kind.endsWith('header') ? `${kind} ${text}` : `${text} ${ms}`;
  };
  const began = ['metadata 1280', 'video header avcC', 'audio header asc'];

  beforeEach(async () => {
    clock = new FakeClock();
    ingest = await ScriptableIngest.start();
    service = await startKmp({ outFlushTimeout: 0, outOnfiPeriod: 0 }, { clock });
    video = await open();
    audio = await open();
    video.send(videoMinf());
    await holds('video', 0);
    audio.send(audioMinf());
    await holds('audio', 0);
    connection = await ingest.next();
  });
  afterEach(async () => {
    for (const sender of [video, audio]) sender.destroy();
    await service.close();
    await ingest.close();
  });

  it('is announced in its place: behind the frames before it, ahead of the first behind it', async () => {
    video.send(frameAt(0, 'v0', { key: true }), frameAt(40, 'v1'));
    video.send(videoMinf({ width: 640, extraData: Buffer.from('new!') }), frameAt(80, 'v2', { key: true }));
    audio.send(frameAt(20, 'a0'), frameAt(60, 'a1'), frameAt(100, 'a2'));
    await holds('video', 3);
    await holds('audio', 3);
    assert.deepEqual(await written('a2'), [
      ...began,
      ...['v0 0', 'a0 20', 'v1 40', 'a1 60'],
      ...['metadata 640', 'video header new!', 'v2 80', 'a2 100'],
    ]);
    // Headers carry the time of the frame that they precede, which carries its time in full.
    assert.deepEqual(
      mediaOf(connection)
        .filter(({ kind }) => kind === 'metadata' || kind === 'video header')
        .map(({ ms }) => ms),
      [0, 0, 80, 80],
    );
    assert.deepEqual(
      mediaOf(connection)
        .filter(({ kind }) => kind === 'video' || kind === 'audio')
        .map(({ fmt }) => fmt),
      [0, 1, 1, 1, 0, 1],
    );
  });

  it('waits for a key frame', async () => {
    const changed = videoMinf({ width: 640 });
    video.send(frameAt(0, 'v0', { key: true }), changed, frameAt(40, 'v1'), frameAt(80, 'v2', { key: true }));
    await holds('video', 2);
    assert.deepEqual(await written('v2'), [...began, 'v0 0', 'metadata 640', 'video header avcC', 'v2 80']);
  });

  it('that changes with every frame, hundreds of times, closes its connection and no other', async () => {
    const changes = Array.from({ length: 300 }, (_, i) => [
      videoMinf({ width: 16 + i }),
      frameAt(i * 40, `v${i}`, { key: true }),
    ]);
    video.send(...changes.flat());
    await video.closed;
    assert.match(service.log.text, /more than 256 media infos are pending on the track/);
    audio.send(frameAt(20, 'a0'));
    await holds('audio', 1);
    assert.equal(audio.isClosed, false);
  });

  it('that is the same as before writes nothing', async () => {
    video.send(frameAt(0, 'v0', { key: true }), videoMinf(), frameAt(40, 'v1', { key: true }));
    audio.send(frameAt(20, 'a0'), audioMinf(), frameAt(60, 'a1'));
    await holds('video', 2);
    await holds('audio', 2);
    assert.deepEqual(await written('a1'), [...began, 'v0 0', 'a0 20', 'v1 40', 'a1 60']);
  });

  it('that no frame follows has no effect', async () => {
    const other = videoMinf({ width: 640 });
    video.send(frameAt(0, 'v0', { key: true }), other, frameAt(1, ''), videoMinf(), frameAt(40, 'v1', { key: true }));
    await holds('video', 2);
    assert.deepEqual(await written('v1'), [...began, 'v0 0', 'v1 40']);
  });

  it('with another timescale applies to the frames after it', async () => {
    const faster = videoMinf({ timescale: 180_000 });
    video.send(frameAt(0, 'v0', { key: true }), faster, frameAt(80, 'v1', { key: true, pts: 20 }));
    await holds('video', 2);
    assert.deepEqual((await written('v1')).at(-1), 'v1 40');
    assert.equal(mediaOf(connection).at(-1)?.cts, 10);
  });

  it('before the metadata is written, is used for the metadata', async () => {
    await service.close();
    service = await startKmp({ outFlushTimeout: 0, outOnfiPeriod: 0, outWriteMetaTimeout: 1000 }, { clock });
    video = await open();
    video.send(videoMinf(), videoMinf({ width: 640, extraData: Buffer.from('new!') }), frameAt(0, 'v0', { key: true }));
    await holds('video', 1);
    connection = await ingest.next();
    assert.deepEqual(await written('v0'), ['metadata 640', 'video header new!', 'v0 0']);
  });

  it('of another media type closes the connection; what is queued goes out', async () => {
    audio.send(frameAt(20, 'a0'), videoMinf(), frameAt(60, 'a1'));
    await audio.closed;
    assert.match(
      service.log.text,
      /error KMP connection closed: .*media_type video on a connection that began with audio/,
    );
    assert.deepEqual(await written('a0'), [...began, 'a0 20']);
  });

  it('of a codec that cannot be published closes the connection; what is queued goes out', async () => {
    audio.send(frameAt(20, 'a0'), audioMinf({ codecId: 1004 }), frameAt(60, 'a1'));
    await audio.closed;
    assert.match(service.log.text, /error KMP connection closed: .*codec_id 1004 \(codec 1004\) is not supported/);
    assert.deepEqual(await written('a0'), [...began, 'a0 20']);
  });

  it('costs memory only as long as it is in force', async () => {
    const { ledger } = await service.upstream('u1');
    const before = ledger.used;
    const infos = [videoMinf({ extraData: Buffer.alloc(5000, 1) }), videoMinf()];
    for (let i = 0; i < 20; i++) video.send(infos[i % 2] ?? infos[0]!, frameAt(i * 40, `v${i}`, { key: true }));
    await holds('video', 20);
    assert.ok(ledger.used > before + 10 * 5000);
    await written('v19');
    await eventually(() => ledger.used < before + 20 * 1000, 'the private data given back');
  });

  it('in great number and without frames, holds no memory', async () => {
    const { ledger } = await service.upstream('u1');
    const before = ledger.used;
    const pair = [videoMinf({ bitrate: 1 }), frameAt(1, ''), videoMinf({ bitrate: 2 }), frameAt(1, '')];
    for (let i = 0; i < 5000; i++) video.send(...pair);
    video.send(frameAt(0, 'v0', { key: true }));
    await holds('video', 1);
    assert.ok(ledger.used < before + 4000, `${ledger.used - before} bytes`);
  });
});

describe('a track without codec private data', { timeout: 90_000 }, () => {
  let live: Live;
  afterEach(() => live.close());

  it('gets no sequence header, and one warning', async () => {
    live = await Live.start({ settings: { outWriteMetaTimeout: 0 } });
    const extraData = Buffer.alloc(0);
    const video = await live.video({}, { extraData });
    video.send(frameAt(0, 'v0', { key: true }));
    const connection = await live.ingest.next();
    await connection.until(() => framesOf(connection).includes('v0'));
    video.send(videoMinf({ width: 640, extraData }), frameAt(40, 'v1', { key: true }));
    await connection.until(() => framesOf(connection).includes('v1'));
    assert.deepEqual(
      mediaOf(connection).map(({ kind }) => kind),
      ['metadata', 'video', 'metadata', 'video'],
    );
    const warnings = live.service.log.text.match(/no codec private data for H\.264/g);
    assert.equal(warnings?.length, 1);
  });

  it('is not warned of where the codec needs none', async () => {
    live = await Live.start({ settings: { outWriteMetaTimeout: 0 } });
    const audio = await live.audio({}, { codecId: 1002, extraData: Buffer.alloc(0) });
    audio.send(frameAt(0, 'a0'));
    const connection = await live.ingest.next();
    await connection.message(({ payload }) => payload.includes('a0'));
    assert.doesNotMatch(live.service.log.text, /private data/);
  });
});
