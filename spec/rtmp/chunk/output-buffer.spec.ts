import { describe, it } from 'node:test';
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { OutputBuffer } from '../../../lib/rtmp/chunk/output-buffer.js';
import { heldBufferBytes } from '../../support/node/collect-garbage.js';

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

  it('bytes that were taken do not change', () => {
    const out = new OutputBuffer();
    out.append(Buffer.from('first'));
    const first = out.take();
    out.append(Buffer.from('other'));
    assert.equal(Buffer.concat(first).toString(), 'first');
    assert.equal(Buffer.concat(out.take()).toString(), 'other');
  });

  it('the last bytes that were taken do not change either', async () => {
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

  describe('direct', () => {
    const direct = (): OutputBuffer => {
      const out = new OutputBuffer();
      out.pooled = true;
      out.direct = true;
      return out;
    };
    /** Pieces of all sizes, in front of each a byte that is written in place. */
    const fill = (out: OutputBuffer, sizes: readonly number[], seed: number): Buffer => {
      const all: Buffer[] = [];
      for (const [i, size] of sizes.entries()) {
        const piece = Buffer.alloc(size + 9, seed + i);
        out.reserve(1);
        out.slab[out.pos++] = i;
        out.append(piece, 4, 4 + size);
        all.push(Buffer.of(i), piece.subarray(4, 4 + size));
      }
      return Buffer.concat(all);
    };
    /** A copy of what it has in one piece. */
    const onePiece = ({ inOnePiece, length }: OutputBuffer): Buffer | undefined =>
      inOnePiece === undefined ? undefined : Buffer.from(inOnePiece.subarray(0, length));
    const SIZES = [1, 700, 769, 5000, 0, 70_000, 3, 2000];

    it('has the bytes in one piece', () => {
      const out = direct();
      const expected = fill(out, SIZES, 1);
      assert.deepEqual(onePiece(out), expected);
      // Only the small pieces and the bytes between them count as copied.
      assert.equal(out.copied, expected.length - 769 - 5000 - 70_000 - 2000);
      out.clear();
      assert.equal(out.length, 0);
      assert.equal(out.copied, 0);
      assert.deepEqual(out.take(), []);
    });

    it('gives the same list as an ordinary one, if the bytes are taken', () => {
      const out = direct();
      const ordinary = new OutputBuffer();
      const expected = fill(out, SIZES, 1);
      fill(ordinary, SIZES, 1);
      const taken = out.take();
      assert.ok(Buffer.concat(taken).equals(expected));
      assert.deepEqual(
        taken.map(({ length }) => length),
        ordinary.take().map(({ length }) => length),
      );
      for (const block of out.takeBlocks()) block.release();
      assert.equal(onePiece(out), undefined);
      const next = fill(out, SIZES, 7);
      assert.deepEqual(onePiece(out), next);
      out.clear();
    });

    it('keeps its bytes when another one begins, and goes on behind them', () => {
      const [one, other] = [direct(), direct()];
      const first = fill(one, SIZES, 1);
      const second = fill(other, SIZES, 100);
      assert.equal(onePiece(one), undefined);
      const third = fill(one, SIZES, 50);
      assert.deepEqual(onePiece(other), second);
      assert.equal(one.length, first.length + third.length);
      assert.ok(Buffer.concat(one.take()).equals(Buffer.concat([first, third])));
      assert.ok(Buffer.concat(other.take()).equals(second));
    });

    it('takes more than the shared memory has, in small pieces or large ones', () => {
      for (const size of [340, 60_000, 600_000]) {
        const out = direct();
        const expected = fill(out, new Array<number>(Math.ceil(1_200_000 / size)).fill(size), 3);
        assert.equal(out.length, expected.length);
        assert.ok(Buffer.concat(out.take()).equals(expected));
      }
    });

    it('keeps no payload in use that was sent or forgotten', () => {
      const out = direct();
      fill(out, [1000], 1);
      const before = heldBufferBytes();
      fill(out, [400_000], 1);
      assert.notEqual(onePiece(out), undefined);
      out.clear();
      assert.ok(heldBufferBytes() - before < 300_000);
    });

    it('has the same bytes as an ordinary one, whatever others do meanwhile', () => {
      const size = fc.oneof(fc.integer({ min: 0, max: 1000 }), fc.integer({ min: 0, max: 300_000 }));
      const act = fc.record({ of: fc.integer({ min: 0, max: 2 }), size, take: fc.boolean(), clear: fc.boolean() });
      fc.assert(
        fc.property(fc.array(act, { maxLength: 40 }), (acts) => {
          const parties = [0, 1, 2].map(() => ({ out: direct(), ordinary: new OutputBuffer() }));
          for (const [i, { of, size, take, clear }] of acts.entries()) {
            const party = parties[of];
            if (party === undefined) continue;
            const { out, ordinary } = party;
            for (const one of [out, ordinary]) fill(one, [size, 3], i);
            assert.equal(out.length, ordinary.length);
            assert.equal(out.copied, ordinary.copied);
            const whole = onePiece(out);
            if (!take && (!clear || whole === undefined)) continue;
            const expected = Buffer.concat(ordinary.take());
            if (whole !== undefined) assert.ok(whole.equals(expected));
            if (take) assert.ok(Buffer.concat(out.take()).equals(expected));
            else out.clear();
            for (const block of out.takeBlocks()) block.release();
          }
          for (const { out } of parties) {
            out.take();
            for (const block of out.takeBlocks()) block.release();
          }
        }),
        { numRuns: 200 },
      );
    });
  });
});
