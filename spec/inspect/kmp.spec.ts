import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { inspect } from '../../lib/inspect/inspect.js';
import type { InspectRecord, SummaryRecord } from '../../lib/inspect/record.js';
import { ascii, concat, u32le } from '../support/values/bytes.js';
import { collect } from '../support/values/collect.js';
import {
  audioFields,
  connect,
  end,
  frame,
  frameFields,
  nullPacket,
  packet,
  videoFields,
} from '../support/kmp/kmp-bytes.js';

async function records(...chunks: readonly Buffer[]): Promise<InspectRecord[]> {
  return collect(inspect(chunks));
}

function only<K extends InspectRecord['kind']>(all: readonly InspectRecord[], kind: K) {
  return all.filter((record): record is Extract<InspectRecord, { kind: K }> => record.kind === kind);
}

function summary(all: readonly InspectRecord[]): SummaryRecord {
  const last = all.at(-1);
  assert.ok(last?.kind === 'summary');
  return last;
}

function pieces(bytes: Buffer, size: number): Buffer[] {
  return Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) => bytes.subarray(i * size, (i + 1) * size));
}

/** A frame with all of its times, in units of 90 kHz. */
function timed(created: number, dts: number, flags = 0, payload = 'xxxx'): Buffer {
  return packet('fram', frameFields(created, dts, flags), ascii(payload));
}

const data = {
  upstream_id: 'u1',
  url: 'rtmp://h.example/live/s3cretkey',
  name: 'otherkey1',
  opaque: 'see /live/s3cretkey',
};
const cnct = connect(data, 'ch1', 'v1', 7n);
const minf = packet('minf', videoFields(), ascii('avcC'));

describe('inspecting a KMP dump', () => {
  it('gives each packet with its place, and counts frames from the first one named', async () => {
    const dump = concat(cnct, minf, frame('abc', 0, 1), nullPacket, frame('de', 3000), end);
    const all = await records(dump);
    const starts = [0, cnct.length, cnct.length + minf.length];
    assert.deepEqual(
      all.slice(0, 3).map((record) => 'offset' in record && record.offset),
      starts,
    );
    assert.deepEqual(
      all.map(({ kind }) => kind),
      ['connect', 'mediaInfo', 'frame', 'null', 'frame', 'end', 'summary'],
    );
    assert.deepEqual(
      only(all, 'frame').map(({ id, key, dataSize, dtsMs }) => ({ id, key, dataSize, dtsMs })),
      [
        { id: 7n, key: true, dataSize: 3, dtsMs: 0 },
        { id: 8n, key: false, dataSize: 2, dtsMs: 33.333 },
      ],
    );
    const [info] = only(all, 'mediaInfo');
    assert.deepEqual(
      [info?.codec, info?.width, info?.height, info?.frameRate, info?.extraDataSize],
      ['H.264', 1280, 720, 29.97, 4],
    );
    assert.deepEqual(summary(all).counts, { connect: 1, mediaInfo: 1, frame: 2, null: 1, end: 1 });
    assert.equal(summary(all).problems, 0);
    assert.equal(summary(all).size, dump.length);
  });

  it('masks stream keys, unless they are wanted', async () => {
    const masked = JSON.stringify(only(await records(cnct), 'connect')[0]?.data);
    assert.doesNotMatch(masked, /s3cretkey|otherkey1/);
    assert.match(masked, /"upstream_id":"u1"/);
    assert.match(masked, /rtmp:\/\/h\.example\/live\//);
    const [shown] = await collect(inspect([cnct], { showKeys: true }));
    assert.deepEqual(shown?.kind === 'connect' && shown.data, data);
  });

  it('says what the service would have against the connect data, keys masked too', async () => {
    const [record] = await records(connect({ upstream_id: 5, url: 'rtmp://h/a/s3cretkey' }));
    assert.ok(record?.kind === 'connect');
    assert.match(record.problem ?? '', /upstream_id is a number/);
    const [noJson] = await records(connect('{"url": "rtmp://h/a/s3cretkey"'));
    assert.ok(noJson?.kind === 'connect');
    assert.doesNotMatch(
      JSON.stringify(noJson, (_key, value: unknown) => String(value)),
      /s3cretkey/,
    );
    assert.match(noJson.problem ?? '', /not valid JSON/);
  });

  it('is not brought down by connect data nested without end', async () => {
    const [record] = await records(connect(`{"opaque":${'['.repeat(50_000)}${']'.repeat(50_000)}}`));
    assert.ok(record?.kind === 'connect');
    assert.match(JSON.stringify(record.data), /…/);
  });

  it('needs no connect packet: recordings of a real sender begin behind it', async () => {
    const all = await records(readFileSync('spec/golden/data/av/v.kmp'));
    const [track] = summary(all).tracks;
    assert.deepEqual(
      [track?.frames, track?.keyFrames, track?.framesPerSecond, track?.dtsMs?.last],
      [60, 2, 29.995, 1967],
    );
    assert.deepEqual(track?.keyIntervalMs, { min: 1000, max: 1000, avg: 1000 });
    assert.equal(track?.created?.first, '2020-01-01T00:00:00.000Z');
  });

  it('finds gaps, times that go back, drift and skipped frames', async () => {
    const step = 3600;
    const steady = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9].map((i) => timed(i * step, i * step, i === 0 ? 1 : 0));
    const all = await records(
      concat(
        frame('early'),
        minf,
        frame('x', 0, 0),
        ...steady,
        timed(10 * step, 9 * step + 90000),
        timed(11 * step, 5 * step),
        frame('', 0, 1),
        end,
      ),
    );
    const times = only(all, 'frame');
    assert.deepEqual(
      times.filter(({ skipped }) => skipped !== undefined).map(({ skipped }) => skipped),
      ['no_media_info', 'no_key', 'empty'],
    );
    assert.deepEqual(
      times.filter(({ time }) => time !== undefined).map(({ time }) => time),
      [
        { fault: 'gap', ms: 1000 },
        { fault: 'back', ms: 1160 },
      ],
    );
    const [track] = summary(all).tracks;
    assert.deepEqual(track?.gaps, { count: 1, longestMs: 1000 });
    assert.deepEqual(track?.backwards, { count: 1, farthestMs: 1160 });
    // created went on by 40 ms where dts jumped by 1 s, then by 40 ms where dts fell by 1160 ms.
    assert.deepEqual(track?.driftMs, { last: 240, min: -960, max: 240 });
    assert.deepEqual(track?.skipped, { no_key: 1, empty: 1 });
    assert.equal(track?.durationMs, 400, 'ten steps, the gap and the step back left out');
  });

  it('measures bit rates by dts: 1000 bytes each 100 ms are 80 kbit/s', async () => {
    const frames = Array.from({ length: 30 }, (_, i) => timed(0, i * 9000, 1, 'x'.repeat(1000)));
    const [track] = summary(await records(concat(packet('minf', audioFields()), ...frames))).tracks;
    assert.deepEqual(track?.bitrate?.average, 80_000);
    assert.ok((track?.bitrate?.peak ?? 0) >= 80_000 && (track?.bitrate?.peak ?? 0) <= 88_000);
  });
});

describe('inspecting a damaged KMP dump', () => {
  const good = [cnct, minf, frame('abc', 0, 1), frame('defg', 3000), end];

  it('cut off at any byte: says in which packet, and where that begins', async () => {
    const dump = concat(...good);
    const starts = good.map((_, i) => concat(...good.slice(0, i)).length);
    for (let size = 4; size < dump.length; size++) {
      const all = await records(dump.subarray(0, size));
      const broken = only(all, 'broken');
      const start = starts.findLast((at) => at < size);
      const isWhole = starts.includes(size);
      assert.deepEqual(
        broken.map(({ offset, code }) => ({ offset, code })),
        isWhole ? [] : [{ offset: start, code: 'kmp_truncated' }],
        `at ${size}`,
      );
      assert.equal(summary(all).problems, isWhole ? 0 : 1);
    }
  });

  const wrong: [what: string, bytes: Buffer, code: string][] = [
    ['an unknown type', packet('junk', ascii('1234')), 'kmp_unknown_type'],
    ['a header too short', packet('fram', ascii('1234')), 'kmp_bad_header_size'],
    [
      'a size past all limits',
      packet('fram', frameFields(0, 0), ascii('x'), { dataSize: 0xfffffff }),
      'kmp_bad_data_size',
    ],
    ['subtitles', packet('minf', videoFields({ mediaType: 2 })), 'kmp_bad_media_type'],
    ['a second connect packet', cnct, 'kmp_second_connect'],
    ['zeros', Buffer.alloc(1000), 'kmp_unknown_type'],
  ];
  for (const [what, bytes, code] of wrong) {
    it(`${what}: says where and why, and goes on at the next packet, however the input is cut`, async () => {
      const before = concat(cnct, minf, frame('abc', 0, 1));
      const dump = concat(before, bytes, frame('defg', 3000), end);
      for (const size of [1, 3, 16, 50, dump.length]) {
        const all = await records(...pieces(dump, size));
        assert.deepEqual(
          only(all, 'broken').map(({ offset, code }) => ({ offset, code })),
          [{ offset: before.length, code }],
          `in pieces of ${size}`,
        );
        assert.doesNotMatch(only(all, 'broken')[0]?.message ?? '', /at byte/, 'the place is said once, by the record');
        assert.deepEqual(
          only(all, 'resync').map(({ offset, skipped }) => ({ offset, skipped })),
          [{ offset: before.length + bytes.length, skipped: bytes.length }],
          `in pieces of ${size}`,
        );
        assert.equal(only(all, 'frame').length, 2);
        assert.equal(only(all, 'end').length, 1);
      }
    });
  }

  it('with nothing but noise behind the damage: says so', async () => {
    const all = await records(concat(cnct, minf, Buffer.alloc(5000, 0xee)));
    const at = cnct.length + minf.length;
    assert.deepEqual(
      only(all, 'broken').map(({ offset, code }) => ({ offset, code })),
      [
        { offset: at, code: 'kmp_unknown_type' },
        { offset: at, code: 'kmp_lost' },
      ],
    );
  });

  it('with bytes behind its end: says how many', async () => {
    const all = await records(concat(cnct, minf, end, u32le(1)));
    assert.match(only(all, 'broken')[0]?.message ?? '', /^4 bytes follow the end/);
  });

  it('not a dump: names the first bytes', async () => {
    await assert.rejects(records(ascii('GET / HTTP/1.1\r\n')), /neither a KMP nor an RTMP dump: .*474554202f/);
    await assert.rejects(records(), /it is empty/);
  });

  it('whose beginning is missing or damaged: goes on at the first packet, and says what was passed over', async () => {
    const rest = concat(frame('abc', 0, 1), frame('de', 3000), end);
    for (const lost of [cnct.subarray(100), Buffer.alloc(16), ascii('# some text that was put in front of it')]) {
      const all = await records(concat(lost, rest));
      assert.equal(only(all, 'broken')[0]?.offset, 0);
      assert.equal(only(all, 'resync')[0]?.offset, lost.length);
      assert.equal(only(all, 'frame').length, 2);
    }
  });

  it('any bytes, cut in any way: the same records, and never an exception', async () => {
    const part = fc.oneof(
      fc.constantFrom(...good, ...wrong.map(([, bytes]) => bytes)),
      fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(part, { maxLength: 12 }), fc.integer({ min: 1, max: 90 }), async (parts, size) => {
        const dump = concat(minf, ...parts);
        const whole = await records(dump);
        assert.equal(summary(whole).size, dump.length);
        assert.deepEqual(await records(...pieces(dump, size)), whole);
      }),
      { numRuns: 300 },
    );
  });

  it('holds no more than it is asked for: a record is out before the next chunk is read', async () => {
    let pulled = 0;
    function* source(): Generator<Buffer> {
      yield minf;
      for (; pulled < 1e6; pulled++) yield frame('x'.repeat(20_000), pulled, 1);
    }
    for await (const record of inspect(source())) {
      if (record.kind === 'frame' && pulled > 5) break;
      assert.ok(pulled < 10);
    }
  });
});
