import { afterEach, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { TcpQueues, type QueueWatcher } from '../../../lib/rtmp/network/tcp-queues.js';
import { FakeClock } from '../../support/time/fake-clock.js';
import { turns } from '../../support/time/turns.js';

const ENDS = { localAddress: '127.0.0.1', localPort: 59610, remoteAddress: '127.0.0.1', remotePort: 30910 };
const line = (unsent: string): string =>
  `   1: 0100007F:E8DA 0100007F:78BE 01 ${unsent}:00000000 01:00000018 00000000\n`;

describe('the queues of the kernel', () => {
  const clock = new FakeClock();
  let reads = 0;
  let text: string | undefined;
  let failure: Error | undefined;
  let after: number;
  const measured: [number, number][] = [];
  const watcher: QueueWatcher = {
    handed: 5000,
    measureAfter: () => after,
    measured: ({ unsent }, asOf) => measured.push([unsent, asOf]),
  };
  // Byte orders are a matter of the table's spec.
  const littleEndian = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;

  function queues(): TcpQueues {
    reads = 0;
    measured.length = 0;
    text = line('00000400');
    failure = undefined;
    after = Infinity;
    return new TcpQueues(clock, () => {
      reads++;
      return failure === undefined ? Promise.resolve(text) : Promise.reject(failure);
    });
  }

  afterEach(() => clock.advance(60_000));

  it('are not read while nobody needs to know', async () => {
    const one = queues();
    clock.advance(10_000);
    one.add(watcher, ENDS);
    clock.advance(60_000);
    await turns();
    assert.equal(reads, 0);
    after = 5000;
    clock.advance(1000);
    await turns();
    assert.equal(reads, 1);
    one.remove(watcher);
    clock.advance(60_000);
    await turns();
    assert.equal(reads, 1);
    assert.equal(clock.pending, 0);
  });

  it('are read as often as somebody needs, and once for all', async (t) => {
    if (!littleEndian) return t.skip('the table is one of a little-endian machine');
    const one = queues();
    const other = { ...watcher, measureAfter: () => Infinity };
    one.add(watcher, ENDS);
    one.add(other, ENDS);
    after = 2500;
    for (let s = 0; s < 12; s++) {
      clock.advance(1000);
      await turns();
    }
    assert.equal(reads, 4);
    assert.equal(measured.length, 8);
    assert.deepEqual(measured[0], [1024, 5000]);
    after = 900;
    for (let s = 0; s < 4; s++) {
      clock.advance(1000);
      await turns();
    }
    assert.equal(reads, 8);
    one.remove(watcher);
    one.remove(other);
  });

  it('are read on request, unless they were read a moment ago', async () => {
    const one = queues();
    await one.refresh();
    assert.equal(reads, 0);
    one.add(watcher, ENDS);
    await Promise.all([one.refresh(), one.refresh()]);
    assert.equal(reads, 1);
    await one.refresh();
    assert.equal(reads, 1);
    clock.advance(1000);
    await one.refresh();
    assert.equal(reads, 2);
    one.remove(watcher);
  });

  it('do not hold up an answer for long if reading them takes long', async () => {
    const one = queues();
    let finish = (_: string): void => {};
    const slow = new TcpQueues(clock, () => new Promise((resolve) => (finish = resolve)));
    slow.add(watcher, ENDS);
    let done = 0;
    void slow.refreshBriefly().then(() => done++);
    clock.advance(249);
    await turns();
    assert.equal(done, 0);
    clock.advance(1);
    await turns();
    assert.equal(done, 1);
    finish(line('00000400'));
    await turns();
    assert.equal(measured.length, littleEndian ? 1 : 0);
    slow.remove(watcher);
    one.add(watcher, ENDS);
    await one.refreshBriefly();
    assert.equal(reads, 1);
    one.remove(watcher);
  });

  it('are read seldom on a machine with very many connections', async () => {
    const one = queues();
    one.add(watcher, ENDS);
    text = line('00000400').padEnd(10_000_000);
    after = 900;
    for (let s = 0; s < 40; s++) {
      clock.advance(1000);
      await turns(2);
    }
    assert.ok(reads >= 3 && reads <= 5, `${reads} readings`);
    one.remove(watcher);
  });

  it('are read every 5 s there while no server seems to be slow', async () => {
    const one = queues();
    one.add(watcher, ENDS);
    text = line('00000400').padEnd(700_000);
    after = 2500;
    for (let s = 0; s < 50; s++) {
      clock.advance(1000);
      await turns(2);
    }
    assert.ok(reads >= 9 && reads <= 11, `${reads} readings`);
    after = 900;
    reads = 0;
    for (let s = 0; s < 10; s++) {
      clock.advance(1000);
      await turns(2);
    }
    assert.ok(reads >= 9, `${reads} readings`);
    one.remove(watcher);
  });

  it('are left alone where the system does not show them, and tried again after a failure', async () => {
    const one = queues();
    one.add(watcher, ENDS);
    after = 900;
    failure = new Error('EMFILE');
    clock.advance(1000);
    await turns();
    failure = undefined;
    clock.advance(1000);
    await turns();
    assert.equal(reads, 2);
    text = undefined;
    clock.advance(1000);
    await turns();
    assert.equal(one.supported, false);
    clock.advance(60_000);
    await turns();
    assert.equal(reads, 3);
    await one.refresh(0);
    one.remove(watcher);
  });
});
