import { describe, it } from 'node:test';
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { BlockPool, type Block } from '../../lib/media/block.js';
import { Frame } from '../../lib/media/frame.js';
import {
  ARRIVED_AT,
  CHARGE,
  CREATED,
  DTS,
  FLAGS,
  FrameRing,
  MS,
  PTS_DELAY,
  SEQ,
  SIZE,
  START,
} from '../../lib/media/frame-ring.js';

/** A pool of its own: the one of the process is used by other specs, too. */
const pool = new BlockPool();

/** What a frame says, for comparison. */
interface Content {
  readonly seq: number;
  readonly created: number;
  readonly dts: number;
  readonly ms: number;
  readonly arrivedAt: number;
  readonly size: number;
  readonly flags: number;
  readonly ptsDelay: number;
  readonly charge: number;
}

function content(seq: number): Content {
  return {
    seq,
    // Beyond 32 bits, as real times are.
    created: 1.6e14 + seq,
    dts: 9e12 + 3 * seq,
    ms: 1e11 + seq,
    arrivedAt: 5000 + seq,
    size: 1 + (seq % 200),
    flags: seq % 3 === 0 ? 0x8000_0001 : 0,
    ptsDelay: seq % 2 === 0 ? -seq : seq,
    charge: 449 + (seq % 200),
  };
}

function contentOf(frame: Frame): Content {
  const { seq, created, dts, ms, arrivedAt, size, flags, ptsDelay, charge } = frame;
  return { seq, created, dts, ms, arrivedAt, size, flags, ptsDelay, charge };
}

/** A block whose payload of frame `seq` is full of the number of that frame. */
function blockWith(seqs: readonly number[]): Block {
  const block = pool.take(200 * seqs.length);
  for (const [i, seq] of seqs.entries()) block.memory.fill(seq, block.start + 200 * i, block.start + 200 * (i + 1));
  return block;
}

/** Adds frames in numbers, which are in one block. Its only holds are those of the ring afterwards. */
function addNumbers(ring: FrameRing, seqs: readonly number[]): Block {
  const block = blockWith(seqs);
  for (const [i, seq] of seqs.entries()) {
    const { created, dts, ms, arrivedAt, size, flags, ptsDelay, charge } = content(seq);
    const at = ring.add();
    ring.times[at + CREATED] = created;
    ring.times[at + DTS] = dts;
    ring.times[at + MS] = ms;
    ring.times[at + ARRIVED_AT] = arrivedAt;
    ring.times[at + SEQ] = seq;
    ring.sizes[at + SIZE] = size;
    ring.sizes[at + START] = block.start + 200 * i;
    ring.sizes[at + FLAGS] = flags;
    ring.sizes[at + PTS_DELAY] = ptsDelay;
    ring.sizes[at + CHARGE] = charge;
  }
  ring.commit(block);
  block.release();
  return block;
}

function objectOf(seq: number): Frame {
  const { created, dts, ms, arrivedAt, size, flags, ptsDelay, charge } = content(seq);
  const frame = new Frame(created, dts, flags, ptsDelay, size, Buffer.alloc(size, seq));
  Object.assign(frame, { ms, arrivedAt, charge, seq });
  return frame;
}

/** A step of a ring's life: how many frames, and how. */
const step = fc.record({
  what: fc.constantFrom('numbers', 'objects', 'shift', 'takeHead', 'unshift', 'look', 'cancelled'),
  count: fc.integer({ min: 1, max: 40 }),
});

describe('FrameRing', () => {
  it('gives back all frames in order with all their numbers, whether they were numbers or objects', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const ring = new FrameRing();
        const current = new Frame(NaN, NaN, 0, 0, 0, []);
        let next = 1000;
        let before = 999;
        let expected: number[] = [];
        const check = (frame: Frame | undefined): void => {
          const seq = expected[0];
          assert.ok(frame !== undefined && seq !== undefined);
          assert.deepEqual(contentOf(frame), content(seq));
          assert.deepEqual(frame.payload(), Buffer.alloc(content(seq).size, seq));
          expected = expected.slice(1);
        };
        for (const { what, count } of steps) {
          const seqs = Array.from({ length: count }, (_, i) => next + i);
          if (what === 'numbers' || what === 'objects') {
            next += count;
            expected.push(...seqs);
            if (what === 'numbers') addNumbers(ring, seqs);
            else for (const seq of seqs) ring.push(objectOf(seq));
          } else if (what === 'cancelled') {
            for (let i = 0; i < count; i++) ring.sizes[ring.add() + SIZE] = 77;
            ring.cancel();
          } else if (what === 'unshift') {
            ring.unshift(objectOf(before));
            expected.unshift(before--);
          } else if (what === 'look') {
            assert.equal(ring.at(count)?.seq, expected[count]);
          } else {
            for (let i = 0; i < count && expected.length > 0; i++) {
              const block = ring.headBlock;
              assert.equal(ring.headSeq, expected[0]);
              if (what === 'takeHead' && block !== undefined) {
                ring.takeHead(current, block);
                check(current);
                block.release();
              } else {
                const frame = ring.shift();
                check(frame);
                frame?.release();
              }
            }
          }
          assert.equal(ring.length, expected.length);
        }
        while (expected.length > 0) check(ring.shift());
        assert.equal(ring.shift(), undefined);
      }),
      { numRuns: 300 },
    );
  });

  it('keeps a block in use exactly as long as one of its frames waits, or is held by somebody else', () => {
    const used = pool.usedBytes;
    const ring = new FrameRing();
    addNumbers(ring, [1, 2, 3]);
    assert.ok(pool.usedBytes > used);
    const object = ring.shift();
    const current = new Frame(NaN, NaN, 0, 0, 0, []);
    const block = ring.headBlock;
    assert.ok(block !== undefined);
    ring.takeHead(current, block);
    block.release();
    const last = ring.at(0);
    ring.shift();
    last?.release();
    assert.ok(pool.usedBytes > used, 'the first frame is an object that still has its payload');
    object?.release();
    assert.equal(pool.usedBytes, used);
  });

  it('gives the memory of a burst back', () => {
    const ring = new FrameRing();
    addNumbers(
      ring,
      Array.from({ length: 5000 }, (_, i) => i),
    );
    const most = ring.times.length;
    while (ring.length > 10) ring.shift()?.release();
    assert.ok(ring.times.length < most / 50, `${ring.times.length} of ${most}`);
    assert.equal(ring.headSeq, 4990);
  });

  it('gives the memory of frames back that were added and not taken', () => {
    const ring = new FrameRing();
    for (let i = 0; i < 5000; i++) ring.add();
    const most = ring.times.length;
    ring.cancel();
    assert.ok(ring.times.length < most / 50, `${ring.times.length} of ${most}`);
  });
});
