import { describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { OutputBuffer } from '../../../lib/rtmp/chunk/output-buffer.js';
import { heldBufferBytes } from '../../support/collect-garbage.js';

describe('OutputBuffer', () => {
  it('gives back what was put in, in order, whatever the sizes', () => {
    const out = new OutputBuffer();
    const all: Buffer[] = [];
    let total = 0;
    for (let i = 0; i < 400; i++) {
      const piece = Buffer.alloc((i * 37) % 2000, i & 255);
      all.push(piece);
      out.append(piece);
      out.reserve(3);
      out.slab[out.pos++] = 0xee;
      all.push(Buffer.of(0xee));
      total += piece.length + 1;
      assert.equal(out.length, total);
    }
    assert.ok(Buffer.concat(out.take()).equals(Buffer.concat(all)));
    assert.equal(out.length, 0);
    assert.deepEqual(out.take(), []);
  });

  it('what was taken stays as it is', () => {
    const out = new OutputBuffer();
    out.append(Buffer.from('first'));
    const first = out.take();
    out.append(Buffer.from('other'));
    assert.equal(Buffer.concat(first).toString(), 'first');
    assert.equal(Buffer.concat(out.take()).toString(), 'other');
  });

  it('what was taken and is all that is left of it stays as it is, too', async () => {
    const out = new OutputBuffer();
    const kept: Buffer[] = [];
    for (let i = 0; i < 50; i++) {
      out.append(Buffer.alloc(700, i));
      kept.push(...out.take());
    }
    // What was lost is known in a turn of its own.
    for (let i = 0; i < 5; i++) {
      heldBufferBytes();
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    for (let i = 0; i < 50; i++) {
      out.append(Buffer.alloc(700, 0xff));
      out.take();
    }
    assert.deepEqual([...new Set(kept.flatMap((piece, i) => (piece.every((byte) => byte === i) ? [] : [i])))], []);
  });

  it('uses the memory of what was sent again, and only of that', () => {
    const out = new OutputBuffer();
    out.pooled = true;
    out.append(Buffer.from('on its way'));
    const onItsWay = out.take();
    out.append(Buffer.from('sent'));
    const sent = out.take();
    for (const block of out.takeBlocks()) block.release();
    out.append(Buffer.from('next'));
    assert.equal(out.take()[0]?.buffer, sent[0]?.buffer);
    assert.equal(Buffer.concat(onItsWay).toString(), 'on its way');
  });

  it('copies small pieces, so that they hold no read buffer, and passes on large ones', () => {
    const out = new OutputBuffer();
    const small = Buffer.alloc(200, 1);
    const large = Buffer.alloc(5000, 2);
    out.append(small);
    out.append(large);
    out.append(large, 1000, 4000);
    const taken = out.take();
    assert.equal(taken.length, 3);
    assert.notEqual(taken[0]?.buffer, small.buffer);
    assert.equal(taken[1], large);
    assert.equal(taken[2]?.buffer, large.buffer);
    assert.equal(taken[2]?.length, 3000);
  });

  it('reserves more than a slab has', () => {
    const out = new OutputBuffer();
    out.append(Buffer.from('a'));
    out.reserve(100_000);
    assert.ok(out.slab.length - out.pos >= 100_000);
    out.slab[out.pos++] = 0x62;
    assert.equal(Buffer.concat(out.take()).toString(), 'ab');
  });
});
