import { describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { BlockPool, type Block } from '../../lib/media/block.js';
import { eventually } from '../support/time/eventually.js';

describe('blocks', () => {
  it('are as large as was asked for, and at most a page larger, up to 256 KiB', () => {
    const pool = new BlockPool();
    for (const wanted of [0, 1, 4096, 4097, 30_000, 100_000, 262_144]) {
      const { length } = pool.take(wanted).buffer;
      assert.ok(length >= wanted && length <= Math.max(4096, wanted + 4095), `${length} for ${wanted}`);
    }
    assert.equal(pool.take(1e6).buffer.length, 262_144);
  });

  it('are used again when all holders have released them, and not before', () => {
    const pool = new BlockPool();
    const first = pool.take(10_000);
    const at = first.buffer.byteOffset;
    first.retain();
    first.release();
    assert.notEqual(pool.take(10_000).buffer.byteOffset, at);
    first.used = 7;
    first.release();
    const third = pool.take(10_000);
    assert.equal(third.buffer.byteOffset, at);
    assert.equal(third.used, 0);
    assert.equal(pool.usedBytes, 2 * 12_288);
  });

  it('give back the pages in which nothing is', () => {
    const pool = new BlockPool();
    const block = pool.take(100_000);
    block.used = 4097;
    block.shorten();
    assert.equal(block.buffer.length, 8192);
    assert.equal(pool.usedBytes, 8192);
    block.release();
    assert.equal(pool.usedBytes, 0);
  });

  it('that were lost come back once they are collected', async () => {
    const pool = new BlockPool();
    const blocks: Block[] = Array.from({ length: 100 }, () => pool.take(100_000));
    assert.ok(pool.usedBytes >= 10_000_000);
    blocks.length = 0;
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    await eventually(() => {
      collect();
      return pool.usedBytes === 0;
    }, 'all to be collected');
  });
});
