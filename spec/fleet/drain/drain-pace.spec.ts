import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { Drain, type DrainParts } from '../../../lib/fleet/drain/drain.js';
import type { Elsewhere } from '../../../lib/fleet/drain/handovers.js';
import { FakeClock } from '../../support/time/fake-clock.js';
import { LogLines } from '../../support/service/log-lines.js';
import { turns } from '../../support/time/turns.js';

describe('the pace of a drain', () => {
  let clock: FakeClock;
  let live: string[];
  /** When each upstream has moved. */
  let movedAt: Map<string, number>;
  /** Those that wait for a key frame. */
  let waiting: Map<string, () => void>;
  /** Where those that have moved are by now. */
  let elsewhere: Map<string, Elsewhere>;
  let offAirHere: Set<string>;

  beforeEach(() => {
    clock = new FakeClock();
    movedAt = new Map();
    waiting = new Map();
    elsewhere = new Map();
    offAirHere = new Set();
    live = Array.from({ length: 20 }, (_, n) => `u${n}`);
  });

  /** @param keyed whether upstreams wait for key frames, which {@link keyFrames} brings */
  function drainOf(keyed: boolean, air?: DrainParts['air']): Drain {
    return new Drain({
      fleet: {
        get liveIds() {
          return live;
        },
        hasOtherNode: true,
        setDraining: () => {},
        release: () => Promise.resolve(),
      },
      side: {
        setTable: () => {},
        fence: () => {},
        keyFrame: (id) => (keyed ? new Promise<void>((resolve) => waiting.set(id, resolve)) : Promise.resolve()),
        moveAway(id) {
          movedAt.set(id, clock.now());
          live = live.filter((one) => one !== id);
          return Promise.resolve(true);
        },
      },
      rate: () => 10,
      ...(air && { air }),
      clock,
      log: new LogLines(),
    });
  }

  const air = (): DrainParts['air'] => ({
    isHere: (id) => Promise.resolve(!offAirHere.has(id)),
    elsewhere: () => Promise.resolve(elsewhere),
  });

  async function pass(ms: number): Promise<void> {
    for (let left = ms; left > 0; left -= 20) {
      clock.advance(20);
      await turns(2);
    }
  }

  /** All upstreams get a key frame at the same moment, as encoders of one event do that begin together. */
  async function keyFrames(): Promise<void> {
    const due = [...waiting.values()];
    waiting.clear();
    for (const resolve of due) resolve();
    await turns(2);
  }

  it('keeps its rate, and moves at young key frames, although all key frames come together', async () => {
    drainOf(true).begin();
    const keysAt: number[] = [];
    while (movedAt.size < 20) {
      await pass(2000);
      keysAt.push(clock.now());
      await keyFrames();
    }
    const times = [...movedAt.values()];
    for (const [n, time] of times.entries()) {
      assert.ok(n === 0 || time - (times[n - 1] ?? 0) >= 100, `two moves at ${time}`);
      assert.ok(
        keysAt.some((at) => time >= at && time <= at + 500),
        `a move at ${time}`,
      );
    }
  });

  /** Those that have moved are on air at other nodes. */
  function land(): void {
    for (const id of movedAt.keys()) elsewhere.set(id, 'published');
  }

  it('begins with one upstream, and moves more at once while they are soon on air elsewhere', async () => {
    drainOf(false, air()).begin();
    for (const expected of [1, 3, 7]) {
      await pass(1000);
      assert.equal(movedAt.size, expected);
      land();
    }
  });

  it('moves fewer at once when they are on air late', async () => {
    drainOf(false, air()).begin();
    for (let n = 0; n < 2; n++) {
      await pass(1000);
      land();
    }
    await pass(1000);
    assert.equal(movedAt.size, 7);
    for (const id of movedAt.keys()) if (!elsewhere.has(id)) elsewhere.set(id, 'placed');
    await pass(1600);
    assert.equal(movedAt.size, 7);
    land();
    await pass(1000);
    // All four were late together: the limit is halved once, from four to two.
    assert.equal(movedAt.size, 9);
  });

  it('waits for no upstream for long: neither without a sender, nor one that does not get on air', async () => {
    live = ['lost', 'stuck', 'next'];
    drainOf(false, air()).begin();
    await pass(1900);
    assert.deepEqual([...movedAt.keys()], ['lost']);
    await pass(400);
    assert.deepEqual([...movedAt.keys()], ['lost', 'stuck', 'next']);
    elsewhere.set('stuck', 'placed').set('next', 'placed');
    live = ['a', 'b'];
    await pass(4000);
    assert.equal(movedAt.size, 3);
    await pass(1600);
    assert.equal(movedAt.size, 4);
  });

  it('does not wait for upstreams that were not on air before', async () => {
    offAirHere = new Set(live);
    drainOf(false, air()).begin();
    await pass(2000);
    assert.equal(movedAt.size, 20);
  });

  it('before the end of the process, moves all in time, whatever the other nodes can take', async () => {
    let finished = false;
    void drainOf(true, air())
      .finish(7000)
      .then(() => (finished = true));
    for (const id of live) elsewhere.set(id, 'placed');
    await pass(2000);
    await keyFrames();
    await pass(1400);
    assert.equal(movedAt.size, 1);
    // From the middle of its time on, there is no time for another key frame.
    await pass(3600);
    assert.equal(movedAt.size, 20);
    assert.equal(finished, true);
    const times = [...movedAt.values()].slice(1);
    assert.ok(new Set(times).size > 10, 'they do not move all at once');
  });
});
