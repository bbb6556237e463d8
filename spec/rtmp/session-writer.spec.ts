import { describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { Frame } from '../../lib/media/frame.js';
import type { AudioInfo, VideoInfo } from '../../lib/media/media-info.js';
import { toMs } from '../../lib/media/timescale.js';
import { TagHead } from '../../lib/rtmp/media-tags.js';
import { SessionWriter, type SessionOptions, type StreamState } from '../../lib/rtmp/session-writer.js';
import { parseAmf, RtmpParse, type ParsedMessage } from '../support/rtmp/rtmp-parse.js';

const params = { app: 'app', flashVer: 'f', swfUrl: '', tcUrl: 't', pageUrl: '' };
const video: VideoInfo = {
  ...{ mediaType: 'video', codecId: 7, timescale: 90000, bitrate: 0, extraData: Buffer.from('avcC') },
  ...{ width: 0, height: 0, frameRateNum: 0, frameRateDenom: 0, ceaCaptions: 0 },
};
const audio: AudioInfo = {
  ...{ mediaType: 'audio', codecId: 1010, timescale: 48000, bitrate: 0, extraData: Buffer.from('asc') },
  ...{ channels: 2, bitsPerSample: 16, sampleRate: 48000, channelLayout: 3n },
};

/** A session whose bytes are read by the specs' own parser. */
class Bench {
  readonly session: SessionWriter;
  readonly heads = { video: new TagHead(video), audio: new TagHead(audio) };
  private readonly parser = new RtmpParse();

  constructor(options: SessionOptions = {}) {
    this.session = new SessionWriter({ onFiPeriod: 0, ...options });
  }

  /** The messages that `write` led to. */
  sent(write: (session: SessionWriter) => void): ParsedMessage[] {
    write(this.session);
    const messages = this.parser.push(Buffer.concat(this.session.out.take()));
    assert.equal(this.parser.leftOver, 0);
    return messages;
  }

  stream(name = 's'): StreamState {
    let stream: StreamState | undefined;
    this.sent((session) => (stream = session.createStream(name, true)));
    assert.ok(stream !== undefined);
    return stream;
  }

  /** One frame; times in ms, `created` in ms since 1970. */
  frame(
    stream: StreamState,
    ms: number,
    { kind = 'video' as 'video' | 'audio', created = 0, pts = 0, size = 1 } = {},
  ): ParsedMessage[] {
    const { timescale } = kind === 'video' ? video : audio;
    const unit = timescale / 1000;
    const frame = new Frame(created * unit, ms * unit, 1, pts * unit, size, [Buffer.alloc(size)]);
    frame.ms = toMs(frame.dts, timescale);
    return this.sent((session) => session.frame(stream, this.heads[kind], frame, timescale));
  }
}

const times = (messages: ParsedMessage[]): [fmt: number, timestamp: number][] =>
  messages.map(({ fmt, timestamp }) => [fmt, timestamp]);

describe('commands', () => {
  it('connect and Set Chunk Size, the size holding from then on', () => {
    const bench = new Bench({ chunkSize: 4000 });
    const [connect, size] = bench.sent((session) => session.connect(params));
    assert.deepEqual(parseAmf(connect?.payload ?? Buffer.alloc(0)), ['connect', 1, params]);
    assert.deepEqual([connect?.chunkStream, connect?.fmt, connect?.streamId], [3, 0, 0]);
    assert.deepEqual([size?.chunkStream, size?.type, size?.payload.toString('hex')], [2, 1, '00000fa0']);
    const stream = bench.stream();
    const [frame] = bench.frame(stream, 0, { size: 3995 });
    assert.equal(frame?.chunks, 1);
  });

  it('of a stream: transactions count up, publish goes by the stream’s own chunk stream', () => {
    const bench = new Bench();
    bench.sent((session) => session.connect(params));
    const messages = bench.sent((session) => session.createStream('one', true));
    assert.deepEqual(
      messages.map(({ chunkStream, fmt, streamId, payload }) => [chunkStream, fmt, streamId, parseAmf(payload)]),
      [
        [3, 1, 0, ['releaseStream', 2, null, 'one']],
        [3, 1, 0, ['FCPublish', 3, null, 'one']],
        [3, 1, 0, ['createStream', 4, null]],
        [4, 0, 1, ['publish', 5, null, 'one', 'live']],
      ],
    );
  });

  it('publish waits for its id if that is not to be assumed', () => {
    const bench = new Bench();
    let stream: StreamState | undefined;
    const before = bench.sent((session) => (stream = session.createStream('one', false)));
    assert.deepEqual(
      before.map(({ payload }) => parseAmf(payload)[0]),
      ['releaseStream', 'FCPublish', 'createStream'],
    );
    assert.equal(stream?.published, false);
    const [publish] = bench.sent((session) => stream && session.publish(stream, 77));
    assert.deepEqual(
      [publish?.streamId, parseAmf(publish?.payload ?? Buffer.alloc(0))],
      [77, ['publish', 4, null, 'one', 'live']],
    );
  });

  it('the end of a stream: FCUnpublish and deleteStream', () => {
    const bench = new Bench();
    const stream = bench.stream('one');
    const messages = bench.sent((session) => session.unpublish(stream));
    assert.deepEqual(
      messages.map(({ chunkStream, fmt, payload }) => [chunkStream, fmt, parseAmf(payload)]),
      [
        [3, 1, ['FCUnpublish', 5, null, 'one']],
        [3, 1, ['deleteStream', 6, null, 1]],
      ],
    );
  });

  it('a stream that was never published is not deleted', () => {
    const bench = new Bench();
    let stream: StreamState | undefined;
    bench.sent((session) => (stream = session.createStream('one', false)));
    const messages = bench.sent((session) => stream && session.unpublish(stream));
    assert.deepEqual(
      messages.map(({ payload }) => parseAmf(payload)[0]),
      ['FCUnpublish'],
    );
  });
});

describe('many streams', () => {
  it('have ids counting up, and chunk streams of one, two and three bytes', () => {
    const bench = new Bench();
    const streams = Array.from({ length: 330 }, (_, i) => bench.stream(`s${i}`));
    for (const n of [0, 59, 60, 61, 315, 316, 329]) {
      const stream = streams[n];
      assert.ok(stream !== undefined);
      const [first] = bench.frame(stream, 1000);
      const [second] = bench.frame(stream, 1040);
      assert.deepEqual([first?.chunkStream, first?.streamId, first?.timestamp], [n + 4, n + 1, 1000]);
      assert.deepEqual([second?.chunkStream, second?.fmt, second?.timestamp], [n + 4, 1, 1040]);
    }
  });

  it('take the lowest chunk stream that is free, and never an id twice', () => {
    const bench = new Bench();
    const streams = ['a', 'b', 'c', 'd'].map((name) => bench.stream(name));
    for (const i of [2, 0]) bench.sent((session) => streams[i] && session.unpublish(streams[i]));
    const [e, f, g] = ['e', 'f', 'g'].map((name) => bench.stream(name));
    assert.deepEqual(
      [e, f, g].map((stream) => [stream?.csid, stream?.msid]),
      [
        [4, 5],
        [6, 6],
        [8, 7],
      ],
    );
    assert.ok(e !== undefined);
    // It begins with a time of its own, whatever was on that chunk stream before.
    assert.deepEqual(times(bench.frame(e, 70)), [[0, 70]]);
  });
});

describe('the times of frames', () => {
  it('the first is absolute, then each is the difference to the one before, of either track', () => {
    const bench = new Bench();
    const stream = bench.stream();
    assert.deepEqual(times(bench.frame(stream, 5000)), [[0, 5000]]);
    assert.deepEqual(times(bench.frame(stream, 5010, { kind: 'audio' })), [[1, 5010]]);
    assert.deepEqual(times(bench.frame(stream, 5010)), [[1, 5010]]);
    assert.deepEqual(times(bench.frame(stream, 5040)), [[1, 5040]]);
  });

  it('one that goes back is absolute', () => {
    const bench = new Bench();
    const stream = bench.stream();
    bench.frame(stream, 5000);
    assert.deepEqual(times(bench.frame(stream, 4999)), [[0, 4999]]);
    assert.deepEqual(times(bench.frame(stream, 5039)), [[1, 5039]]);
    assert.deepEqual(times(bench.frame(stream, 0)), [[0, 0]]);
  });

  it('are on each stream by themselves', () => {
    const bench = new Bench();
    const [one, two] = [bench.stream('one'), bench.stream('two')];
    bench.frame(one, 100);
    assert.deepEqual(times(bench.frame(two, 5000)), [[0, 5000]]);
    assert.deepEqual(times(bench.frame(one, 140)), [[1, 140]]);
  });

  for (const [from, to] of [
    [0xfffffe - 40, 0xfffffe],
    [0xfffffe, 0xffffff],
    [0xffffff, 0xffffff + 40],
    [0, 0xfffffe],
    [0x7fffffff, 0x80000000],
    [0xfffffff0, 0xffffffff],
    [0xffffffff, 0x1_0000_0000],
    [0x1_0000_0000 - 20, 0x1_0000_0000 + 20],
    [0x1_0000_0000 * 1000 + 5, 0x1_0000_0000 * 1000 + 45],
  ] as const) {
    it(`from ${from} to ${to}, modulo 2^32`, () => {
      const bench = new Bench({ chunkSize: 128 });
      bench.sent((session) => session.connect(params));
      const stream = bench.stream();
      const [first] = bench.frame(stream, from, { size: 300 });
      const [second] = bench.frame(stream, to, { size: 300 });
      assert.deepEqual([first?.fmt, first?.timestamp, first?.chunks], [0, from % 2 ** 32, 3]);
      assert.deepEqual([second?.fmt, second?.timestamp, second?.chunks], [1, to % 2 ** 32, 3]);
      // The extended time is in every chunk of a message, or in none.
      assert.equal(first?.extended, from % 2 ** 32 >= 0xffffff ? 3 : 0);
      assert.equal(second?.extended, (to - from) % 2 ** 32 >= 0xffffff ? 3 : 0);
    });
  }

  // Some servers take the extended timestamp of a chunk of format 1 for the absolute time (docs/protocol/servers.md,
  // RTMP servers).
  for (const [from, to] of [
    [0, 0xffffff],
    [0, 0x1000000],
    [36_000_000, 36_000_000 + 18_000_000],
    [0, 0x1_0000_0000 + 40],
  ] as const) {
    it(`a jump from ${from} to ${to} is absolute`, () => {
      const bench = new Bench({ chunkSize: 128 });
      bench.sent((session) => session.connect(params));
      const stream = bench.stream();
      bench.frame(stream, from);
      const [jumped] = bench.frame(stream, to, { size: 300 });
      assert.deepEqual([jumped?.fmt, jumped?.timestamp], [0, to % 2 ** 32]);
      assert.equal(jumped?.extended, to % 2 ** 32 >= 0xffffff ? 3 : 0);
      assert.deepEqual(times(bench.frame(stream, to + 40)), [[1, (to + 40) % 2 ** 32]]);
    });
  }

  it('of a stream that begins below zero are shifted: the first is 0', () => {
    const bench = new Bench();
    const stream = bench.stream();
    assert.deepEqual(times(bench.frame(stream, -80)), [[0, 0]]);
    assert.deepEqual(times(bench.frame(stream, -70, { kind: 'audio' })), [[1, 10]]);
    const [shown] = bench.frame(stream, -40, { pts: 80 });
    assert.deepEqual([shown?.fmt, shown?.timestamp], [1, 40]);
    // The composition time is a difference, which the shift does not change.
    assert.equal(shown?.payload.toString('hex', 0, 5), '1701000050');
    assert.deepEqual(times(bench.frame(stream, 1000)), [[1, 1080]]);
    // Another stream has times of its own.
    assert.deepEqual(times(bench.frame(bench.stream('other'), 1000)), [[0, 1000]]);
  });

  it('composition times are rounded as both times are', () => {
    const bench = new Bench();
    const stream = bench.stream();
    // At 90 kHz: dts 44 is 0 ms, dts + 1 is 45 and 1 ms (rounded up from a half).
    const frame = new Frame(0, 44, 1, 1, 1, [Buffer.alloc(1)]);
    frame.ms = toMs(44, 90000);
    const [message] = bench.sent((session) => session.frame(stream, bench.heads.video, frame, 90000));
    assert.equal(message?.payload.toString('hex'), '170100000100');
    const [early] = bench.frame(stream, 100, { pts: -40 });
    assert.equal(early?.payload.toString('hex'), '1701ffffd800');
  });
});

describe('headers in the middle of a stream', () => {
  const headers = (bench: Bench, stream: StreamState, ms?: number): ParsedMessage[] =>
    bench.sent((session) => {
      session.metadata(stream, video, audio, ms);
      session.sequenceHeader(stream, video, ms);
      session.sequenceHeader(stream, audio, ms);
    });

  it('carry the time of the frame that they precede, and that frame is absolute', () => {
    const bench = new Bench();
    const stream = bench.stream();
    bench.frame(stream, 5000);
    assert.deepEqual(
      headers(bench, stream, 5040).map(({ type, fmt, timestamp, streamId }) => [type, fmt, timestamp, streamId]),
      [18, 9, 8].map((type) => [type, 0, 5040, 1]),
    );
    assert.deepEqual(times(bench.frame(stream, 5040)), [[0, 5040]]);
    assert.deepEqual(times(bench.frame(stream, 5080)), [[1, 5080]]);
  });

  it('carry the time of the last frame where the next one is not known', () => {
    const bench = new Bench();
    const stream = bench.stream();
    bench.frame(stream, 5000);
    assert.deepEqual(times(headers(bench, stream)), Array(3).fill([0, 5000]));
    assert.deepEqual(times(bench.frame(stream, 5040)), [[0, 5040]]);
  });

  it('are at 0 before the first frame, whatever its time', () => {
    const bench = new Bench();
    const stream = bench.stream();
    assert.deepEqual(times(headers(bench, stream, 5000)), Array(3).fill([0, 0]));
    assert.deepEqual(times(bench.frame(stream, 5000)), [[0, 5000]]);
  });

  it('are shifted as the frames are', () => {
    const bench = new Bench();
    const stream = bench.stream();
    bench.frame(stream, -80);
    assert.deepEqual(times(headers(bench, stream, -40)), Array(3).fill([0, 40]));
    assert.deepEqual(times(bench.frame(stream, -40)), [[0, 40]]);
  });

  it('are not there without codec private data', () => {
    const bench = new Bench();
    const stream = bench.stream();
    const extraData = Buffer.alloc(0);
    for (const info of [
      { ...video, extraData },
      { ...video, codecId: 8, extraData },
      { ...audio, extraData },
    ]) {
      assert.deepEqual(
        bench.sent((session) => session.sequenceHeader(stream, info)),
        [],
      );
    }
  });

  it('are not there for a codec without any', () => {
    const bench = new Bench();
    const stream = bench.stream();
    assert.deepEqual(
      bench.sent((session) => session.sequenceHeader(stream, { ...audio, codecId: 1002 })),
      [],
    );
  });
});

describe('onFI', () => {
  const noon = Date.UTC(2026, 0, 1, 12);
  /** Which of frames with these `created` times (ms after noon) have one behind them. */
  const followed = (period: number, ...created: number[]): boolean[] => {
    const bench = new Bench({ onFiPeriod: period });
    const stream = bench.stream();
    return created.map((ms, i) => {
      const messages = bench.frame(stream, i * 40, { created: noon + ms });
      const [, onFi] = messages;
      if (onFi !== undefined) {
        assert.deepEqual([onFi.type, onFi.fmt, onFi.timestamp], [18, 1, i * 40]);
        assert.equal(parseAmf(onFi.payload)[0], 'onFI');
      }
      return messages.length === 2;
    });
  };

  it('follows the first frame, and then one each period', () => {
    assert.deepEqual(followed(5000, 0, 4999, 5000, 5001, 9999, 10_000), [true, false, true, false, false, true]);
  });

  it('counts from the last one, not from the first', () => {
    assert.deepEqual(followed(5000, 0, 7000, 10_000, 12_000), [true, true, false, true]);
  });

  it('follows when `created` goes back', () => {
    assert.deepEqual(followed(5000, 10_000, 9999, 9998, 10_001, 14_998), [true, true, true, false, true]);
  });

  it('is not there with period 0', () => {
    assert.deepEqual(followed(0, 0, 5000, 10_000), [false, false, false]);
  });

  it('carries the time of the frame in front of it, in either timescale', () => {
    const bench = new Bench({ onFiPeriod: 5000 });
    const stream = bench.stream();
    const [, first] = bench.frame(stream, 0, { created: noon + 1 });
    assert.deepEqual(parseAmf(first?.payload ?? Buffer.alloc(0)), ['onFI', { sd: '01-01-2026', st: '12:00:00.001' }]);
    const [, second] = bench.frame(stream, 40, { kind: 'audio', created: noon + 5001 });
    assert.deepEqual(parseAmf(second?.payload ?? Buffer.alloc(0)), ['onFI', { sd: '01-01-2026', st: '12:00:05.001' }]);
  });

  it('counts its period in whole milliseconds', () => {
    const bench = new Bench({ onFiPeriod: 5000 });
    const stream = bench.stream();
    // At 90 kHz, 44 units are 0 ms, and 5000 ms less half a unit more are 5000 ms.
    const at = (created: number): number => {
      const frame = new Frame(created, 0, 1, 0, 1, [Buffer.alloc(1)]);
      return bench.sent((session) => session.frame(stream, bench.heads.video, frame, 90000)).length;
    };
    assert.equal(at(0), 2);
    assert.equal(at(5000 * 90 - 46), 1);
    assert.equal(at(5000 * 90 - 45), 2);
    assert.equal(at(10_000 * 90 - 46), 1);
    assert.equal(at(10_000 * 90 - 45), 2);
  });

  it('is of each stream by itself', () => {
    const bench = new Bench({ onFiPeriod: 5000 });
    const [one, two] = [bench.stream('one'), bench.stream('two')];
    assert.equal(bench.frame(one, 0, { created: noon }).length, 2);
    assert.equal(bench.frame(two, 0, { created: noon }).length, 2);
    assert.equal(bench.frame(one, 40, { created: noon + 40 }).length, 1);
  });

  it('does not change the times of the frames', () => {
    const bench = new Bench({ onFiPeriod: 1 });
    const stream = bench.stream();
    for (const ms of [0, 40, 80]) {
      const [frame, onFi] = bench.frame(stream, ms, { created: noon + ms });
      assert.deepEqual([frame?.timestamp, onFi?.timestamp], [ms, ms]);
    }
  });
});
