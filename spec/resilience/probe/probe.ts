import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import type { Delay, Living, Look, Order } from './look.js';

/** Environment of a process with a probe inside; `folder` is for its sockets. */
export function probed(folder: string): NodeJS.ProcessEnv {
  return { NODE_OPTIONS: `--import=${new URL('./inside.js', import.meta.url).href}`, PROBE_FOLDER: folder };
}

/** Looks into the processes of a service. */
export class Probe {
  constructor(
    private readonly folder: string,
    private readonly pids: () => readonly number[],
    /** What the processes have written: a process that has ended has no probe, and says there why. */
    private readonly output: () => string,
  ) {}

  /** All processes together. */
  async look(): Promise<Look> {
    const looks = (await this.all({ what: 'look' })) as Look[];
    const sum = (of: (look: Look) => number): number => looks.reduce((all, look) => all + of(look), 0);
    const names = Object.keys(looks[0]?.alive ?? {}) as Living[];
    return {
      heap: sum(({ heap }) => heap),
      external: sum(({ external }) => external),
      rss: sum(({ rss }) => rss),
      alive: Object.fromEntries(names.map((name) => [name, sum(({ alive }) => alive[name])])) as Look['alive'],
    };
  }

  /** Sets the wall clock forward, or back. */
  async step(ms: number): Promise<void> {
    await this.all({ what: 'step', ms });
  }

  /** Holds up the event loop. */
  async block(ms: number): Promise<void> {
    await this.all({ what: 'block', ms });
  }

  /** The event loop's delay counts from here. */
  async mark(): Promise<void> {
    await this.all({ what: 'mark' });
  }

  /** Of the process that is latest. */
  async delay(): Promise<Delay> {
    const delays = (await this.all({ what: 'delay' })) as Delay[];
    return delays.reduce((worst, one) => (one.p99 > worst.p99 ? one : worst));
  }

  private all(order: Order): Promise<unknown[]> {
    return Promise.all(this.pids().map((pid) => this.ask(pid, order)));
  }

  private async ask(pid: number, order: Order): Promise<unknown> {
    const socket = connect(`${this.folder}/${pid}`);
    socket.write(JSON.stringify(order));
    try {
      return JSON.parse(await text(socket));
    } catch (error) {
      throw new Error(`process ${pid} has no probe that answers:\n${this.output().slice(-3000)}`, { cause: error });
    }
  }
}
