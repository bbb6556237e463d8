import { describe, it } from 'node:test';
import assert from 'node:assert/strict';
import type { TrackSource } from '../../lib/merge/track-queue.js';
import { MergeBench, type NamedQueue } from '../support/merge-bench.js';

/** A socket that is read in turns, and not skipped in this one. */
const READ: TrackSource = { unread: false, readNow: () => {} };

describe('a turn in which all sockets of an upstream are read', () => {
  /** Frames that were read at 0 are due at 500. */
  function due(): { bench: MergeBench; v: NamedQueue; a: NamedQueue; read: (queue: NamedQueue, ms: number) => void } {
    const bench = new MergeBench().read();
    const [v, a] = [bench.track('v'), bench.track('a')];
    v.source = a.source = READ;
    const read = (queue: NamedQueue, ms: number): void => bench.merger.accept(queue, [bench.frame(ms)]);
    read(v, 10);
    read(a, 20);
    // The timers of the clock fire at 600, because other work held them up.
    bench.clock.jump(600);
    return { bench, v, a, read };
  }

  it('ends with its merge: what is due is written when the last socket is read, without a timer', () => {
    const { bench, v, a, read } = due();
    read(v, 510);
    assert.deepEqual(bench.order, []);
    read(a, 520);
    assert.deepEqual(bench.order, ['v10', 'a20']);
    // The timer waits for the next frames.
    assert.equal(bench.clock.pending, 1);
    assert.deepEqual(bench.pass(499), []);
    assert.deepEqual(bench.pass(1), ['v510@1100', 'a520@1100']);
  });

  it('counts a socket that was skipped as read', () => {
    const { bench, v, a, read } = due();
    a.source = { unread: true, readNow: () => assert.fail('nothing of it belongs before what is due') };
    read(v, 510);
    assert.deepEqual(bench.order, ['v10', 'a20']);
  });

  it('leaves frames that are not due in their queues', () => {
    const bench = new MergeBench().read();
    const [v, a] = [bench.track('v'), bench.track('a')];
    v.source = a.source = READ;
    for (const queue of [v, a]) bench.merger.accept(queue, [bench.frame(10)]);
    bench.clock.jump(499);
    for (const queue of [v, a]) bench.merger.accept(queue, [bench.frame(20)]);
    assert.deepEqual(bench.order, []);
    assert.deepEqual(bench.pass(1), ['v10@500', 'a10@500']);
  });

  it('waits for its timer if Node reads one of the sockets as soon as bytes arrive', () => {
    const { bench, v, a, read } = due();
    a.source = undefined;
    read(v, 510);
    read(a, 520);
    assert.deepEqual(bench.order, []);
    assert.deepEqual(bench.pass(0), ['v10@600', 'a20@600']);
  });

  it('waits for its timer if a socket brings nothing', () => {
    const { bench, v, read } = due();
    read(v, 510);
    assert.deepEqual(bench.pass(0), ['v10@600', 'a20@600']);
  });
});
