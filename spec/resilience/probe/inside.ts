/**
 * Preloaded into the process of a service (`node --import`), so that a spec can see what lives in it, turn its wall
 * clock, and hold up its event loop. Listens on a socket file in the folder that PROBE_FOLDER names, one for each
 * process.
 */
import { createServer, Socket } from 'node:net';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setFlagsFromString, queryObjects } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { Look, Order } from './look.js';

/** ms between two looks at the event loop; what Node records is the time between them, so this is taken off. */
const RESOLUTION = 10;

const folder = process.env['PROBE_FOLDER'];
if (folder !== undefined) {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const delay = monitorEventLoopDelay({ resolution: RESOLUTION });
  delay.enable();
  const steps = stepDate();

  const obey = async (order: Order): Promise<object> => {
    if (order.what === 'look') return look(collect);
    if (order.what === 'step') {
      steps(order.ms);
    } else if (order.what === 'block') {
      const until = performance.now() + order.ms;
      while (performance.now() < until);
    } else if (order.what === 'mark') {
      delay.reset();
    } else {
      const late = (ns: number): number => Math.max(0, ns / 1e6 - RESOLUTION);
      return { p50: late(delay.percentile(50)), p99: late(delay.percentile(99)), max: late(delay.max) };
    }
    return {};
  };

  const server = createServer((socket) => {
    socket.unref();
    socket.on('error', () => {});
    socket.setEncoding('utf8').once('data', (text: string) => {
      void obey(JSON.parse(text) as Order).then((answer) => socket.end(JSON.stringify(answer)));
    });
  });
  // A worker's own socket, not one of its primary's.
  server.listen({ path: `${folder}/${process.pid}`, exclusive: true });
  server.unref();
}

/** What is alive once the garbage is gone. */
async function look(collect: () => void): Promise<Look> {
  const { Upstream } = await import('../../../lib/upstream/upstream.js');
  const { Track } = await import('../../../lib/upstream/tracks/track.js');
  const { Ledger } = await import('../../../lib/upstream/tracks/ledger.js');
  const { Input } = await import('../../../lib/upstream/intake/input.js');
  const { RtmpPublisher } = await import('../../../lib/rtmp/network/publisher.js');
  const timer = setTimeout(() => {}, 0);
  clearTimeout(timer);
  for (let i = 0; i < 2; i++) {
    collect();
    await new Promise((resolve) => setImmediate(resolve));
  }
  collect();
  const { heapUsed, external, rss } = process.memoryUsage();
  const living = (one: unknown): number => queryObjects(one as () => void, { format: 'count' });
  return {
    heap: heapUsed,
    external,
    rss,
    alive: {
      upstreams: living(Upstream),
      tracks: living(Track),
      ledgers: living(Ledger),
      inputs: living(Input),
      publishers: living(RtmpPublisher),
      sockets: living(Socket),
      // The one above is a timer, too.
      timers: living(timer.constructor) - 1,
      abortSignals: living(AbortSignal),
      processListeners: process.eventNames().reduce((sum, name) => sum + process.listenerCount(name), 0),
    },
  };
}

/**
 * Replaces Date by one whose clock can be stepped; timers and performance.now() go on, as when a machine's clock is
 * set.
 */
function stepDate(): (ms: number) => void {
  const RealDate = Date;
  const real = (): number => RealDate.now();
  let offset = 0;
  globalThis.Date = new Proxy(RealDate, {
    construct: (target, args: unknown[], newTarget) =>
      Reflect.construct(target, args.length === 0 ? [real() + offset] : args, newTarget) as Date,
    get: (target, key) => (key === 'now' ? () => real() + offset : (Reflect.get(target, key) as unknown)),
  });
  return (ms) => (offset += ms);
}
