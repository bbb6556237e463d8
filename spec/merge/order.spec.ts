import { describe, it } from 'node:test';
import assert from 'node:assert/strict';
import type { Frame } from '../../lib/media/frame.js';
import { MergeBench } from '../support/media/merge-bench.js';

describe('which frame is next, and when', () => {
  it('the one with the lowest time, over all tracks', () => {
    const bench = new MergeBench().read();
    const [v, a] = [bench.track('v'), bench.track('a')];
    bench.arrive(v, 0, 40, 80);
    bench.arrive(a, 10, 33, 56, 79);
    bench.pass(500);
    assert.deepEqual(bench.order, ['v0', 'a10', 'a33', 'v40', 'a56', 'a79', 'v80']);
  });

  it('of equal times the head that became one first', () => {
    const bench = new MergeBench().read();
    const [v, a] = [bench.track('v'), bench.track('a')];
    bench.arrive(a, 0, 40);
    bench.arrive(v, 0, 40);
    bench.pass(500);
    // a40 becomes a head when a0 is written, which is before v0 is.
    assert.deepEqual(bench.order, ['a0', 'v0', 'a40', 'v40']);
  });

  it('of equal times the head that became one first, also where it did so behind another frame of its track', () => {
    const bench = new MergeBench().read();
    const [v, a] = [bench.track('v'), bench.track('a')];
    bench.arrive(a, 0, 40, 40);
    bench.arrive(v, 40);
    bench.pass(500);
    assert.deepEqual(bench.order, ['a0', 'v40', 'a40', 'a40']);
  });

  it('a frame that comes behind a head changes nothing of its turn', () => {
    const bench = new MergeBench().read();
    const [v, a] = [bench.track('v'), bench.track('a')];
    bench.arrive(a, 0);
    bench.arrive(v, 0);
    bench.arrive(a, 0);
    bench.pass(500);
    assert.deepEqual(bench.order, ['a0', 'v0', 'a0']);
  });

  it('a head that was replaced counts as a new one', () => {
    const bench = new MergeBench().read();
    const [v, a] = [bench.track('v'), bench.track('a')];
    bench.arrive(a, 40);
    bench.arrive(v, 40);
    a.unshift(bench.frame(40));
    bench.merger.changed(a);
    bench.pass(500);
    assert.deepEqual(bench.order, ['v40', 'a40', 'a40']);
  });

  it('within a track in order of arrival, whatever the times say', () => {
    const bench = new MergeBench().read();
    bench.arrive(bench.track('v'), 80, 0, 40);
    bench.pass(500);
    assert.deepEqual(bench.order, ['v80', 'v0', 'v40']);
  });

  it('after it has waited min_process_delay, and no sooner', () => {
    const bench = new MergeBench().read();
    const v = bench.track('v');
    bench.arrive(v, 0);
    assert.deepEqual(bench.pass(499), []);
    assert.deepEqual(bench.pass(1), ['v0@500']);
  });

  it('at its own time, though a timer stands for another frame that is due later', () => {
    const bench = new MergeBench().read();
    const [v, a] = [bench.track('v'), bench.track('a')];
    bench.arrive(v, 100);
    // It had arrived long before it was read.
    const early = bench.frame(50);
    early.arrivedAt = bench.clock.now() - 400;
    bench.merger.write({ queue: a, frames: [early] });
    assert.equal(bench.clock.pending, 1);
    assert.deepEqual(bench.pass(99), []);
    assert.deepEqual(bench.pass(1), ['a50@100']);
    assert.deepEqual(bench.pass(400), ['v100@500']);
  });

  it('so one that arrives later in that time goes first if its time is lower', () => {
    const bench = new MergeBench().read();
    const [v, a] = [bench.track('v'), bench.track('a')];
    bench.arrive(v, 100);
    bench.pass(400);
    bench.arrive(a, 50);
    assert.deepEqual(bench.pass(499), []);
    assert.deepEqual(bench.pass(1), ['a50@900', 'v100@900']);
  });

  it('a frame within 50 ms of its time goes along with one that is due, and no other', () => {
    const bench = new MergeBench().read();
    const v = bench.track('v');
    for (const ms of [0, 30, 50, 51]) {
      bench.clock.advance(1000 + ms - bench.clock.now());
      bench.arrive(v, ms);
    }
    assert.deepEqual(bench.pass(449), ['v0@500', 'v30@500', 'v50@500']);
    assert.deepEqual(bench.pass(100), ['v51@551']);
  });

  it('after max_process_delay at the latest, however low the times of others are', () => {
    const bench = new MergeBench().read();
    const [v, a] = [bench.track('v'), bench.track('a')];
    bench.arrive(v, 5000);
    const seen: string[] = [];
    for (let i = 0; i < 120; i++) {
      bench.arrive(a, i * 10);
      seen.push(...bench.pass(10));
    }
    assert.equal(
      seen.find((what) => what.startsWith('v')),
      'v5000@1000',
    );
    assert.ok(seen.filter((what) => what.startsWith('a')).length > 60);
  });

  it('several that have waited that long go oldest first', () => {
    const bench = new MergeBench({ minDelay: 2000 }).read();
    const [v, a, b] = [bench.track('v'), bench.track('a'), bench.track('b')];
    bench.arrive(v, 300);
    bench.pass(1);
    bench.arrive(a, 100);
    bench.pass(1);
    bench.arrive(b, 200);
    assert.deepEqual(bench.pass(1100), ['v300@1000', 'a100@1001', 'b200@1002']);
  });

  it('a silent track is not waited for', () => {
    const bench = new MergeBench().read();
    const v = bench.track('v');
    bench.track('silent');
    bench.arrive(v, 0, 40);
    assert.deepEqual(bench.pass(500), ['v0@500', 'v40@500']);
  });

  it('a track whose stream is not ready waits, and no other with it', () => {
    const bench = new MergeBench().read();
    const [v, late] = [bench.track('v'), bench.track('late')];
    late.ready = false;
    bench.arrive(late, 0);
    bench.arrive(v, 40);
    assert.deepEqual(bench.pass(3000), ['v40@500']);
    late.ready = true;
    bench.merger.changed();
    assert.deepEqual(bench.pass(0), []);
    assert.deepEqual(bench.order, ['v40', 'late0']);
  });

  it('no timer is left running when nothing waits', () => {
    const bench = new MergeBench().read();
    bench.arrive(bench.track('v'), 0);
    bench.pass(500);
    assert.equal(bench.clock.pending, 0);
  });
});

/** docs/protocol/behaviour.md, Merging: the maximum delay prevents starvation. */
describe('timestamps of both tracks that jump back', () => {
  /** A frame of each track every 40 ms; the video jumps after 1 s, the audio 400 ms later. */
  function play(maxDelay: number, seconds: number): { order: string[]; audioWaits: number[] } {
    const bench = new MergeBench({ maxDelay }).read();
    const [v, a] = [bench.track('v'), bench.track('a')];
    const arrived = new Map<string, number>();
    for (let t = 0; t < seconds * 1000; t += 40) {
      const video = t < 1000 ? 100_000 + t : t - 1000;
      const audio = t < 1400 ? 100_000 + t : t - 1000;
      bench.arrive(v, video);
      bench.arrive(a, audio);
      arrived.set(`a${audio}`, bench.clock.now());
      bench.pass(40);
    }
    const waits = bench.sink.written
      .filter(({ what }) => what.startsWith('a'))
      .map(({ what, at }) => at - (arrived.get(what) ?? NaN));
    return { order: bench.order, audioWaits: waits };
  }

  it('neither track starves, and afterwards they are in order again', () => {
    const { order, audioWaits } = play(1000, 6);
    // All audio of before the jump is out, none having waited for more than max_process_delay and one step.
    for (let t = 0; t < 1400; t += 40) assert.ok(order.includes(`a${100_000 + t}`), `a${100_000 + t}`);
    assert.ok(Math.max(...audioWaits) <= 1040, String(Math.max(...audioWaits)));
    // When the audio has come to the jump as well, the two go side by side: times rise again.
    const tail = order.slice(order.indexOf(`a${100_000 + 1360}`) + 1).map((what) => Number(what.slice(1)));
    assert.ok(tail.length > 100);
    assert.deepEqual(
      tail.slice(80),
      [...tail.slice(80)].sort((x, y) => x - y),
    );
    assert.ok(Math.max(...audioWaits.slice(-20)) <= 540);
  });

  it('without the limit, the track that comes to the jump last would wait for ever', () => {
    const { order } = play(1e9, 6);
    assert.ok(!order.includes(`a${100_000 + 1360}`));
  });
});

describe('a track of which a read was left out', () => {
  it('is read before a later frame of another one is written, and only then', () => {
    const bench = new MergeBench().read();
    const [v, a] = [bench.track('v'), bench.track('a')];
    const come: Frame[] = [];
    let reads = 0;
    const source = {
      unread: true,
      readNow() {
        source.unread = false;
        reads++;
        bench.merger.enqueue(a, come.splice(0));
      },
    };
    bench.arrive(v, 0, 40, 80);
    bench.arrive(a, 5, 50);
    a.source = source;
    // They have come by now, and wait in the kernel.
    come.push(...[60, 79, 90].map((ms) => bench.frame(ms)));
    // What is known of the track is later than what is due: nothing has to be asked.
    assert.deepEqual(bench.pass(499), []);
    assert.equal(reads, 0);
    // v80 is due, and behind a50 there may be something that comes before it.
    assert.deepEqual(bench.pass(1), [
      'v0@500',
      'a5@500',
      'v40@500',
      'a50@500',
      'a60@500',
      'a79@500',
      'v80@500',
      'a90@500',
    ]);
    assert.equal(reads, 1);
    // It has been read: the next one is not waited for.
    bench.arrive(v, 120);
    assert.deepEqual(bench.pass(500), ['v120@1000']);
    assert.equal(reads, 1);
  });

  it('may end with what is read', () => {
    const bench = new MergeBench().read();
    const [v, a] = [bench.track('v'), bench.track('a')];
    bench.arrive(v, 10);
    a.source = {
      unread: true,
      readNow() {
        a.source = undefined;
        bench.merger.remove(a);
      },
    };
    assert.deepEqual(bench.pass(500), ['v10@500']);
  });
});
