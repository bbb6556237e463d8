import { describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseDump } from '../../lib/kmp/dump.js';
import { Frame } from '../../lib/media/frame.js';
import { plain } from './plain.js';

const folder = fileURLToPath(new URL('../../../spec/golden/data/', import.meta.url));

/** Counted with another program when the recordings were taken in. */
const counts: Record<string, [codec: number, timescale: number, frames: number, keys: number, bytes: number]> = {
  'av/a.kmp': [1010, 90000, 88, 88, 16243],
  'av/v.kmp': [7, 90000, 60, 2, 41913],
  'chunk-128/a.kmp': [1010, 90000, 20, 20, 4583],
  'chunk-128/v.kmp': [7, 90000, 12, 2, 13976],
  'hevc/a.kmp': [1010, 48000, 80, 80, 12000],
  'hevc/v.kmp': [8, 12800, 50, 2, 46890],
  'mp3-only/a.kmp': [1002, 90000, 78, 78, 16300],
  'proxy-header/a.kmp': [1010, 90000, 10, 10, 1711],
  'proxy-header/v.kmp': [7, 90000, 10, 1, 7025],
  'two-streams/a1.kmp': [1010, 90000, 88, 88, 16243],
  'two-streams/a2.kmp': [1010, 90000, 30, 30, 6298],
  'two-streams/v1.kmp': [7, 90000, 60, 2, 41913],
  'two-streams/v2.kmp': [7, 90000, 20, 2, 20832],
  'video-only/v.kmp': [7, 90000, 60, 2, 41913],
};

/** Goes through a recording by nothing but the offsets of docs/protocol/kmp.md, Packet. */
function walk(bytes: Buffer): object[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const frames: object[] = [];
  for (let at = 0; at < bytes.length;) {
    const headerSize = view.getUint32(at + 4, true);
    const size = view.getUint32(at + 8, true);
    const data = bytes.subarray(at + headerSize, at + headerSize + size);
    if (bytes.toString('latin1', at, at + 4) === 'fram') {
      frames.push({
        kind: 'frame',
        created: Number(view.getBigInt64(at + 16, true)),
        dts: Number(view.getBigInt64(at + 24, true)),
        flags: view.getUint32(at + 32, true),
        ptsDelay: view.getInt32(at + 36, true),
        size,
        payload: data.toString('hex'),
      });
    }
    at += headerSize + size;
  }
  return frames;
}

describe('KMP recordings of a real sender', () => {
  const names = readdirSync(folder, { recursive: true })
    .map((name) => String(name).replaceAll('\\', '/'))
    .filter((name) => name.endsWith('.kmp'));

  it('are all known here', () => assert.deepEqual(names.sort(), Object.keys(counts).sort()));

  for (const [name, [codec, timescale, count, keys, bytes]] of Object.entries(counts)) {
    it(`${name} is read whole`, () => {
      const recording = readFileSync(folder + name);
      const { packets, error } = parseDump(recording);
      assert.equal(error, undefined);
      const [info, ...rest] = packets;
      assert(info !== undefined && !(info instanceof Frame) && info.kind === 'mediaInfo');
      assert.deepEqual([info.info.codecId, info.info.timescale], [codec, timescale]);
      assert.deepEqual(rest.pop(), { kind: 'end' });
      const frames = rest.filter((packet) => packet instanceof Frame);
      assert.equal(frames.length, rest.length);
      assert.equal(frames.length, count);
      assert.equal(frames.filter((frame) => frame.isKey).length, keys);
      assert.equal(
        frames.reduce((sum, frame) => sum + frame.size, 0),
        bytes,
      );
      assert.deepEqual(frames.map(plain), walk(recording));
    });
  }
});
