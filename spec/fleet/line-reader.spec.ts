import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { LineReader } from '../../lib/fleet/peers/line-reader.js';

describe('the lines of an answer', () => {
  const linesOf = (reader: LineReader, chunk: Buffer): string[] => Array.from(reader.take(chunk), String);

  it('come in any pieces', () => {
    const reader = new LineReader();
    const text = `one\n\n${'two'.repeat(5000)}\nthree`;
    for (const size of [1, 7, 4096, text.length]) {
      const bytes = Buffer.from(`${text}\n`);
      const lines: string[] = [];
      for (let at = 0; at < bytes.length; at += size) lines.push(...linesOf(reader, bytes.subarray(at, at + size)));
      assert.deepEqual(lines, text.split('\n'));
      assert.equal(reader.pending, 0);
    }
  });

  it('do not keep the memory of the pieces', () => {
    const reader = new LineReader();
    const piece = Buffer.from('a');
    assert.deepEqual(linesOf(reader, piece), []);
    piece.fill('x');
    assert.equal(reader.pending, 1);
    assert.deepEqual(linesOf(reader, Buffer.from('b\nc')), ['ab']);
    assert.equal(reader.pending, 1);
  });
});
