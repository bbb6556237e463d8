import net from 'node:net';
import type { Clock } from '../time/clock.js';
import { deadline } from '../time/deadline.js';
import type { NodeAddress } from './node-record.js';

/** ms for one attempt, and the number of attempts. A listener may read its connections only every 230 ms. */
const TIMEOUT = { accepts: 300, responds: 600 } as const;
const ATTEMPTS = 2;
/**
 * ms for which a node counts as dead without another probe: thousands of senders ask for another place at once. A node
 * that has answered can die at any moment, so only the callers that wait for a probe share that result.
 */
const DEAD_LIFE = 500;

/** `accepts`: a connection is accepted. `responds`: the process also closes a connection that ends without data. */
export type ProbeKind = 'accepts' | 'responds';

/** Makes one attempt. */
export type Connect = (address: NodeAddress, kind: ProbeKind, timeout: number, clock: Clock) => Promise<boolean>;

/**
 * Finds out whether a node takes KMP connections. This is faster than missing heartbeats, and does not depend on the
 * engine. The kernel accepts connections for a process that hangs, too. So a node without heartbeats has to respond:
 * then it has only lost the engine, and its upstreams are live.
 */
export class Probe {
  private readonly results = new Map<string, { readonly until: number; readonly answer: Promise<boolean> }>();

  constructor(
    private readonly clock: Clock,
    private readonly connect: Connect = connectOnce,
  ) {}

  answers(address: NodeAddress, kind: ProbeKind = 'accepts'): Promise<boolean> {
    const now = this.clock.now();
    for (const [key, { until }] of this.results) if (until <= now) this.results.delete(key);
    const key = `${kind} ${address.host} ${address.port}`;
    const known = this.results.get(key);
    if (known !== undefined) return known.answer;
    const answer = this.ask(address, kind);
    this.results.set(key, { until: Infinity, answer });
    void answer.then((isThere) => {
      if (isThere) this.results.delete(key);
      else this.results.set(key, { until: this.clock.now() + DEAD_LIFE, answer });
    });
    return answer;
  }

  private async ask(address: NodeAddress, kind: ProbeKind): Promise<boolean> {
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      if (await this.connect(address, kind, TIMEOUT[kind], this.clock)) return true;
    }
    return false;
  }
}

const connectOnce: Connect = ({ host, port }, kind, timeout, clock) =>
  new Promise((resolve) => {
    const socket = net.connect({ host, port });
    let connected = false;
    const end = (answer: boolean): void => {
      timer.cancel();
      socket.destroy();
      resolve(answer);
    };
    const timer = deadline(clock, timeout, () => end(false));
    socket.once('connect', () => {
      connected = true;
      if (kind === 'accepts') end(true);
      else socket.end();
    });
    // Its end is an event only if what comes before it is read.
    socket.resume();
    // A process that resets the connection lives, too. Errors after the first one must not end this process.
    socket.on('error', () => end(connected));
    socket.once('close', () => end(connected));
  });
