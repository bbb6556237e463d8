import { describe, it } from 'node:test';
import assert from 'node:assert/strict';
import type { TrackSource } from '../../lib/merge/track-queue.js';
import { MergeBench, type NamedQueue } from '../support/media/merge-bench.js';

/** Frames of `times` have come for the track, and lie in its socket until it is read. */
function unread(bench: MergeBench, queue: NamedQueue, times: number[], onRead?: () => void): { reads: number } {
  const source = {
    reads: 0,
    unread: true,
    readNow(): void {
      this.reads++;
      this.unread = false;
      onRead?.();
      bench.merger.enqueue(
        queue,
        times.map((ms) => bench.frame(ms)),
      );
    },
  };
  queue.source = source;
  return source;
}

describe('a track whose socket was left out', () => {
  for (const [first, second] of [
    ['late', 'v'],
    ['v', 'late'],
  ] as const) {
    it(`is read before a frame that may belong behind it is written (${first} ahead of ${second})`, () => {
      const bench = new MergeBench().read();
      const tracks = new Map([first, second].map((name) => [name, bench.track(name)]));
      const [v, late] = [tracks.get('v'), tracks.get('late')];
      assert.ok(v !== undefined && late !== undefined);
      bench.arrive(late, 0);
      bench.arrive(v, 10, 50);
      const source = unread(bench, late, [20, 40]);
      bench.pass(500);
      // What was read now has waited for as long.
      bench.pass(500);
      assert.equal(source.reads, 1);
      assert.deepEqual(bench.order, ['late0', 'v10', 'late20', 'late40', 'v50']);
    });
  }

  it('is read though nothing has come of it yet', () => {
    const bench = new MergeBench().read();
    const [late, v] = [bench.track('late'), bench.track('v')];
    unread(bench, late, [20]);
    bench.arrive(v, 50);
    bench.pass(500);
    bench.pass(500);
    assert.deepEqual(bench.order, ['late20', 'v50']);
  });

  it('is waited for while the read goes on', () => {
    const bench = new MergeBench({ maxDelay: 5000 }).read();
    const [late, v] = [bench.track('late'), bench.track('v')];
    const source: TrackSource = { unread: false, readNow: () => {}, incomplete: true };
    late.source = source;
    bench.arrive(late, 0);
    bench.arrive(v, 10, 50);
    // Nothing of the track can belong before its own frame, but before the others.
    assert.deepEqual(bench.pass(500), ['late0@500']);
    bench.arrive(late, 20);
    bench.pass(500);
    assert.deepEqual(bench.order, ['late0', 'v10', 'late20']);
    bench.arrive(late, 40);
    late.source = { unread: false, readNow: () => {}, incomplete: false };
    source.onComplete?.();
    bench.pass(500);
    assert.deepEqual(bench.order, ['late0', 'v10', 'late20', 'late40', 'v50']);
  });

  it('is not read for a frame that belongs before all that can come of it', () => {
    const bench = new MergeBench().read();
    const [late, v] = [bench.track('late'), bench.track('v')];
    bench.arrive(late, 100);
    bench.arrive(v, 50);
    const source = unread(bench, late, [120]);
    bench.pass(500);
    assert.equal(source.reads, 0);
    assert.deepEqual(bench.order, ['v50', 'late100']);
  });

  it('may end all of it when it is read: nothing is written after that', () => {
    const bench = new MergeBench().read();
    const [late, v] = [bench.track('late'), bench.track('v')];
    unread(bench, late, [60], () => bench.merger.destroy());
    bench.arrive(v, 50);
    bench.pass(500);
    assert.deepEqual(bench.order, []);
    assert.equal(bench.clock.pending, 0);
  });
});
