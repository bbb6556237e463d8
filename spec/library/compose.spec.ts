import { afterEach, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createReadStream, readFileSync } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { Readable, Transform, type Writable } from 'node:stream';
import {
  Frame,
  KmpDecoder,
  KmpRtmpError,
  PublishError,
  publishTo,
  rtmpPublisher,
  StreamMerger,
  type Clock,
  type KmpPacket,
  type PacketBatch,
} from '../../lib/index.js';
import { FakeClock } from '../support/time/fake-clock.js';
import { audioMinf } from '../support/kmp/kmp-sender.js';
import { parseAmf, type ParsedMessage } from '../support/rtmp/rtmp-parse.js';
import { assertSameBytes } from '../support/values/same-bytes.js';
import { ScriptableIngest } from '../support/ingest/scriptable-ingest.js';

const golden = (name: string, file: string): string => `spec/golden/data/${name}/${file}`;

/** The ingest of the recordings never answers: nothing is waited for. */
const silent = { answerTimeout: 0 };

/** What the connect packets of the recordings say. */
const connect = { tcUrl: 'rtmp://ingest.example/app', flashVer: 'golden/1.0' };

let ingest: ScriptableIngest | undefined;

async function startIngest(...script: Parameters<typeof ScriptableIngest.start>): Promise<string> {
  ingest = await ScriptableIngest.start(...script);
  return `rtmp://127.0.0.1:${ingest.port}/app/stream`;
}

async function received(): Promise<{ raw: Buffer; messages: readonly ParsedMessage[] }> {
  assert.ok(ingest);
  const connection = await ingest.next();
  await connection.closed;
  return { raw: connection.raw(), messages: connection.messages };
}

/**
 * In the order of the recordings, which decides between frames of the same time, and with hands that do not move, so
 * that no frame goes before all are in.
 */
async function oneAfterTheOther(scenario: string, clock: Clock, [video, audio]: [Writable, Writable]): Promise<void> {
  const decoder = (): KmpDecoder => new KmpDecoder({ connectRequired: false, clock });
  await pipeline(createReadStream(golden(scenario, 'v.kmp')), decoder(), video);
  await pipeline(createReadStream(golden(scenario, 'a.kmp')), decoder(), audio);
}

afterEach(async () => {
  await ingest?.close();
  ingest = undefined;
});

describe('stages put together by hand', () => {
  it('publish dump files: decoder, merger, publisher; the bytes are those of the recording', async () => {
    const url = await startIngest();
    const clock = new FakeClock();
    const merger = new StreamMerger(url, { connect, clock });
    const published = pipeline(merger, rtmpPublisher(url, { connect, onReply: merger.reply, ...silent }));
    await oneAfterTheOther('av', clock, [merger.track(), merger.track()]);
    await published;
    assertSameBytes((await received()).raw, readFileSync(golden('av', 'expected.1.rtmp')));
  });

  it('take other codecs: H.265 by its FourCC, and mono audio', async () => {
    const url = await startIngest();
    const clock = new FakeClock();
    const merger = new StreamMerger(url, { connect, clock });
    const published = pipeline(merger, rtmpPublisher(url, silent));
    await oneAfterTheOther('hevc', clock, [merger.track(), merger.track()]);
    await published;
    assertSameBytes((await received()).raw, readFileSync(golden('hevc', 'expected.1.rtmp')));
  });

  it('let a stage of the user stand between decoder and merger', async () => {
    const url = await startIngest();
    const keyFramesOnly = new Transform({
      objectMode: true,
      transform(batch: PacketBatch, _encoding, callback) {
        const wanted = (packet: KmpPacket): boolean => !(packet instanceof Frame) || packet.isKey;
        callback(null, { ...batch, packets: batch.packets.filter(wanted) } satisfies PacketBatch);
      },
    });
    const merger = new StreamMerger(url, { connect });
    const dump = createReadStream(golden('video-only', 'v.kmp'));
    const line = pipeline(dump, new KmpDecoder({ connectRequired: false }), keyFramesOnly, merger.track());
    await Promise.all([line, pipeline(merger, rtmpPublisher(url, silent))]);
    const video = (await received()).messages.filter(({ type }) => type === 9).map(({ payload }) => payload[0]);
    // The sequence header, and the two key frames of 60 frames.
    assert.deepEqual(video, [0x17, 0x17, 0x17]);
  });

  it('hold a file back that is larger than what may wait', async () => {
    const url = await startIngest();
    const merger = new StreamMerger(url, { connect, maxPending: 10_000, settings: { outMinProcessDelay: 5 } });
    const decoders = ['v.kmp', 'a.kmp'].map((name) => pipelineInto(merger, golden('av', name)));
    await Promise.all([...decoders, pipeline(merger, rtmpPublisher(url, silent))]);
    const { messages } = await received();
    const frames = (type: number): number => messages.filter((message) => message.type === type).length;
    assert.deepEqual([frames(9), frames(8)], [61, 89]);
  });

  it('answer the server, and end with an error when it refuses', async () => {
    const url = await startIngest({
      answers: true,
      rejectPublish: { code: 'NetStream.Publish.BadName', description: 'in use' },
    });
    const merger = new StreamMerger(url, { connect });
    const dump = createReadStream(golden('video-only', 'v.kmp'));
    dump.pipe(new KmpDecoder({ connectRequired: false })).pipe(merger.track(), { end: false });
    await assert.rejects(pipeline(merger, rtmpPublisher(url, { onReply: merger.reply })), (error: unknown) => {
      assert.ok(error instanceof PublishError);
      assert.equal(error.code, 'rtmp_publish_rejected');
      return true;
    });
  });

  it('take what the service takes: no Opus without Enhanced RTMP, nothing behind the end of the stream', async () => {
    const url = await startIngest();
    const strict = new StreamMerger(url, { connect, settings: { outEnhanced: 'off' } });
    const opus = Readable.from([audioMinf({ codecId: 1018 })], { objectMode: false });
    const refused = pipeline(opus, new KmpDecoder({ connectRequired: false }), strict.track());
    await assert.rejects(refused, { code: 'kmp_unsupported_codec', message: /needs Enhanced RTMP/ });
    strict.destroy();

    const merger = new StreamMerger(url, { connect });
    const published = pipeline(merger, rtmpPublisher(url, silent));
    // The dump twice: the second one comes behind the first one's end of stream.
    const dump = readFileSync(golden('video-only', 'v.kmp'));
    const twice = Readable.from([dump, dump], { objectMode: false });
    await pipeline(twice, new KmpDecoder({ connectRequired: false }), merger.track());
    await published;
    assert.equal((await received()).messages.filter(({ type }) => type === 9).length, 61);
  });

  it('refuse a second track before anything is published, and publish the other one', async () => {
    const url = await startIngest();
    const merger = new StreamMerger(url, { connect });
    const [first, second] = [merger.track(), merger.track()];
    const decoder = new KmpDecoder({ connectRequired: false });
    decoder.end(readFileSync(golden('video-only', 'v.kmp')));
    const batches = (await decoder.toArray()) as PacketBatch[];
    const refused = once(first, 'error');
    for (const batch of batches) second.write(batch);
    first.write(batches[0]);
    await refused;
    second.end();
    await pipeline(merger, rtmpPublisher(url, silent));
    assert.equal((await received()).messages.filter(({ type }) => type === 9).length, 61);
  });

  it('refuse a second track of one kind, and go on with the other', async () => {
    const url = await startIngest();
    const merger = new StreamMerger(url, { connect });
    const published = pipeline(merger, rtmpPublisher(url, silent));
    // Which of the two is first is the disk's business.
    const dumps = await Promise.allSettled([1, 2].map(() => pipelineInto(merger, golden('video-only', 'v.kmp'))));
    await published;
    const refused = dumps.filter((dump) => dump.status === 'rejected');
    assert.equal(refused.length, 1);
    const error: unknown = refused[0]?.reason;
    assert.ok(error instanceof KmpRtmpError);
    assert.equal(error.code, 'track_refused');
    assert.equal((await received()).messages.filter(({ type }) => type === 9).length, 61);
    assert.throws(() => merger.track(), { code: 'stream_ended' });
  });
});

function pipelineInto(merger: StreamMerger, path: string): Promise<void> {
  return pipeline(createReadStream(path), new KmpDecoder({ connectRequired: false }), merger.track());
}

describe('publishTo', () => {
  it('publishes dump files as the service does, byte for byte', async () => {
    const clock = new FakeClock();
    const publication = publishTo(await startIngest(), { connect, clock });
    await oneAfterTheOther('av', clock, [publication.input(), publication.input()]);
    const turning = setInterval(() => clock.advance(100), 1);
    assert.equal((await publication.done).reason, 'done');
    clearInterval(turning);
    assertSameBytes((await received()).raw, readFileSync(golden('av', 'expected.1.rtmp')));
    assert.throws(() => publication.input(), { code: 'stream_ended' });
  });

  it('takes the tracks of several streams', async () => {
    const publication = publishTo(await startIngest({ answers: true }));
    const send = (name: string, stream: string): Promise<void> =>
      pipeline(
        createReadStream(golden('two-streams', name)),
        new KmpDecoder({ connectRequired: false }),
        publication.input(stream),
      );
    await Promise.all([send('v1.kmp', 'one'), send('a1.kmp', 'one'), send('v2.kmp', 'two'), send('a2.kmp', 'two')]);
    assert.equal((await publication.done).reason, 'done');
    const { messages } = await received();
    const published = messages.filter(({ type }) => type === 20).map(({ payload }) => parseAmf(payload));
    assert.deepEqual(
      published
        .filter(([name]) => name === 'publish')
        .map(([, , , stream]) => stream)
        .sort(),
      ['one', 'two'],
    );
  });

  it('holds files back within its memory, and loses nothing', async () => {
    const settings = {
      outMemLimit: 40_000,
      outWriteMetaTimeout: 10,
      outMinProcessDelay: 5,
      outBufferSize: 4096,
      outFlushTimeout: 1,
    };
    const publication = publishTo(await startIngest({ answers: true }), { settings });
    const dump = createReadStream(golden('video-only', 'v.kmp'), { highWaterMark: 2000 });
    await pipeline(dump, new KmpDecoder({ connectRequired: false }), publication.input());
    assert.equal((await publication.done).reason, 'done');
    assert.equal((await received()).messages.filter(({ type }) => type === 9).length, 61);
  });

  it('says why it could not, and fails what is piped into it for that reason', async () => {
    const url = await startIngest({ insteadOfHandshake: Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n') });
    const publication = publishTo(url);
    const dump = createReadStream(golden('video-only', 'v.kmp'), { highWaterMark: 1000 });
    const line = new KmpDecoder({ connectRequired: false });
    const piped = pipeline(dump, line, publication.input(), { end: false });
    await assert.rejects(piped, { code: 'publication_failed', message: /^handshake_failed: / });
    assert.equal((await publication.done).reason, 'handshake_failed');
  });

  it('can be given up, before anything came and in the middle', async () => {
    const early = publishTo('rtmp://127.0.0.1/app/stream');
    const input = early.input();
    early.destroy();
    assert.equal((await early.done).reason, 'shutdown');
    assert.ok(input.destroyed);

    const late = publishTo(await startIngest());
    const dump = createReadStream(golden('video-only', 'v.kmp'));
    dump.pipe(new KmpDecoder({ connectRequired: false })).pipe(late.input(), { end: false });
    await ingest?.next();
    assert.equal(late.status()?.url.startsWith('rtmp://127.0.0.1:'), true);
    late.destroy();
    assert.equal((await late.done).reason, 'shutdown');
  });

  it('names a bad URL and an unknown setting at once', () => {
    assert.throws(() => publishTo('http://127.0.0.1/app/stream'), { code: 'rtmp_bad_url' });
    const settings = { outChunkSize: 4096, outChunksize: 4096 };
    assert.throws(() => publishTo('rtmp://127.0.0.1/app/stream', { settings }), { code: 'config_unknown' });
  });
});
