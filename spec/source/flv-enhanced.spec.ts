import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { openSource } from '../../lib/source/open.js';
import type { SourceTrack } from '../../lib/source/source.js';

/** A tag by hand: `hex` is its body. */
function tag(type: 8 | 9 | 18, time: number, hex: string): Buffer {
  const body = Buffer.from(hex.replaceAll(' ', ''), 'hex');
  const out = Buffer.alloc(11 + body.length + 4);
  out[0] = type;
  out.writeUIntBE(body.length, 1, 3);
  out.writeUIntBE(time & 0xffffff, 4, 3);
  out[7] = time >>> 24;
  body.copy(out, 11);
  out.writeUInt32BE(11 + body.length, 11 + body.length);
  return out;
}
const HEADER = Buffer.from('464c56010500000009 00000000'.replace(' ', ''), 'hex');
const hvc1 = '68766331';

describe('FLV tags by hand', () => {
  let folder = '';
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'kmp-rtmp-'));
  });
  after(() => rmSync(folder, { recursive: true }));

  /** Codec, private data and frames (`dts+delay data`, ! for a key frame) of each track, and the warnings. */
  async function read(...tags: Buffer[]): Promise<{ tracks: unknown[][]; warnings: string[] }> {
    const path = join(folder, `${Math.random()}.flv`);
    writeFileSync(path, Buffer.concat([HEADER, ...tags]));
    const warnings: string[] = [];
    const source = await openSource(path, { onWarning: (message) => warnings.push(message.replace(`${path} `, '')) });
    const tracks: unknown[][] = [];
    for (const track of source.tracks)
      tracks.push([track.info.codecId, hex(track.info.extraData), await framesOf(track)]);
    await source.close();
    return { tracks, warnings };
  }
  const hex = (data: Buffer): string => data.toString('hex');
  async function framesOf(track: SourceTrack): Promise<string[]> {
    const lines: string[] = [];
    for await (const { dts, ptsDelay, key, data, info } of track.frames()) {
      const changed = info === undefined ? '' : ` now ${hex(info.extraData)}`;
      lines.push(`${dts / 90}+${ptsDelay / 90} ${hex(data)}${key ? '!' : ''}${changed}`);
    }
    return lines;
  }

  it('enhanced H.265: sequence start, frames with and without a composition time, the end', async () => {
    const { tracks } = await read(
      tag(9, 0, `90 ${hvc1} 0101600000`),
      tag(9, 0, `91 ${hvc1} 000050 00000002aa01`),
      tag(9, 40, `a3 ${hvc1} 00000002bb01`),
      tag(9, 80, `a1 ${hvc1} ffffd8 00000002cc01`),
      tag(9, 80, `92 ${hvc1}`),
    );
    assert.deepEqual(tracks, [[8, '0101600000', ['0+80 00000002aa01!', '40+0 00000002bb01', '80+-40 00000002cc01']]]);
  });

  it('enhanced audio: Opus, AC-3, AAC, and a ModEx prefix', async () => {
    const opusHead = '4f707573486561640102380180bb0000000000';
    const opus = await read(
      tag(8, 0, `90 4f707573 ${opusHead}`),
      tag(8, 0, '91 4f707573 fc01'),
      tag(8, 20, '91 4f707573 fc02'),
    );
    assert.deepEqual(opus.tracks, [[1018, opusHead, ['0+0 fc01!', '20+0 fc02!']]]);
    const ac3 = await read(tag(8, 0, '91 61632d33 0b77fc8a08404000'));
    assert.deepEqual(ac3.tracks, [[1016, '', ['0+0 0b77fc8a08404000!']]]);
    const aac = await read(tag(8, 0, '90 6d703461 1210'), tag(8, 23, '97 02 000001 01 6d703461 2110'));
    assert.deepEqual(aac.tracks, [[1010, '1210', ['23+0 2110!']]]);
  });

  it('legacy AAC and H.264 with a composition time, past 2^24 ms', async () => {
    const { tracks } = await read(
      tag(18, 0, '02000a6f6e4d65746144617461 05'),
      tag(9, 0, '17 00 000000 0164001e'),
      tag(8, 0, 'af 00 1210'),
      tag(9, 0x1000010, '17 01 000028 0000000165'),
      tag(8, 0x1000012, 'af 01 2110'),
    );
    assert.deepEqual(tracks, [
      [7, '0164001e', ['16777232+40 0000000165!']],
      [1010, '1210', ['16777234+0 2110!']],
    ]);
  });

  it('a sequence header that changes goes with the next frame, one that is repeated does not', async () => {
    const { tracks } = await read(
      tag(9, 0, '17 00 000000 0164001e'),
      tag(9, 0, '17 01 000000 0000000165'),
      tag(9, 40, '17 00 000000 0164001e'),
      tag(9, 40, '27 01 000000 0000000141'),
      tag(9, 80, '17 00 000000 0164001f'),
      tag(9, 80, '17 01 000000 0000000165'),
    );
    assert.deepEqual(tracks, [
      [7, '0164001e', ['0+0 0000000165!', '40+0 0000000141', '80+0 0000000165! now 0164001f']],
    ]);
  });

  it('says what it leaves out: further tracks, codecs that KMP has no name for, frames that no one can decode', async () => {
    const { tracks, warnings } = await read(
      tag(9, 0, '17 00 000000 0164001e'),
      tag(9, 0, '17 01 000000 0000000165'),
      tag(9, 40, `96 00 ${hvc1} 01 0101`),
      tag(8, 40, 'b2 00 00'),
    );
    assert.deepEqual(tracks, [[7, '0164001e', ['0+0 0000000165!']]]);
    assert.deepEqual(warnings, [
      'has a second video track, which is left out',
      'has sound format 11, which is left out',
    ]);
    const headless = await read(tag(8, 0, '2f fffb9064'), tag(9, 0, '17 01 000000 0000000165'));
    assert.deepEqual(headless.tracks, [[1002, '', ['0+0 fffb9064!']]]);
    assert.deepEqual(headless.warnings, ['has video without a sequence header, which is left out']);
  });
});
