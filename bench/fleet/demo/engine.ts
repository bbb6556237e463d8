import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import net from 'node:net';
import { messageOf } from '../../../lib/base/errors.js';
import { freePort } from '../../../spec/support/network/free-port.js';
import { endRedisServer, startRedisServer } from '../redis-server.js';
import { Door } from './door.js';

/** How a node reaches the engine. */
export interface Line {
  /** For its configuration. */
  readonly url: string;
  /** Cuts it, if it can be cut. */
  readonly door: Door | undefined;
}

/** How long to wait for a connection to the server of `REDIS_URL`, ms. */
const CONNECT_MS = 3000;

/** The engine of the demo: redis-server as a process, or the server of `REDIS_URL`. */
export class Engine {
  private readonly doors: Door[] = [];
  private child: ChildProcess | undefined;

  private constructor(private readonly url: URL) {}

  /**
   * @param url redis://host:port, of a server that runs; undefined: starts one
   * @throws Error if there is no redis-server, the URL is of another kind, or nothing answers there
   */
  static async start(url: string | undefined): Promise<Engine> {
    if (url !== undefined) return Engine.running(url);
    const engine = new Engine(new URL(`redis://127.0.0.1:${await freePort()}`));
    await engine.run();
    return engine;
  }

  private static async running(text: string): Promise<Engine> {
    if (!URL.canParse(text) || new URL(text).protocol !== 'redis:') {
      throw new Error('REDIS_URL: redis://host:port is expected');
    }
    const url = new URL(text);
    const socket = net.connect({ ...placeOf(url), timeout: CONNECT_MS });
    socket.once('timeout', () => socket.destroy(new Error(`no connection within ${CONNECT_MS} ms`)));
    try {
      await once(socket, 'connect');
    } catch (error) {
      throw new Error(`REDIS_URL: cannot connect to ${url.host}: ${messageOf(error)}`, { cause: error });
    } finally {
      socket.destroy();
    }
    return new Engine(url);
  }

  get name(): string {
    return this.child === undefined ? `the server at ${this.url.host}` : 'a redis-server of its own';
  }

  /**
   * A line for one node.
   *
   * @param cuttable it passes through this process, so that it can be cut; always, if the server is not the demo's own
   */
  async line(cuttable: boolean): Promise<Line> {
    const own = this.child !== undefined;
    if (own && !cuttable) return { url: textOf(this.url), door: undefined };
    const { port, host } = placeOf(this.url);
    const door = await Door.to(port, host);
    this.doors.push(door);
    const url = new URL(this.url);
    url.host = `127.0.0.1:${door.port}`;
    return { url: textOf(url), door };
  }

  /** Kills the process; its data is lost. The server of REDIS_URL goes on, but nothing reaches it. */
  async stop(): Promise<void> {
    if (this.child === undefined) await Promise.all(this.doors.map((door) => door.shut()));
    else await endRedisServer(this.child);
  }

  async restart(): Promise<void> {
    if (this.child === undefined) await Promise.all(this.doors.map((door) => door.reopen()));
    else await this.run();
  }

  async close(): Promise<void> {
    if (this.child !== undefined) await endRedisServer(this.child);
    await Promise.all(this.doors.map((door) => door.close()));
  }

  private async run(): Promise<void> {
    this.child = await startRedisServer(Number(this.url.port));
  }
}

const placeOf = ({ hostname, port }: URL): { host: string; port: number } => {
  return { host: hostname, port: Number(port || 6379) };
};
const textOf = (url: URL): string => url.href.replace(/\/$/, '');
