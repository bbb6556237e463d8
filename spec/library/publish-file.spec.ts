import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { after, afterEach, describe, it } from 'node:test';
import { Frame, KmpDecoder, openSource, publishFile, toKmp, type PacketBatch } from '../../lib/index.js';
import { parseDump } from '../../lib/kmp/dump.js';
import { eventually } from '../support/time/eventually.js';
import { FakeClock } from '../support/time/fake-clock.js';
import { framesOf } from '../support/ingest/ingest-media.js';
import { audioInfo, madeFrame, madeSource, videoInfo } from '../support/media/made-source.js';
import { ScriptableIngest, type Script } from '../support/ingest/scriptable-ingest.js';

const FILE = 'spec/fixtures/media/h264-aac.mp4';
const folder = mkdtempSync(join(tmpdir(), 'kmp-rtmp-file-'));
after(() => rmSync(folder, { recursive: true }));

/** All bytes of a stream. */
async function bytesOf(stream: AsyncIterable<unknown>): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of stream) parts.push(part as Buffer);
  return Buffer.concat(parts);
}

describe('toKmp', () => {
  it('makes a dump of each track, with the times moved to zero together', async () => {
    const source = await openSource(FILE);
    const dumps = (await Promise.all(toKmp(source).map(bytesOf))).map(parseDump);
    await source.close();
    assert.deepEqual(
      dumps.map(({ packets, error }) => [packets.length, error]),
      // Media info, frames as ffprobe counts them, end of stream.
      [
        [1 + 50 + 1, undefined],
        [1 + 88 + 1, undefined],
      ],
    );
    const first = dumps.map(({ packets }) => packets.find((packet) => packet instanceof Frame)?.dts ?? NaN);
    assert.equal(Math.min(...first), 0);
    assert.ok(Math.max(...first) < 9000, String(first));
    const [video, audio] = dumps.map(({ packets: [info] }) => info);
    assert.ok(video && !(video instanceof Frame) && video.kind === 'mediaInfo' && video.info.codecId === 7);
    assert.ok(audio && !(audio instanceof Frame) && audio.kind === 'mediaInfo' && audio.info.codecId === 1010);
  });

  it('gives each frame when it is due, on one clock for all tracks', async () => {
    const clock = new FakeClock();
    const source = madeSource([
      { info: videoInfo, frames: [100, 140, 180].map((ms) => madeFrame('v', ms)) },
      { info: audioInfo, frames: [120, 170].map((ms) => madeFrame('a', ms)) },
    ]);
    const seen: string[] = [];
    const reading = Promise.all(
      toKmp(source, { speed: 2, clock }).map(async (track) => {
        for await (const batch of track.pipe(new KmpDecoder({ connectRequired: false }))) {
          for (const packet of (batch as PacketBatch).packets) {
            if (packet instanceof Frame) seen.push(`${clock.now()} ${String(packet.payload())} ${packet.dts / 90}`);
          }
        }
      }),
    );
    for (const [count, at] of [
      [1, 0],
      [2, 10],
      [3, 20],
      [4, 35],
      [5, 40],
    ] as const) {
      await eventually(() => clock.pending > 0 || at === 0, 'a wait');
      clock.advance(at - clock.now());
      await eventually(() => seen.length === count, `${count} frames at ${at} ms`);
    }
    await reading;
    assert.deepEqual(seen, ['0 v100 0', '10 a120 20', '20 v140 40', '35 a170 70', '40 v180 80']);
  });

  it('ends in order when its signal is aborted, and leaves no timer behind', async () => {
    const clock = new FakeClock();
    const frames = [0, 60_000].map((ms) => madeFrame('v', ms));
    const stop = new AbortController();
    const [track] = toKmp(madeSource([{ info: videoInfo, frames }]), { speed: 1, clock, signal: stop.signal });
    const bytes = bytesOf(track as Readable);
    await eventually(() => clock.pending === 1, 'the wait for the second frame');
    stop.abort();
    const { packets } = parseDump(await bytes);
    assert.deepEqual(
      packets.map((packet) => (packet instanceof Frame ? 'frame' : packet.kind)),
      ['mediaInfo', 'frame', 'end'],
    );
    assert.equal(clock.pending, 0);
  });

  it('fails where a file is damaged, if it was opened to be strict', async () => {
    const path = join(folder, 'cut.mp4');
    writeFileSync(path, readFileSync('assets/sample.mp4').subarray(0, 100_000));
    const source = await openSource(path, { strict: true });
    const read = Promise.all(toKmp(source).map(bytesOf));
    await assert.rejects(read, { code: 'source_damaged', message: /cut\.mp4.*ends early/ });
    await source.close();
    await assert.rejects(openSource('spec/fixtures/media/vp9-aac.mp4', { strict: true }), {
      code: 'source_missing_track',
    });
  });
});

describe('publishFile', () => {
  let ingest: ScriptableIngest | undefined;
  afterEach(async () => {
    await ingest?.close();
    ingest = undefined;
  });

  async function start(script: Script = { answers: true }): Promise<string> {
    ingest = await ScriptableIngest.start(script);
    return `rtmp://127.0.0.1:${ingest.port}/app/stream`;
  }

  it('publishes all frames of a file', async () => {
    await publishFile(FILE, await start(), { speed: Infinity });
    const connection = await ingest?.next();
    await connection?.closed;
    const count = (type: number): number | undefined =>
      connection?.messages.filter((message) => message.type === type && message.payload[1] !== 0).length;
    assert.deepEqual([count(9), count(8)], [50, 88]);
  });

  it('publishes in real time', async () => {
    const clock = new FakeClock();
    const path = join(folder, 'second.kmp');
    const frames = [0, 1000, 2000].map((ms) => madeFrame('v', ms));
    const [dump] = toKmp(madeSource([{ info: videoInfo, frames }]));
    writeFileSync(path, await bytesOf(dump as Readable));
    const published = publishFile(path, await start(), { clock });
    let ended = false;
    void published.then(() => (ended = true));
    const connection = await (ingest as ScriptableIngest).next();
    await connection.command('connect');
    let longest = 0;
    for (let time = 0; !ended && time < 20_000; time += 100) {
      clock.advance(100);
      await new Promise((resolve) => setImmediate(resolve));
      if (framesOf(connection).length < 3) longest = time;
    }
    await published;
    await connection.closed;
    assert.deepEqual(framesOf(connection), ['v0', 'v1000', 'v2000']);
    assert.ok(longest >= 1900, `all frames were there after ${longest} ms`);
  });

  it('rejects when the server refuses, cannot be reached, or the file is no good', async () => {
    const refusing = await start({
      answers: true,
      rejectPublish: { code: 'NetStream.Publish.Denied', description: 'no' },
    });
    await assert.rejects(publishFile(FILE, refusing), {
      code: 'publication_failed',
      message: /^publish_rejected: .*Publish\.Denied/,
    });
    const { port } = ingest as ScriptableIngest;
    await ingest?.close();
    await assert.rejects(publishFile(FILE, `rtmp://127.0.0.1:${port}/app/stream`), { code: 'publication_failed' });

    const url = await start();
    await assert.rejects(publishFile(join(folder, 'none.mp4'), url), { code: 'source_open' });
    await assert.rejects(publishFile('spec/fixtures/media/vp9-aac.mp4', url), { code: 'source_missing_track' });
    assert.equal(ingest?.connections.length, 0);
    const path = join(folder, 'cut-too.mp4');
    writeFileSync(path, readFileSync('assets/sample.mp4').subarray(0, 100_000));
    await assert.rejects(publishFile(path, url, { speed: Infinity }), { code: 'source_damaged' });
    const connection = await ingest?.next();
    await connection?.closed;
    assert.ok((connection?.messages.filter(({ type }) => type === 9).length ?? 0) > 10);
  });

  it('ends the stream in order when its signal is aborted', async () => {
    const stop = new AbortController();
    const published = publishFile(FILE, await start(), { signal: stop.signal });
    const connection = await ingest?.next();
    await connection?.message(({ type }) => type === 9);
    stop.abort();
    await published;
    await connection?.command('deleteStream');
  });
});

describe('Frame.with', () => {
  it('is the same frame with other times, and leaves the one it was made of alone', () => {
    const payload = [Buffer.from('two '), Buffer.from('parts')];
    const frame = new Frame(1000, 2000, 1, 30, 9, payload);
    frame.arrivedAt = 77;
    const moved = frame.with({ dts: 2900 });
    assert.deepEqual(
      [moved.created, moved.dts, moved.ptsDelay, moved.isKey, moved.arrivedAt, String(moved.payload())],
      [1000, 2900, 30, true, 77, 'two parts'],
    );
    assert.equal(frame.dts, 2000);
    const other = frame.with({ payload: Buffer.from('other'), flags: 0, ptsDelay: 0, created: 5 });
    assert.deepEqual(
      [other.created, other.dts, other.ptsDelay, other.isKey, other.size, String(other.payload())],
      [5, 2000, 0, false, 5, 'other'],
    );
  });

  it('shares a piece of a larger buffer', () => {
    const frame = new Frame(0, 0, 0, 0, 5, Buffer.from('the frame here'), 4);
    assert.equal(String(frame.with({ dts: 1 }).payload()), 'frame');
  });
});
