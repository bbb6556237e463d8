import { describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { Batch } from '../support/media/merge-bench.js';
import { MergeBench, NamedQueue } from '../support/media/merge-bench.js';

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('what leaves the merger', () => {
  it('is pushed on when the buffer is full', () => {
    const bench = new MergeBench({ minDelay: 0, bufferSize: 30, flushTimeout: 500 }).read();
    bench.arrive(bench.track('v'), 0, 1, 2, 3, 4, 5, 6);
    assert.deepEqual(bench.batches, [
      ['v0', 'v1', 'v2'],
      ['v3', 'v4', 'v5'],
    ]);
  });

  it('else flush_timeout after it was begun, whatever comes later', () => {
    const bench = new MergeBench({ minDelay: 0, flushTimeout: 500 }).read();
    const v = bench.track('v');
    bench.arrive(v, 0);
    bench.pass(499);
    bench.arrive(v, 499);
    assert.deepEqual(bench.batches, []);
    bench.pass(1);
    assert.deepEqual(bench.batches, [['v0', 'v499']]);
    bench.pass(5000);
    assert.equal(bench.batches.length, 1);
    assert.equal(bench.clock.pending, 0);
  });

  it('or when all that is due is written and it is enough', () => {
    const bench = new MergeBench({ minDelay: 0, bufferSize: 100, flushSize: 30, flushTimeout: 500 }).read();
    const v = bench.track('v');
    bench.arrive(v, 0, 1);
    assert.deepEqual(bench.batches, []);
    bench.arrive(v, 2);
    assert.deepEqual(bench.batches, [['v0', 'v1', 'v2']]);
    bench.arrive(v, 3, 4, 5, 6, 7);
    assert.deepEqual(bench.batches[1], ['v3', 'v4', 'v5', 'v6', 'v7']);
  });

  it('flush_timeout after it was begun, though another frame is due later only', () => {
    const bench = new MergeBench({ minDelay: 1000, maxDelay: 2000, flushTimeout: 100 }).read();
    const v = bench.track('v');
    bench.arrive(v, 0);
    bench.pass(500);
    bench.arrive(v, 500);
    bench.pass(500);
    // v0 is encoded, and v500 due in half a second.
    bench.pass(99);
    assert.deepEqual(bench.batches, []);
    bench.pass(1);
    assert.deepEqual(bench.batches, [['v0']]);
  });

  it('counts from zero after a full buffer', () => {
    const bench = new MergeBench({ minDelay: 0, bufferSize: 30, flushTimeout: 500 }).read();
    const v = bench.track('v');
    bench.arrive(v, 0);
    bench.pass(300);
    bench.arrive(v, 1, 2, 3);
    bench.pass(499);
    assert.equal(bench.batches.length, 1);
    bench.pass(1);
    assert.deepEqual(bench.batches[1], ['v3']);
  });

  it('with flush_timeout 0 all that is due goes at once, and as one', () => {
    const bench = new MergeBench({ flushTimeout: 0 }).read();
    const [v, a] = [bench.track('v'), bench.track('a')];
    bench.arrive(v, 0, 40);
    bench.arrive(a, 10, 50);
    bench.pass(500);
    assert.deepEqual(bench.batches, [['v0', 'a10', 'v40', 'a50']]);
  });

  it('flush() pushes on what there is, and nothing if there is none', () => {
    const bench = new MergeBench({ minDelay: 0, flushTimeout: 500 }).read();
    bench.merger.flush();
    bench.arrive(bench.track('v'), 0);
    bench.merger.flush();
    assert.deepEqual(bench.batches, [['v0']]);
  });

  it('stops when nobody takes it, and goes on when somebody does', async () => {
    const bench = new MergeBench({ minDelay: 0, bufferSize: 10 });
    const v = bench.track('v');
    await turn();
    bench.arrive(v, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9);
    // Two batches lie ready; the rest waits as frames, and costs no timer.
    assert.deepEqual(bench.order, ['v0', 'v1']);
    assert.equal(v.length, 8);
    bench.pass(10_000);
    assert.equal(v.length, 8);
    assert.equal(bench.clock.pending, 0);
    // Arrivals do not get through either.
    bench.arrive(v, 10);
    assert.equal(v.length, 9);
    assert.deepEqual(bench.merger.read(), ['v0']);
    await turn();
    assert.deepEqual(bench.order, ['v0', 'v1', 'v2']);
    const rest: Batch[] = [];
    bench.merger.on('data', (batch: Batch) => rest.push(batch));
    while (v.length > 0) await turn();
    await turn();
    assert.deepEqual(rest.flat(), ['v1', 'v2', 'v3', 'v4', 'v5', 'v6', 'v7', 'v8', 'v9', 'v10']);
  });

  it('is all there in the end, when more comes while nobody takes it', async () => {
    const bench = new MergeBench({ minDelay: 0, bufferSize: 10 });
    const v = bench.track('v');
    await turn();
    const names: string[] = [];
    for (let i = 0; i < 40; i++) {
      bench.arrive(v, i);
      names.push(`v${i}`);
    }
    await turn();
    const rest: Batch[] = [];
    bench.merger.on('data', (batch: Batch) => rest.push(batch));
    for (let i = 0; i < 100; i++) await turn();
    assert.deepEqual(rest.flat(), names);
  });

  it('waits with one timer, whatever comes', () => {
    const bench = new MergeBench({ flushTimeout: 300 }).read();
    const [v, a] = [bench.track('v'), bench.track('a')];
    for (let ms = 0; ms < 400; ms += 10) {
      bench.arrive(v, ms);
      bench.arrive(a, 400 - ms);
      bench.pass(10);
      assert.equal(bench.clock.pending, 1);
    }
  });

  it('takes frames in however many wait', async () => {
    const bench = new MergeBench();
    const v = bench.track('v');
    for (let i = 0; i < 1000; i++) {
      assert.equal(bench.merger.write({ queue: v, frames: [bench.frame(i)] }), true);
      if (i % 10 === 0) await turn();
    }
    assert.equal(v.length, 1000);
  });

  it('while held, no frame is written; what was encoded may go', () => {
    const bench = new MergeBench({ minDelay: 0, flushTimeout: 500 }).read();
    const v = bench.track('v');
    bench.arrive(v, 0);
    bench.merger.hold(true);
    bench.arrive(v, 1);
    bench.pass(500);
    assert.deepEqual(bench.batches, [['v0']]);
    bench.pass(5000);
    assert.equal(v.length, 1);
    assert.equal(bench.clock.pending, 0);
    bench.merger.hold(false);
    assert.deepEqual(bench.order, ['v0', 'v1']);
  });

  it('while held, costs no timer, though the time of frames comes', () => {
    const bench = new MergeBench().read();
    const v = bench.track('v');
    bench.arrive(v, 0);
    bench.merger.hold(true);
    bench.pass(500);
    assert.equal(bench.clock.pending, 0);
    bench.pass(5000);
    assert.deepEqual(bench.order, []);
    bench.merger.hold(false);
    assert.deepEqual(bench.order, ['v0']);
  });

  it('after stopWaiting, queued frames are written at once, in order, and so are new ones', () => {
    const bench = new MergeBench().read();
    const [v, a] = [bench.track('v'), bench.track('a')];
    bench.arrive(v, 0, 40);
    bench.arrive(a, 10);
    bench.merger.stopWaiting();
    assert.deepEqual(bench.order, ['v0', 'a10', 'v40']);
    bench.arrive(v, 80);
    assert.deepEqual(bench.order.at(-1), 'v80');
  });

  it('the last frame of a track that has ended is reported, once', () => {
    const bench = new MergeBench().read();
    const v = bench.track('v');
    bench.arrive(v, 0, 40);
    v.ended = true;
    bench.merger.changed();
    assert.deepEqual(bench.sink.gone, []);
    bench.pass(500);
    assert.deepEqual(bench.sink.gone, ['v']);
  });

  it('a track that is taken out is not written any more', () => {
    const bench = new MergeBench().read();
    const [v, a] = [bench.track('v'), bench.track('a')];
    bench.arrive(v, 0);
    bench.arrive(a, 10);
    bench.merger.remove(v);
    bench.pass(500);
    assert.deepEqual(bench.order, ['a10']);
    assert.equal(v.length, 1);
  });

  it('one that takes no part is taken out without harm to the others', () => {
    const bench = new MergeBench().read();
    const v = bench.track('v');
    bench.merger.remove(new NamedQueue('stranger'));
    bench.arrive(v, 0);
    bench.pass(500);
    assert.deepEqual(bench.order, ['v0']);
  });

  it('with nothing left to write, ends without another batch', async () => {
    const bench = new MergeBench({ minDelay: 0 }).read();
    bench.arrive(bench.track('v'), 0);
    bench.merger.end();
    await once(bench.merger, 'end');
    assert.deepEqual(bench.batches, [['v0']]);
  });

  it('at its end writes what waits, however slowly it is taken, and then ends', async () => {
    const bench = new MergeBench({ bufferSize: 10 });
    const v = bench.track('v');
    bench.arrive(v, 0, 40, 80, 120, 160);
    bench.merger.end();
    await turn();
    assert.ok(v.length > 0);
    bench.read();
    await once(bench.merger, 'end');
    assert.deepEqual(bench.batches.flat(), ['v0', 'v40', 'v80', 'v120', 'v160']);
    assert.equal(bench.clock.pending, 0);
  });

  it('destroyed by what a frame leads to, writes no more and leaves no timer', () => {
    const bench = new MergeBench({ flushTimeout: 500 }).read();
    bench.sink.onFrame = () => bench.merger.destroy();
    bench.arrive(bench.track('v'), 0, 40, 80);
    bench.pass(500);
    assert.deepEqual(bench.order, ['v0']);
    assert.equal(bench.clock.pending, 0);
    assert.deepEqual(bench.batches, []);
  });

  it('destroyed, leaves no timer', () => {
    const bench = new MergeBench().read();
    bench.arrive(bench.track('v'), 0);
    bench.merger.destroy();
    assert.equal(bench.clock.pending, 0);
    assert.deepEqual(bench.pass(1000), []);
  });
});
