import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { describe, it } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { Feed } from '../../../lib/api/status/feed.js';
import type { FullMessage, TickMessage } from '../../../lib/api/status/public/data/wire.js';
import { noLog } from '../../../lib/base/logger.js';
import type { GlobalStatus } from '../../../lib/upstream/report/status.js';
import { assertHas } from '../../support/values/assert-has.js';
import { FakeClock } from '../../support/time/fake-clock.js';
import { MemoryManagement, sampleUpstream } from '../../support/management/memory-management.js';
import { sampleTotals } from '../../support/management/service-totals.js';

/** A viewer's connection: keeps what was written, and takes no more when told so. */
class Outlet extends EventEmitter {
  readonly written: Buffer[] = [];
  full = false;
  destroyed = false;

  write(bytes: Buffer): boolean {
    this.written.push(bytes);
    return !this.full;
  }

  destroy(): void {
    this.destroyed = true;
    this.emit('close');
  }

  /** Names of the events so far; comments as `:`. */
  get names(): string[] {
    return this.written
      .map((bytes) => /^(?:event: (\w+)|(:))/.exec(bytes.toString()))
      .map((m) => m?.[1] ?? m?.[2] ?? '');
  }

  /** The data of the last event. */
  get last(): unknown {
    return JSON.parse(/^data: (.*)$/m.exec(this.written.at(-1)?.toString() ?? '')?.[1] ?? '') as unknown;
  }
}

async function beat(clock: FakeClock, times = 1): Promise<void> {
  for (let i = 0; i < times; i++) {
    clock.advance(1000);
    await setImmediate();
  }
}

function setUp(upstreams = 2): { clock: FakeClock; management: MemoryManagement; feed: Feed } {
  const clock = new FakeClock();
  const ids = Array.from({ length: upstreams }, (_, n) => `u${n + 1}`);
  const management = new MemoryManagement(ids.map((id, n) => [id, sampleUpstream({ connection: 70 + n })]));
  return { clock, management, feed: new Feed(management, { clock }) };
}

describe('feed of the status page', () => {
  it('takes one snapshot a second for all viewers, and none without viewers', async () => {
    const { clock, management, feed } = setUp();
    await beat(clock, 3);
    assert.equal(management.calls, 0);
    const outlets = Array.from({ length: 50 }, () => new Outlet());
    for (const outlet of outlets) feed.add(outlet);
    await setImmediate();
    assert.equal(management.calls, 1, 'the first snapshot does not wait for the beat');
    await beat(clock, 5);
    assert.equal(management.calls, 6);
    for (const outlet of outlets) outlet.emit('close');
    await beat(clock, 5);
    assert.equal(management.calls, 6);
    assert.equal(clock.pending, 0, 'no timer is left');
    assert.equal(feed.size, 0);
  });

  it('serialises once: all viewers get the same bytes', async () => {
    const { clock, feed } = setUp();
    const [a, b] = [new Outlet(), new Outlet()];
    feed.add(a);
    feed.add(b);
    await beat(clock, 2);
    assert.ok(a.written.length >= 2);
    assert.equal(a.written.length, b.written.length);
    a.written.forEach((bytes, index) => assert.equal(bytes, b.written[index]));
  });

  it('begins with the full state, then sends differences', async () => {
    const { clock, management, feed } = setUp(3);
    const outlet = new Outlet();
    feed.add(outlet);
    await setImmediate();
    assert.deepEqual(outlet.names, ['full']);
    const { rows } = outlet.last as FullMessage;
    assert.deepEqual(
      rows.map(({ info }) => info.id),
      ['u1', 'u2', 'u3'],
    );
    const [one, two, three] = rows.map(({ key }) => key);

    management.upstreams.set('u1', sampleUpstream({ connection: 70, sent_bytes: 400123, uptime: 13 }));
    management.upstreams.set('u2', sampleUpstream({ connection: 71, state: 'reconnecting' }));
    management.upstreams.delete('u3');
    management.upstreams.set('u4', sampleUpstream({ connection: 90 }));
    await beat(clock);
    const tick = outlet.last as TickMessage;
    assert.equal(tick.t, 1000);
    assert.deepEqual(tick.gone, [three]);
    assert.deepEqual(
      tick.counts.map(([key, numbers]) => [key, numbers[2]]),
      [[one, 400123]],
    );
    assert.deepEqual(
      tick.rows.map(({ info: { id, state } }) => [id, state]),
      [
        ['u2', 'reconnecting'],
        ['u4', 'publishing'],
      ],
    );
    assert.equal(tick.rows[0]?.key, two);
    assert.ok(!rows.some(({ key }) => key === tick.rows[1]?.key), 'a new key for a new upstream');

    await beat(clock);
    assertHas(outlet.last, { rows: [], counts: [], gone: [] });
  });

  it('reports the number of ended upstreams by reason, if the service counts them', async () => {
    const { clock, management } = setUp();
    const totals = sampleTotals();
    let closed: Record<string, number> = { done: 3, send_failed: 0 };
    const counters = { totals: async () => ({ ...totals, closed_upstreams: closed }) };
    const outlet = new Outlet();
    new Feed(management, { clock, counters }).add(outlet);
    await beat(clock);
    assert.deepEqual((outlet.last as TickMessage).ended, { done: 3 });
    closed = { done: 3, send_failed: 2 };
    await beat(clock);
    assert.deepEqual((outlet.last as TickMessage).ended, closed);
    assert.equal(outlet.names.at(-1), 'tick');
  });

  it('treats the same id on another connection as another upstream', async () => {
    const { clock, management, feed } = setUp(1);
    const outlet = new Outlet();
    feed.add(outlet);
    await setImmediate();
    const key = (outlet.last as FullMessage).rows[0]?.key;
    management.upstreams.set('u1', sampleUpstream({ connection: 99 }));
    await beat(clock);
    const { gone, rows } = outlet.last as TickMessage;
    assert.deepEqual(gone, [key]);
    assert.notEqual(rows[0]?.key, key);
  });

  it('sends the current state to a later viewer at once', async () => {
    const { clock, management, feed } = setUp();
    feed.add(new Outlet());
    await beat(clock, 2);
    const { calls } = management;
    const late = new Outlet();
    feed.add(late);
    assert.deepEqual(late.names, ['full']);
    assert.equal(management.calls, calls, 'without asking the service');
    await beat(clock);
    assert.deepEqual(late.names, ['full', 'tick']);
  });

  it('holds one copy of the full state for all new viewers, even if they do not read', async () => {
    const { clock, feed } = setUp();
    feed.add(new Outlet());
    await beat(clock);
    const idle = Array.from({ length: 100 }, () => Object.assign(new Outlet(), { full: true }));
    for (const outlet of idle) feed.add(outlet);
    await beat(clock, 5);
    assert.deepEqual([...new Set(idle.flatMap(({ names }) => names))], ['full']);
    assert.equal(new Set(idle.flatMap(({ written }) => written)).size, 1);
  });

  it('skips a viewer that does not read, sends it the full state when it reads again, and closes it after the timeout', async () => {
    const { clock, feed } = setUp();
    const [slow, quick] = [new Outlet(), new Outlet()];
    feed.add(slow);
    feed.add(quick);
    await setImmediate();
    slow.full = true;
    await beat(clock, 8);
    assert.deepEqual(slow.names, ['full', 'tick'], 'nothing is heaped up for it');
    assert.equal(quick.names.length, 9);
    slow.full = false;
    slow.emit('drain');
    await beat(clock, 2);
    assert.deepEqual(slow.names, ['full', 'tick', 'full', 'tick']);
    slow.full = true;
    await beat(clock, 32);
    assert.equal(slow.destroyed, true);
    assert.equal(feed.size, 1);
    assert.equal(quick.destroyed, false);
  });

  it('loses nothing when a viewer drains between two snapshots', async () => {
    const { clock, feed } = setUp();
    const outlet = new Outlet();
    outlet.full = true;
    feed.add(outlet);
    await setImmediate();
    for (let i = 0; i < 3; i++) {
      outlet.emit('drain');
      await beat(clock);
    }
    assert.deepEqual(outlet.names, ['full', 'tick', 'tick', 'tick']);
  });

  it('reports that the service fails, logs it once, and continues', async () => {
    const { clock, management } = setUp();
    const errors: string[] = [];
    const log = { ...noLog, error: (message: string) => void errors.push(message) };
    const feed = new Feed(management, { clock, log });
    const outlet = new Outlet();
    feed.add(outlet);
    await setImmediate();
    management.failure = new Error('worker 3 is gone');
    await beat(clock, 3);
    assert.deepEqual(outlet.names, ['full', 'trouble', 'trouble', 'trouble']);
    assert.ok(!outlet.written.join('').includes('worker 3'), 'what went wrong inside stays inside');
    assert.deepEqual(errors, ['status page: the service does not answer: worker 3 is gone']);
    management.failure = undefined;
    await beat(clock);
    assert.equal(outlet.names.at(-1), 'tick');
  });

  it('waits for one snapshot of a service that hangs, and sends heartbeats meanwhile', async () => {
    const clock = new FakeClock();
    let calls = 0;
    const feed = new Feed({ status: () => (calls++, new Promise<GlobalStatus>(() => {})) }, { clock });
    const outlet = new Outlet();
    feed.add(outlet);
    await beat(clock, 60);
    assert.equal(calls, 1);
    assert.deepEqual(new Set(outlet.names), new Set([':']));
    assert.ok(outlet.names.length >= 3);
  });
});
