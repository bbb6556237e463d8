import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { AckedBytes } from '../../../lib/rtmp/chunk/acked-bytes.js';
import { ServerLag } from '../../../lib/upstream/connection/delivery/server-lag.js';
import { FakeClock } from '../../support/fake-clock.js';

describe('a measurement of how far a server is behind', () => {
  it('says nothing about bytes that were written after it had begun', () => {
    const clock = new FakeClock();
    const sources = { acked: new AckedBytes(), handed: 1000, taken: 1000 };
    const lag = new ServerLag(sources, { limit: 5000, watch: 2500, usual: 1000, drops: false }, clock, () => {});
    clock.advance(20_000);
    const now = clock.now();
    lag.batch(0, 1000, now - 1000, now);
    const asOf = lag.handed;
    // The process was held up. These frames had waited in the kernel for 14 s when they were read and written.
    lag.batch(1000, 2000, now - 14_000, now);
    sources.handed = 2000;
    sources.taken = 2000;
    lag.measured({ unsent: 0, unread: 0 }, asOf);
    assert.equal(lag.value(now), 0);
    // The server has not taken them by the next measurement.
    lag.measured({ unsent: 1000, unread: 0 }, lag.handed);
    assert.equal(lag.value(now), 14_000);
    lag.close();
  });
});
