import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { KmpRtmpError } from '../../lib/base/errors.js';
import { openSource } from '../../lib/source/open.js';
import type { SourceFrame } from '../../lib/source/source.js';

const FOLDER = join('spec', 'fixtures', 'media');

describe('files that are damaged, or are none', () => {
  let folder = '';
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'kmp-rtmp-'));
  });
  after(() => rmSync(folder, { recursive: true }));

  function file(bytes: Buffer | string): string {
    const path = join(folder, `${Math.random()}`);
    writeFileSync(path, bytes);
    return path;
  }

  async function readAll(path: string): Promise<{ frames: SourceFrame[][]; warnings: string[] }> {
    const warnings: string[] = [];
    const source = await openSource(path, { onWarning: (message) => warnings.push(message) });
    const frames: SourceFrame[][] = [];
    for (const track of source.tracks) {
      const list: SourceFrame[] = [];
      for await (const frame of track.frames()) list.push(frame);
      frames.push(list);
    }
    await source.close();
    return { frames, warnings };
  }

  async function codeOf(path: string): Promise<string> {
    try {
      const source = await openSource(path);
      await source.close();
      return 'none';
    } catch (error) {
      assert.ok(error instanceof KmpRtmpError, String(error));
      assert.ok(error.message.includes(path), error.message);
      return error.code;
    }
  }

  it('a file that is not there, or no media', async () => {
    assert.equal(await codeOf(join(folder, 'nothing.mp4')), 'source_open');
    assert.equal(await codeOf(folder), 'source_open');
    assert.equal(await codeOf(file('')), 'source_format');
    assert.equal(await codeOf(file('just some text, and no media at all')), 'source_format');
    assert.equal(await codeOf(file(Buffer.alloc(5000, 0x5a))), 'source_format');
    assert.equal(await codeOf(file(Buffer.from('464c5601050000000900000000', 'hex'))), 'source_no_tracks');
  });

  it('a file that claims an index of gigabytes is refused, and the process lives', async () => {
    // The sizes are true: the files are that long, but sparse.
    const ftyp = Buffer.from('00000018667479706d703432000000006d70343269736f6d', 'hex');
    const moov = Buffer.from('fffffff06d6f6f76', 'hex');
    const large = Buffer.from('000000016d6f6f760000000100000000', 'hex');
    const ebml = Buffer.from('1a45dfa3934286810142f7810142f2810442f381084282886d6174726f736b61', 'hex');
    const tracks = Buffer.from('18538067 01ffffffffffffff 1654ae6b 08f0000000'.replaceAll(' ', ''), 'hex');
    for (const bytes of [Buffer.concat([ftyp, moov]), Buffer.concat([ftyp, large]), Buffer.concat([ebml, tracks])]) {
      const path = file(bytes);
      truncateSync(path, 4_400_000_000);
      const before = process.memoryUsage().rss;
      assert.match(await codeOf(path), /^source_/);
      const grown = process.memoryUsage().rss - before;
      assert.ok(grown < 700 * 2 ** 20, `${grown} bytes more`);
    }
  });

  it('an FLV file that was cut gives all whole frames, and says where it ends', async () => {
    const bytes = readFileSync(join(FOLDER, 'h264-mp3.flv'));
    const whole = await readAll(join(FOLDER, 'h264-mp3.flv'));
    const cut = await readAll(file(bytes.subarray(0, 20000)));
    assert.deepEqual(cut.frames[0], whole.frames[0]?.slice(0, cut.frames[0]?.length));
    assert.ok((cut.frames[0]?.length ?? 0) > 30);
    assert.equal(cut.warnings.length, 1);
    assert.match(cut.warnings[0] ?? '', /ends in the middle of the tag at byte 1\d{4}$/);
  });

  it('an FLV file with rubbish in it gives all up to there, and says where that is', async () => {
    const bytes = readFileSync(join(FOLDER, 'h264-mp3.flv'));
    for (const at of [13000, 20000]) {
      const damaged = Buffer.from(bytes);
      damaged.fill(0xee, at);
      const { frames, warnings } = await readAll(file(damaged));
      assert.ok((frames[0]?.length ?? 0) > 10);
      assert.match(warnings[0] ?? '', /is damaged at byte \d+: there is no tag, but type 14; the rest is left out/);
    }
  });

  it('an FLV file cut at every place opens or is refused, and never throws anything else', async () => {
    const bytes = readFileSync(join(FOLDER, 'h264-mp3.flv'));
    for (let size = 0; size < 4000; size += 53) {
      const path = file(bytes.subarray(0, size));
      try {
        await readAll(path);
      } catch (error) {
        assert.ok(error instanceof KmpRtmpError, String(error));
      }
    }
  });

  it('an MP4 file whose media data was cut gives what is there', async () => {
    // Fragments: each has its own index, so that what was cut is only the tail.
    const bytes = readFileSync(join(FOLDER, 'fragmented.mp4'));
    const { frames } = await readAll(file(bytes.subarray(0, 16000)));
    assert.ok((frames[0]?.length ?? 0) >= 20, `${frames[0]?.length}`);
  });

  it('an MP4 file with its index in front, and its end cut off, gives what is there, and says so', async () => {
    const bytes = readFileSync(join('assets', 'sample.mp4'));
    const { frames, warnings } = await readAll(file(bytes.subarray(0, 100_000)));
    assert.ok((frames[0]?.length ?? 0) > 50 && (frames[0]?.length ?? 0) < 150, `${frames[0]?.length}`);
    assert.match(warnings.join('\n'), /video track 1 ends early: the rest of the file is missing/);
  });

  it('a Matroska file that was cut gives what is there', async () => {
    const bytes = readFileSync(join(FOLDER, 'hevc-opus.mkv'));
    const { frames } = await readAll(file(bytes.subarray(0, 15_000)));
    assert.ok((frames[0]?.length ?? 0) > 20 && (frames[0]?.length ?? 0) < 60, `${frames[0]?.length}`);
  });

  it('an MP4 file that claims billions of frames is refused before room is made for them', async () => {
    const rows: [string, string, number][] = [
      ...([
        ['h264-aac.mp4', 'stts', 8],
        ['h264-aac.mp4', 'ctts', 16],
        ['h264-aac.mp4', 'stsz', 8],
        ['h264-aac.mp4', 'stsc', 12],
      ] as [string, string, number][]),
      ['fragmented.mp4', 'trun', 4],
    ];
    for (const [name, box, at] of rows) {
      const bytes = readFileSync(join(FOLDER, name));
      bytes.writeUInt32BE(0x7fffffff, bytes.indexOf(box) + 4 + at);
      await assert.rejects(openSource(file(bytes)), {
        code: 'source_format',
        message: new RegExp(`the box "${box}" at byte \\d+ speaks of \\d{10} frames`),
      });
    }
  });

  it('an MP4 file whose tables claim entries that they have no room for is refused', async () => {
    for (const box of ['stts', 'ctts', 'stsc']) {
      const bytes = readFileSync(join(FOLDER, 'h264-aac.mp4'));
      bytes.writeUInt32BE(200, bytes.indexOf(box) + 8);
      await assert.rejects(openSource(file(bytes)), {
        code: 'source_format',
        message: /more entries than fit into it/,
      });
    }
  });

  it('an MP4 file half in its index and half in fragments is refused: half of it would be lost', async () => {
    await assert.rejects(openSource(join(FOLDER, 'hybrid.mp4')), {
      code: 'source_format',
      message: /hybrid\.mp4 .*the rest in fragments.*remux it with ffmpeg/,
    });
  });

  it('an MP4 file without its index is refused', async () => {
    const bytes = readFileSync(join(FOLDER, 'h264-aac.mp4'));
    assert.match(await codeOf(file(bytes.subarray(0, 15000))), /^source_/);
  });
});
