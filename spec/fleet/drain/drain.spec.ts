import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { Drain } from '../../../lib/fleet/drain/drain.js';
import { FakeClock } from '../../support/time/fake-clock.js';
import { LogLines } from '../../support/service/log-lines.js';
import { turns } from '../../support/time/turns.js';

describe('the drain of a node', () => {
  let clock: FakeClock;
  let log: LogLines;
  let live: string[];
  let hasOtherNode: boolean;
  /** What it has done, in order. */
  let done: string[];
  /** Ids whose key frame does not come. */
  let late: Set<string>;
  let drain: Drain;

  beforeEach(() => {
    clock = new FakeClock();
    log = new LogLines();
    live = ['a', 'b', 'c'];
    hasOtherNode = true;
    done = [];
    late = new Set();
    drain = new Drain({
      fleet: {
        get liveIds() {
          return live;
        },
        get hasOtherNode() {
          return hasOtherNode;
        },
        setDraining: (draining) => done.push(`draining ${draining}`),
        release(id) {
          done.push(`release ${id}`);
          return id === 'b' ? Promise.reject(new Error('the engine is away')) : Promise.resolve();
        },
      },
      side: {
        setTable: () => {},
        fence: () => {},
        keyFrame: (id) => (late.has(id) ? new Promise(() => {}) : Promise.resolve()),
        moveAway(id) {
          done.push(`move ${id}`);
          live = live.filter((one) => one !== id);
          return Promise.resolve(true);
        },
      },
      rate: () => 10,
      clock,
      log,
    });
  });

  const pass = async (ms: number): Promise<void> => {
    clock.advance(ms);
    await turns(2);
  };

  it('moves one upstream after the other at its rate; the record goes first, also without the engine', async () => {
    assert.deepEqual(drain.begin(), { draining: true, moved: 0, left: 3 });
    await pass(0);
    assert.deepEqual(done, ['draining true', 'release a', 'move a']);
    await pass(99);
    assert.equal(done.length, 3);
    await pass(1);
    assert.deepEqual(done.slice(3), ['release b', 'move b']);
    assert.deepEqual(drain.begin(), { draining: true, moved: 2, left: 1 });
    await pass(100);
    assert.deepEqual(drain.status(), { draining: true, moved: 3, left: 0 });
    assert.match(log.text, /all upstreams of this node have moved: 3/);
  });

  it('moves upstreams that begin later, but none twice: one that returns has no other node', async () => {
    drain.begin();
    for (let n = 0; n < 3; n++) await pass(100);
    live.push('a', 'd');
    done = [];
    await pass(1000);
    await pass(1000);
    assert.deepEqual(done, ['release d', 'move d']);
  });

  it('does not wait for the key frame of one upstream before it moves the next', async () => {
    late.add('a');
    drain.begin();
    await pass(0);
    await pass(100);
    assert.deepEqual(done.slice(1), ['release b', 'move b']);
    assert.equal(drain.status().left, 2);
  });

  it('moves nothing while no other node can take it', async () => {
    hasOtherNode = false;
    drain.begin();
    for (let n = 0; n < 5; n++) await pass(1000);
    assert.deepEqual(done, ['draining true']);
    assert.equal(log.of('warn').length, 1);
    hasOtherNode = true;
    await pass(1000);
    assert.deepEqual(done.slice(1), ['release a', 'move a']);
  });

  it('can be ended: the others stay', async () => {
    late.add('b');
    drain.begin();
    await pass(0);
    await pass(100);
    assert.deepEqual(drain.end(), { draining: false, moved: 1, left: 0 });
    await pass(10_000);
    assert.deepEqual(done, ['draining true', 'release a', 'move a', 'draining false']);
    assert.deepEqual(drain.end(), { draining: false, moved: 1, left: 0 });
  });

  it('before an end, the rate is raised so that all begin to move within half of the time', async () => {
    live = Array.from({ length: 100 }, (_, n) => `u${n}`);
    let finished = false;
    void drain.finish(4000).then(() => (finished = true));
    for (let n = 0; n < 100; n++) {
      assert.equal(finished, false);
      await pass(n === 0 ? 0 : 20);
    }
    await turns();
    assert.equal(finished, true);
    assert.deepEqual(drain.status(), { draining: true, moved: 100, left: 0 });
  });

  it('before an end, it waits no longer than its time, and not at all without another node', async () => {
    late.add('a');
    let finished = 0;
    void drain.finish(5000).then(() => finished++);
    for (let n = 0; n < 4; n++) await pass(1000);
    assert.equal(finished, 0);
    await pass(1000);
    assert.equal(finished, 1);
    hasOtherNode = false;
    await drain.finish(5000);
  });
});
