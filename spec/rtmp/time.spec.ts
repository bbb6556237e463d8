/**
 * Times over the whole way, from KMP's 64 bits in any timescale to RTMP's 32 in ms, where numbers turn over; and over
 * months.
 */
import { describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { KmpParser } from '../../lib/kmp/parser.js';
import { Frame } from '../../lib/media/frame.js';
import type { MediaInfo } from '../../lib/media/media-info.js';
import { toMs } from '../../lib/media/timescale.js';
import { Merger } from '../../lib/merge/merger.js';
import { TrackQueue } from '../../lib/merge/track-queue.js';
import { TagHead } from '../../lib/rtmp/media-tags.js';
import { SessionWriter, type StreamState } from '../../lib/rtmp/session-writer.js';
import { FakeClock } from '../support/time/fake-clock.js';
import { connect, frameFields, packet } from '../support/kmp/kmp-bytes.js';
import { audioMinf, videoMinf } from '../support/kmp/kmp-sender.js';
import { parseAmf, RtmpParse, type ParsedMessage } from '../support/rtmp/rtmp-parse.js';

const VIDEO = 9;
const AUDIO = 8;
const DATA = 18;
const DAY = 86_400_000;

/** One KMP track: its parser, with connect and media info read, and its media info. */
class Source {
  readonly info: MediaInfo;
  readonly head: TagHead;
  private readonly parser = new KmpParser();

  constructor(minf: Buffer) {
    const [, second] = this.parser.feed(Buffer.concat([connect(), minf]));
    assert.ok(second !== undefined && 'kind' in second && second.kind === 'mediaInfo');
    this.info = second.info;
    this.head = new TagHead(second.info);
  }

  /** The frame that a `fram` packet gives; times in timescale units. */
  frame(dts: bigint, created = 0n): Frame {
    const [frame] = this.parser.feed(packet('fram', frameFields(created, dts, 1), Buffer.of(1)));
    assert.ok(frame instanceof Frame);
    frame.ms = toMs(frame.dts, this.info.timescale);
    return frame;
  }
}

/** A session with one stream, read by the specs' own parser. */
class Wire {
  readonly session: SessionWriter;
  readonly stream: StreamState;
  private readonly parser = new RtmpParse();

  constructor(onFiPeriod = 0) {
    this.session = new SessionWriter({ onFiPeriod });
    this.session.connect({ app: 'a', flashVer: '', swfUrl: '', tcUrl: '', pageUrl: '' });
    this.stream = this.session.createStream('s', true);
    this.read();
  }

  write(source: Source, frame: Frame): void {
    this.session.frame(this.stream, source.head, frame, source.info.timescale);
  }

  /** What was written since the last call. */
  read(): ParsedMessage[] {
    const messages = this.parser.push(Buffer.concat(this.session.out.take()));
    assert.equal(this.parser.leftOver, 0);
    this.parser.messages.length = 0;
    return messages;
  }
}

describe('times that turn over', () => {
  for (const [what, middle, timescale] of [
    ['2^24 ms', 2n ** 24n * 90n, 90_000],
    ['2^31 ms', 2n ** 31n * 90n, 90_000],
    ['2^32 ms', 2n ** 32n * 90n, 90_000],
    ['2^32 units of 90 kHz', 2n ** 32n, 90_000],
    ['2^33 units of 90 kHz', 2n ** 33n, 90_000],
    ['2^31 units of 48 kHz', 2n ** 31n, 48_000],
    ['2^32 units of 1 kHz', 2n ** 32n, 1000],
    ['2^50 units of 90 kHz, some 396 years', 2n ** 50n, 90_000],
  ] as const) {
    it(`${what}: every frame on both sides has its time, modulo 2^32`, () => {
      const video = new Source(videoMinf({ timescale }));
      const audio = new Source(audioMinf({ timescale }));
      const wire = new Wire();
      const step = BigInt(Math.round(timescale / 25));
      const wanted: number[] = [];
      for (let n = -100n; n < 100n; n++) {
        for (const [source, late] of [
          [video, 0n],
          [audio, step / 2n],
        ] as const) {
          const dts = middle + n * step + late;
          wire.write(source, source.frame(dts));
          // Rounded half up, as the service does, in whole numbers all the way.
          const scale = BigInt(timescale);
          const twice = dts * 2000n + scale;
          const floor = twice >= 0n ? twice / (2n * scale) : -((-twice + 2n * scale - 1n) / (2n * scale));
          wanted.push(Number(BigInt.asUintN(32, floor)));
        }
      }
      const got = wire.read().filter(({ type }) => type === VIDEO || type === AUDIO);
      assert.deepEqual(
        got.map(({ timestamp }) => timestamp),
        wanted,
      );
    });
  }

  it('a source whose times begin again at 2^33, as those of MPEG-TS: the times go back with it', () => {
    const video = new Source(videoMinf());
    const wire = new Wire();
    const last = 2n ** 33n;
    for (const dts of [last - 7200n, last - 3600n, 0n, 3600n]) wire.write(video, video.frame(dts));
    const got = wire.read().map(({ fmt, timestamp }) => [fmt, timestamp]);
    const end = Math.round(2 ** 33 / 90);
    assert.deepEqual(got, [
      [0, end - 80],
      [1, end - 40],
      [0, 0],
      [1, 40],
    ]);
  });
});

describe('onFI', () => {
  const texts = (from: number, count: number, step: number): unknown[] => {
    const video = new Source(videoMinf());
    const wire = new Wire(1000);
    for (let n = 0; n < count; n++) {
      wire.write(video, video.frame(BigInt(n * step * 90), BigInt(from + n * step) * 90n));
    }
    return wire
      .read()
      .filter(({ type }) => type === DATA)
      .map(({ payload }) => parseAmf(payload)[1]);
  };

  it('across midnight', () => {
    assert.deepEqual(texts(Date.UTC(2026, 1, 28, 23, 59, 59, 500), 3, 1000), [
      { sd: '28-02-2026', st: '23:59:59.500' },
      { sd: '01-03-2026', st: '00:00:00.500' },
      { sd: '01-03-2026', st: '00:00:01.500' },
    ]);
  });

  it('across new year, and through the end of February of a leap year', () => {
    assert.deepEqual(texts(Date.UTC(2027, 11, 31, 23, 59, 59, 999), 2, 1000), [
      { sd: '31-12-2027', st: '23:59:59.999' },
      { sd: '01-01-2028', st: '00:00:00.999' },
    ]);
    assert.deepEqual(texts(Date.UTC(2028, 1, 28, 23, 59, 59, 0), 2, 1000), [
      { sd: '28-02-2028', st: '23:59:59.000' },
      { sd: '29-02-2028', st: '00:00:00.000' },
    ]);
  });

  it('beyond 2038 and beyond 2^32 seconds', () => {
    assert.deepEqual(texts(Date.UTC(2106, 1, 7, 6, 28, 15), 2, 1000), [
      { sd: '07-02-2106', st: '06:28:15.000' },
      { sd: '07-02-2106', st: '06:28:16.000' },
    ]);
  });
});

class Queue extends TrackQueue {
  constructor(readonly origin: Source) {
    super({ queues: [] });
    this.ready = true;
  }
}

describe('a stream that runs for 60 days', () => {
  it('goes out in order, each frame within its delay, and each with its time', async () => {
    const clock = new FakeClock(Date.UTC(2026, 11, 1));
    const wire = new Wire(60_000);
    const queues = [new Queue(new Source(videoMinf())), new Queue(new Source(audioMinf({ timescale: 48_000 })))];
    let latest = 0;
    let due = 0;
    let written = 0;
    let onFi = 0;
    const merger = new Merger<Queue, number>({
      ...{ clock, minDelay: 500, maxDelay: 1000, earlyRelease: false, bufferSize: 1, flushTimeout: 0 },
      sink: {
        frame(queue, frame, now) {
          latest = Math.max(latest, now - frame.arrivedAt);
          wire.write(queue.origin, frame);
          for (const { type, timestamp } of wire.read()) {
            if (type === DATA) onFi++;
            else assert.equal(timestamp, frame.ms % 2 ** 32);
          }
          assert.ok(frame.ms >= due, `${frame.ms} behind ${due}`);
          due = frame.ms;
          written++;
        },
        drained: () => {},
        encodedBytes: 0,
        take: () => 0,
      },
    });
    merger.resume();
    for (const queue of queues) merger.add(queue);
    const step = 120_000;
    let sent = 0;
    for (let ms = 0; ms < 60 * DAY; ms += step) {
      for (const queue of queues) {
        const { timescale } = queue.origin.info;
        const units = (time: number): bigint => BigInt(time) * BigInt(timescale / 1000);
        const frame = queue.origin.frame(units(ms), units(clock.wall()));
        frame.arrivedAt = clock.now();
        merger.write({ queue, frames: [frame] });
        sent++;
      }
      // The stream passes on what is written to it in a turn of its own.
      await new Promise((resolve) => setImmediate(resolve));
      clock.advance(step);
    }
    assert.equal(written, sent);
    assert.ok(latest <= 1000, `${latest} ms`);
    assert.ok(due > 2 ** 32, 'longer than 2^32 ms');
    assert.equal(onFi, sent / 2);
    merger.destroy();
  });
});
