import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { FrameComparison, percentile } from '../../lib/cli/frame-comparison.js';
import { openSource } from '../../lib/source/open.js';
import type { OutFrame } from '../../lib/send/client-options.js';
import { runCommand } from '../support/process/command.js';

describe('kmp-rtmp demo', () => {
  let folder = '';
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'kmp-rtmp-'));
  });
  after(() => rmSync(folder, { recursive: true }));

  it('plays a file through sender, service and ingest, and the recording holds its very frames', async () => {
    const file = join('spec', 'fixtures', 'media', 'h264-aac.mp4');
    const recording = join(folder, 'new', 'demo.flv');
    const { code, out, err } = await runCommand('demo', file, '--fast', '--out', recording);
    assert.deepEqual([code, err], [0, ''], out);
    assert.match(out, /^Plays .*h264-aac\.mp4 through a sender, the service and an RTMP ingest/);
    assert.match(out, /^video +H\.264 +50 +50 +[\d.]+ kB +[\d.]+ kB +0 +0 +\d+ ms +\d+ ms$/m);
    assert.match(out, /^audio +AAC +88 +88 +[\d.]+ kB +[\d.]+ kB +0 +0 +\d+ ms +\d+ ms$/m);
    assert.match(out, /Every frame arrived/);

    // What ffprobe found in the source: stream, pts, dts, key, size, MD5.
    const expected = JSON.parse(readFileSync(`${file}.json`, 'utf8')) as {
      packets: [number, number, number, number, number, string][];
    };
    const earliest = Math.min(...expected.packets.map(([, , dts]) => dts));
    const source = await openSource(recording);
    for (const [index, track] of source.tracks.entries()) {
      const found: unknown[] = [];
      for await (const { dts, ptsDelay, key, data } of track.frames()) {
        const md5 = createHash('md5').update(data).digest('hex');
        found.push([Math.round(dts / 90), Math.round((dts + ptsDelay) / 90), key ? 1 : 0, md5]);
      }
      const ms = (time: number): number => Math.floor((time - earliest + 45) / 90);
      const wanted = expected.packets.filter(([stream]) => stream === index);
      assert.deepEqual(
        found,
        wanted.map(([, pts, dts, key, , md5]) => [ms(dts), ms(pts), key, md5]),
      );
    }
    await source.close();
  });

  it('ships a sample with B-frames and AAC, of some seconds and small', async () => {
    const path = join('assets', 'sample.mp4');
    assert.ok(readFileSync(path).length < 300_000);
    const source = await openSource(path);
    assert.deepEqual(
      source.tracks.map(({ info }) => info.codecId),
      [7, 1010],
    );
    assert.ok((source.duration ?? 0) > 5000);
    let late = 0;
    for await (const { ptsDelay } of source.tracks[0]?.frames() ?? []) if (ptsDelay > 3600) late++;
    assert.ok(late > 50, 'pictures are shown in another order than they are decoded in');
    await source.close();
  });

  it('ends with 1 if there is nothing to play', async () => {
    const { code, err } = await runCommand('demo', join(folder, 'none.mp4'));
    assert.equal(code, 1);
    assert.match(err, /none\.mp4 cannot be opened/);
  });

  for (const [what, out] of [
    ['a folder that is not there', join('none', 'neither', 'demo.flv')],
    ['a folder in place of a file', ''],
  ] as const) {
    it(`ends with 1, before it plays anything, if --out is ${what}`, async () => {
      const { code, out: said, err } = await runCommand('demo', '--out', join(folder, out));
      assert.equal(code, 1);
      assert.doesNotMatch(said, /frames/);
      assert.match(err, /^kmp-rtmp: cannot write to .*(no such folder|it is a folder); --out names another file\n$/);
    });
  }
});

describe('what came out, against what went in', () => {
  const frame = (n: number): OutFrame => ({
    created: 0,
    dts: n * 3600,
    ptsDelay: 0,
    key: true,
    data: Buffer.from([n]),
  });
  /** An AAC message by hand. */
  const message = (n: number, timestamp = n * 40): Parameters<FrameComparison['frameReceived']>[0] => ({
    kind: 'audio',
    timestamp,
    payload: Buffer.from([0xaf, 1, n]),
  });

  function compare(sent: number[], came: ReturnType<typeof message>[]): [lost: number, wrong: number, right: number] {
    const arrivals = new FrameComparison('audio', 90000);
    for (const n of sent) arrivals.sent(frame(n), n);
    for (const one of came) arrivals.frameReceived(one, 100);
    const { lost, wrong, delays } = arrivals.report();
    return [lost, wrong, delays.length];
  }

  it('whole and in order', () => {
    assert.deepEqual(compare([1, 2, 3], [message(1), message(2), message(3)]), [0, 0, 3]);
  });
  it('sequence headers do not count', () => {
    const header = { kind: 'audio', timestamp: 0, payload: Buffer.from([0xaf, 0, 0x12, 0x10]) } as const;
    assert.deepEqual(compare([1], [header, message(1)]), [0, 0, 1]);
  });
  it('lost in the middle, and at the end', () => {
    assert.deepEqual(compare([1, 2, 3, 4], [message(1), message(3)]), [2, 0, 2]);
  });
  it('damaged, twice, in another order, at another time', () => {
    assert.deepEqual(compare([1, 2], [message(1), message(9)]), [1, 1, 1]);
    assert.deepEqual(compare([1, 2], [message(1), message(1), message(2)]), [0, 1, 2]);
    assert.deepEqual(compare([1, 2], [message(2), message(1)]), [1, 1, 1]);
    assert.deepEqual(compare([1, 2], [message(1), message(2, 81)]), [1, 1, 1]);
  });
  it('percentiles', () => {
    const sorted = Array.from({ length: 200 }, (_, n) => n + 1);
    assert.deepEqual([percentile(sorted, 0.5), percentile(sorted, 0.99), percentile([], 0.5)], [100, 198, undefined]);
  });
});
