import { afterEach, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { createServer, type AddressInfo, type Server } from 'node:net';
import type { UpstreamStatus } from '../../../lib/upstream/report/status.js';
import { eventually } from '../../support/time/eventually.js';
import { FakeClock } from '../../support/time/fake-clock.js';
import { framesOf } from '../../support/ingest/ingest-media.js';
import { frameAt, KmpSender, videoMinf } from '../../support/kmp/kmp-sender.js';
import { audioFrames, Live, names, videoFrames, type LiveOptions } from '../../support/service/live.js';
import { turns } from '../../support/time/turns.js';

/** An RTMP server that is broken: it takes connections and closes them at once. */
class ClosingServer {
  connections = 0;

  private constructor(private readonly server: Server) {}

  static async start(): Promise<ClosingServer> {
    const server = createServer();
    const it = new ClosingServer(server);
    server.on('connection', (socket) => {
      it.connections++;
      socket.on('error', () => {});
      socket.destroy();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return it;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  close(): Promise<void> {
    return new Promise((resolve) => this.server.close(() => resolve()));
  }
}

describe('a destination that fails', { timeout: 90_000 }, () => {
  const clock = new FakeClock();
  let live: Live;
  let dead: ClosingServer;

  async function start(options: LiveOptions = {}): Promise<void> {
    dead = await ClosingServer.start();
    live = await Live.start({ clock, random: () => 0, ...options });
  }

  const deadUrl = (path = 'app/s'): string => `rtmp://127.0.0.1:${dead.port}/${path}`;

  /** A sender of video; a further one of the same upstream id joins it, or makes it again. */
  async function sender(id: string, url: string, frameId = 0n): Promise<KmpSender> {
    const it = await KmpSender.open(live.service.port, { upstream_id: id, url }, { frameId });
    live.senders.push(it);
    it.send(videoMinf());
    return it;
  }

  const status = (id: string): UpstreamStatus | undefined => live.service.registry.get(id)?.status();
  const waits = (id: string): Promise<void> => eventually(() => status(id)?.state === 'waiting', `${id} to wait`);

  /** The upstream's first attempt fails, which ends it. */
  async function failOnce(id: string, url = deadUrl()): Promise<void> {
    const one = await sender(id, url);
    await one.closed;
    assert.equal((await live.service.ended()).reason, 'handshake_failed');
  }

  afterEach(async () => {
    await live.close();
    await dead.close();
    clock.advance(60_000);
  });

  it('is tried again after 1, 2, 4 ... 30 s, however often its sender returns', async () => {
    await start();
    await failOnce('u1');
    let tries = 1;
    for (const wait of [1, 2, 4, 8, 16, 30, 30]) {
      const again = await sender('u1', deadUrl());
      await waits('u1');
      clock.advance(wait * 1000 - 1);
      await turns();
      assert.deepEqual([dead.connections, again.isClosed], [tries, false], `not before ${wait} s`);
      clock.advance(1);
      await again.closed;
      assert.equal(dead.connections, ++tries);
      assert.equal((await live.service.ended()).reason, 'handshake_failed');
    }
  });

  it('is one destination for all upstreams, whatever their ids and tokens', async () => {
    await start();
    await failOnce('u1', deadUrl('app/s?token=1'));
    for (const id of ['u2', 'u3']) {
      await sender(id, deadUrl(`app/s?token=${id}`));
      await waits(id);
    }
    assert.equal(dead.connections, 1);
  });

  for (const [what, path] of [
    ['another stream', 'app/other'],
    ['another application', 'other/s'],
  ] as const) {
    it(`does not hold back ${what} of its server`, async () => {
      await start();
      await failOnce('u1');
      await failOnce('u2', deadUrl(path));
      assert.equal(dead.connections, 2);
    });
  }

  it('shows when it is tried next, and what was wrong', async () => {
    await start();
    await failOnce('u1');
    clock.advance(200);
    const again = await sender('u1', deadUrl());
    await waits('u1');
    const { next_attempt, next_attempt_at, last_error } = status('u1') ?? {};
    assert.equal(next_attempt, 1);
    assert.equal(next_attempt_at, new Date(clock.wall() + 800).toISOString());
    assert.equal(last_error?.reason, 'handshake_failed');
    assert.match(live.service.log.text, /the destination has failed lately; next attempt in 800 ms/);
    assert.equal(again.isClosed, false);
  });

  it('gets what was queued meanwhile once it is back, and is open for all then', async () => {
    await start();
    await live.killServer();
    const first = await sender('u1', live.url());
    await first.closed;
    await live.service.ended();
    const waiting = await sender('u1', live.url());
    waiting.send(...videoFrames(0, 12));
    await waits('u1');
    await live.received('video', 12);
    await live.startServer();
    clock.advance(1000);
    const connection = await live.ingest.next();
    clock.advance(3000);
    await connection.until(() => framesOf(connection).length === 12);
    assert.deepEqual(framesOf(connection), names('v', 0, 12));
    await live.state('publishing');
    assert.deepEqual([live.status().next_attempt, live.status().next_attempt_at], [null, null]);
    clock.advance(100);
    // Video is acknowledged up to the newest key frame.
    await waiting.acked(10n);
    // The first success has reset it: nobody waits any more.
    waiting.end();
    await live.service.ended();
    await sender('u2', live.url());
    await live.ingest.next();
  });

  it('is tried by one upstream at a time; the others follow its success', async () => {
    await start();
    await live.killServer();
    const first = await sender('u0', live.url());
    await first.closed;
    await live.service.ended();
    const ids = ['u1', 'u2', 'u3'];
    for (const id of ids) {
      await sender(id, live.url());
      await waits(id);
    }
    // A server that does not answer at first.
    await live.startServer({ stallAt: 's0' });
    clock.advance(1000);
    const held = await live.ingest.next();
    await held.until(() => held.hello.length > 0);
    clock.advance(5000);
    assert.deepEqual(
      ids.map((id) => status(id)?.state),
      ['handshaking', 'waiting', 'waiting'],
    );
    assert.equal(status('u2')?.next_attempt, 0);
    live.ingest.script = { answers: true };
    held.end();
    assert.equal((await live.service.ended()).reason, 'handshake_failed');
    assert.equal(status('u2')?.next_attempt, 2);
    clock.advance(2000);
    await live.ingest.next();
    await live.ingest.next();
    await eventually(() => ids.slice(1).every((id) => status(id)?.state === 'publishing'), 'both to publish');
  });

  it('counts a refusal as a failure', async () => {
    await start({ script: { rejectPublish: { code: 'NetStream.Publish.Denied', description: 'no' } } });
    const first = await sender('u1', live.url());
    await first.closed;
    assert.equal((await live.service.ended()).reason, 'publish_rejected');
    await sender('u1', live.url());
    await waits('u1');
  });

  it('is a stream of its own among several on one connection: the others go on', async () => {
    await start({
      script: {
        rejectPublish: (_, name) =>
          name === 'b' ? { code: 'NetStream.Publish.Denied', description: 'no' } : undefined,
      },
    });
    const good = await sender('u1', live.url('a'));
    const connection = await live.ingest.next();
    await connection.command('publish');
    const refused = await sender('u1', live.url('b'));
    await refused.closed;
    const publishes = (): number => live.ingest.connections.flatMap((one) => one.commands('publish')).length;
    assert.equal(publishes(), 2);
    for (const wait of [1000, 2000]) {
      const before = publishes();
      const again = await sender('u1', live.url('b'));
      await waits('u1');
      clock.advance(wait - 1);
      await turns();
      assert.deepEqual([publishes(), again.isClosed], [before, false]);
      clock.advance(1);
      await again.closed;
      assert.equal(publishes(), before + 1);
    }
    // Frames of the other stream go on over its connection.
    good.send(...videoFrames(0, 3));
    await live.received('video', 3, 'a');
    clock.advance(3000);
    await connection.until(() => framesOf(connection).length === 3);
    assert.equal(good.isClosed, false);
  });

  it('counts connections that break soon, and forgets them after a good minute', async () => {
    await start();
    const breakAfter = async (ms: number): Promise<void> => {
      const one = await sender('u1', live.url());
      await live.ingest.next();
      await eventually(() => status('u1')?.last_status?.code === 'NetStream.Publish.Start', 'the start');
      clock.advance(ms);
      await live.killServer();
      await one.closed;
      await live.service.ended();
      await live.startServer();
    };
    const waitsFor = async (ms: number): Promise<void> => {
      const one = await sender('u1', live.url());
      await waits('u1');
      clock.advance(ms - 1);
      assert.equal(status('u1')?.state, 'waiting');
      clock.advance(1);
      assert.notEqual(status('u1')?.state, 'waiting');
      one.end();
      await live.service.ended();
    };
    await breakAfter(1000);
    await waitsFor(1000);
    await breakAfter(1000);
    await waitsFor(2000);
    await breakAfter(1000);
    await waitsFor(4000);
    await breakAfter(60_000);
    await waitsFor(1000);
  });

  it('counts no upstream that ended in order', async () => {
    await start();
    const one = await sender('u1', live.url());
    one.send(...videoFrames(0, 1));
    const connection = await live.ingest.next();
    clock.advance(3000);
    await connection.until(() => framesOf(connection).length === 1);
    one.end();
    assert.equal((await live.service.ended()).reason, 'done');
    await sender('u1', live.url());
    await live.ingest.next();
  });

  it('is forgotten after a minute without anybody', async () => {
    await start();
    await failOnce('u1');
    clock.advance(61_000);
    await failOnce('u1');
    assert.equal(dead.connections, 2);
    // And counts from the first failure again.
    await sender('u1', deadUrl());
    await waits('u1');
    assert.equal(status('u1')?.next_attempt, 1);
  });

  it('costs whole groups when the memory is full, without kmp_rtmp_out_overload, but not the sender', async () => {
    await start({ settings: { outMemLimit: 200_000 } });
    await live.killServer();
    const first = await sender('u1', live.url());
    await first.closed;
    await live.service.ended();
    const it = await sender('u1', live.url());
    await waits('u1');
    const group = 10;
    const frame = (n: number): Buffer => frameAt(n * 40, Buffer.alloc(5000, `v${n} `), { key: n % group === 0 });
    for (let n = 0; n < 100; n++) {
      it.send(frame(n));
      await live.received('video', n + 1);
      assert.ok(live.status().mem_left > 0);
    }
    assert.equal(it.isClosed, false);
    assert.ok((live.status().streams['s']?.tracks.video?.dropped_frames ?? 0) > 50);
    await live.startServer();
    clock.advance(1000);
    const connection = await live.ingest.next();
    clock.advance(3000);
    await eventually(() => live.status().streams['s']?.tracks.video?.pending_frames === 0, 'all to be written');
    for (let n = 100; n < 120; n++) it.send(frame(n));
    const numbers = (): number[] => framesOf(connection).map((text) => Number(/^v(\d+)/.exec(text)?.[1]));
    await connection.until(() => numbers().at(-1) === 119);
    // Each group is whole, or is not there at all.
    const groups = new Map<number, number>();
    for (const n of numbers()) groups.set(Math.floor(n / group), (groups.get(Math.floor(n / group)) ?? 0) + 1);
    assert.ok(
      [...groups.values()].every((length) => length === group),
      numbers().join(' '),
    );
    assert.ok(groups.size > 3);
  });

  it('costs the older audio if there is no video to drop', async () => {
    await start({ settings: { outMemLimit: 100_000 } });
    await failOnce('u1');
    const it = await live.audio({ url: deadUrl() });
    await waits('u1');
    for (let n = 0; n < 300; n++) {
      it.send(...audioFrames(n, n + 1));
      await live.received('audio', n + 1);
    }
    assert.equal(it.isClosed, false);
    const { pending_frames = 0, dropped_frames = 0 } = live.status().streams['s']?.tracks.audio ?? {};
    assert.equal(pending_frames + dropped_frames, 300);
    assert.ok(pending_frames > 50, `${pending_frames}`);
  });

  describe('with reconnects, whose senders leave,', () => {
    const settings = { outReconnects: Infinity };

    it('is given up at once if nothing is queued', async () => {
      await start({ settings });
      const it = await sender('u1', deadUrl());
      await live.state('reconnecting');
      it.destroy();
      assert.equal((await live.service.ended()).reason, 'done');
    });

    it('is given up after ten seconds if it never took anything', async () => {
      await start({ settings });
      const it = await sender('u1', deadUrl());
      it.send(...videoFrames(0, 3));
      await live.state('reconnecting');
      await live.received('video', 3);
      it.end();
      await eventually(() => live.status().streams['s']?.tracks.video?.input === null, 'the end');
      clock.advance(9999);
      assert.ok(live.upstream !== undefined);
      clock.advance(1);
      assert.equal((await live.service.ended()).reason, 'handshake_failed');
    });
  });

  it('is given up after ten seconds by an upstream that waits for its first turn, and whose sender leaves', async () => {
    await start({ settings: { outReconnectInterval: 20_000 } });
    await failOnce('u1');
    const it = await sender('u1', deadUrl());
    it.send(...videoFrames(0, 3));
    await waits('u1');
    await live.received('video', 3);
    it.end();
    await eventually(() => live.status().streams['s']?.tracks.video?.input === null, 'the end');
    clock.advance(9999);
    assert.ok(live.upstream !== undefined);
    clock.advance(1);
    assert.equal((await live.service.ended()).reason, 'handshake_failed');
    assert.equal(dead.connections, 1);
  });

  it('ends an upstream that waits, and that is deleted', async () => {
    await start();
    await failOnce('u1');
    const it = await sender('u1', deadUrl());
    it.send(...videoFrames(0, 3));
    await waits('u1');
    live.upstream?.drop('api_delete', false);
    assert.equal((await live.service.ended()).reason, 'api_delete');
    await it.closed;
    clock.advance(60_000);
    assert.equal(dead.connections, 1);
  });

  it('ends an upstream that waits, and the service, without delay', async () => {
    await start();
    await failOnce('u1');
    const it = await sender('u1', deadUrl());
    it.send(...videoFrames(0, 3));
    await waits('u1');
    await live.service.registry.drain();
    assert.equal((await live.service.ended()).reason, 'shutdown');
    // Nothing was published, so nothing is acknowledged: the next process gets it.
    assert.deepEqual(it.acks, []);
  });
});
