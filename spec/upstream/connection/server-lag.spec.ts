import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { AckedBytes } from '../../../lib/rtmp/chunk/acked-bytes.js';
import { ServerLag } from '../../../lib/upstream/connection/delivery/server-lag.js';
import { FakeClock } from '../../support/time/fake-clock.js';

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

describe('a server that takes half of what comes in', () => {
  /** Bytes of a frame, ms between two of them: 100 KB a second. */
  const FRAME = { bytes: 4000, every: 40 } as const;
  /** Bytes a second that the server reads while it is slow. */
  const SLOW = 50_000;
  /** ms: an older frame is not written any more. */
  const OLDEST = 2_000;
  const limits = { limit: 4000, watch: 2000, usual: 600, drops: true };

  /**
   * A server on the other side of a slow line, and what this service does to it: frames arrive, and are written as far
   * as that is allowed. The kernels accept everything at once.
   *
   * @param window the server acknowledges whenever it has read this many bytes more
   */
  class SlowServer {
    readonly clock = new FakeClock();
    /** Bytes that the server has read. */
    read = 0;
    private readonly acked = new AckedBytes();
    private readonly sources = { acked: this.acked, handed: 0, taken: 0 };
    private readonly queue: number[] = [];
    private allowed = Infinity;
    private said = 0;
    private credit = 0;
    private readonly lag: ServerLag;

    constructor(private readonly window: number) {
      this.lag = new ServerLag(this.sources, limits, this.clock, (bytes) => {
        this.allowed = bytes;
        this.write();
      });
    }

    /** Bytes that were written, and that the server has not read. */
    get ahead(): number {
      return this.sources.handed - this.read;
    }

    get isPaced(): boolean {
      return this.lag.isPaced;
    }

    /** Some ms pass. @param rate bytes a second that the server reads; it reads `chunk` bytes at once */
    pass(ms: number, rate: number, chunk = 1): void {
      for (let at = 0; at < ms; at += FRAME.every) {
        this.clock.advance(FRAME.every);
        this.queue.push(this.clock.now());
        this.write();
        this.credit = Math.min(this.credit + (rate * FRAME.every) / 1000, Math.max(chunk, rate / 20));
        if (this.credit >= chunk) this.reads(Math.min(this.credit, this.ahead));
        if (this.clock.now() % 1000 === 0 && this.lag.measureAfter(this.clock.now()) !== Infinity) this.measure();
      }
    }

    close(): void {
      this.lag.close();
    }

    private reads(bytes: number): void {
      this.read += bytes;
      this.credit -= bytes;
      if (this.read - this.said < this.window) return;
      this.said = this.read;
      this.acked.update(this.said, this.sources.handed);
      this.lag.acknowledged();
    }

    private measure(): void {
      // The kernel of the server has room for 64 KB that the server has not read.
      this.lag.measured({ unsent: Math.max(0, this.ahead - 64 * 1024), unread: 0 }, this.lag.handed);
    }

    private write(): void {
      const now = this.clock.now();
      while (this.allowed > 0 && this.queue.length > 0) {
        const arrived = this.queue.shift() ?? now;
        if (this.lag.isPaced && now - arrived > OLDEST) continue;
        const start = this.sources.handed;
        this.sources.handed += FRAME.bytes;
        this.sources.taken += FRAME.bytes;
        this.allowed -= FRAME.bytes;
        this.lag.batch(start, this.sources.handed, arrived, arrived);
      }
    }
  }

  for (const [name, window, chunk] of [
    ['acknowledges as asked for', 18_000, 1],
    ['acknowledges rarely', 64 * 1024, 1],
    ['reads in bursts', 18_000, 48_000],
  ] as const) {
    it(`and ${name} never gets more than a few seconds ahead`, () => {
      const server = new SlowServer(window);
      // A fast server reads what has piled up, and acknowledges all of it at once: here 80 KB.
      for (let i = 0; i < 12; i++) {
        server.pass(800, 0);
        server.pass(200, 10_000_000);
      }
      let most = 0;
      for (let s = 0; s < 120; s++) {
        server.pass(1000, SLOW, chunk);
        most = Math.max(most, server.ahead);
      }
      server.close();
      assert.ok(most <= 5 * SLOW, `${(most / SLOW).toFixed(1)} s are written ahead`);
    });
  }

  it('and then everything again gets all frames soon', () => {
    const server = new SlowServer(18_000);
    server.pass(5_000, 10_000_000);
    server.pass(30_000, SLOW);
    assert.ok(server.isPaced);
    server.pass(4_000, 10_000_000);
    assert.ok(server.ahead <= FRAME.bytes, `${server.ahead} bytes are unread`);
    server.pass(12_000, 10_000_000);
    assert.ok(!server.isPaced);
    server.close();
  });
});
