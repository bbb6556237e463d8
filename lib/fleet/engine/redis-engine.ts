import { messageOf } from '../../base/errors.js';
import type { Logger } from '../../base/logger.js';
import type { FleetConfig } from '../../config/fleet/fleet.js';
import { Backoff } from '../../time/backoff.js';
import type { Clock, Timer } from '../../time/clock.js';
import { deadline } from '../../time/deadline.js';
import type { NodeRecord, OwnerRecord } from '../node-record.js';
import { openConnection, type Connection } from './connection.js';
import { EngineUnavailable, type FleetEngine, type NodeList, type Placed } from './engine.js';
import { changeOf, claimed, nodeList, ownerIn, placed } from './replies.js';
import { BEAT, CLAIM, LEAVE, PLACE, RELEASE, type Script } from './scripts.js';

/** ms for which an owner's record stays without a refresh. */
const OWNER_LIFE = 60_000;
/** Ids of one claim. A script blocks the engine for as long as it runs: a hundred ids take less than a millisecond. */
const CLAIMS_AT_ONCE = 100;
/** Waits between two attempts to connect, ms. A node that was cut off has to be back within two seconds. */
const RECONNECTS = { first: 100, longest: 1000, jitter: 0.3 } as const;
/** The most characters of a problem that are shown. */
const MAX_PROBLEM = 300;
/** A node that has not been seen for so long is forgotten, ms. */
const FORGET_AFTER = 600_000;

export interface RedisEngineOptions {
  readonly clock: Clock;
  readonly log: Logger;
}

type Settings = Pick<FleetConfig, 'engine' | 'name' | 'nodeTimeout' | 'engineTimeout'> & {
  readonly node: Pick<FleetConfig['node'], 'name'>;
};

/**
 * Valkey or Redis. One connection answers commands and receives changes, so a change is only missed if the connection
 * breaks: {@link onUp} says so. A call that fails for any reason ends the connection: a server that does not answer in
 * time, is only a replica, or refuses writes (`min-replicas-to-write`), is not an engine at that time.
 */
export class RedisEngine implements FleetEngine {
  up = false;
  problem = 'it is not connected yet';
  onUp: FleetEngine['onUp'];
  onNodes: FleetEngine['onNodes'];
  onOwner: FleetEngine['onOwner'];
  private connection: Connection | undefined;
  private readonly backoff = new Backoff(RECONNECTS);
  private readonly keys: ReturnType<typeof keysOf>;
  private timer: Timer | undefined;
  private stopped = false;
  private logged = '';

  constructor(
    private readonly settings: Settings,
    private readonly options: RedisEngineOptions,
  ) {
    this.keys = keysOf(settings.name);
  }

  start(): void {
    void this.connect();
  }

  async beat(self: NodeRecord): Promise<NodeList> {
    const { seenAt: _, ...record } = self;
    const { state, nodes, changes } = this.keys;
    const load = String(Math.max(0, Math.floor(self.load)));
    const args = [self.name, JSON.stringify(record), self.draining ? '1' : '0', load, changes];
    const list = await this.run(BEAT, [state, nodes], args, nodeList);
    this.backoff.reset();
    const old = list.nodes.filter(({ name, seenAt }) => name !== self.name && list.now - seenAt > FORGET_AFTER);
    if (old.length === 0) return list;
    await this.forget(old.map(({ name }) => name));
    return { ...list, nodes: list.nodes.filter((node) => !old.includes(node)) };
  }

  async place(id: string, order: readonly string[], exclude = ''): Promise<Placed> {
    const { owner, state, epoch, changesOf } = this.keys;
    const args = [id, String(this.settings.nodeTimeout), String(OWNER_LIFE), exclude, changesOf, ...order];
    const answer = await this.run(PLACE, [owner(id), state, epoch], args, placed);
    if (answer === undefined) throw new EngineUnavailable('the engine knows no node that is alive');
    return answer;
  }

  async ownerOf(id: string): Promise<OwnerRecord | undefined> {
    return this.call(['GET', this.keys.owner(id)], (answer) => ownerIn(id, answer));
  }

  async claim(node: string, owned: Iterable<Omit<OwnerRecord, 'node'>>): Promise<readonly OwnerRecord[]> {
    const { state, epoch, owner, changesOf } = this.keys;
    const changed: OwnerRecord[] = [];
    // One after the other: after an outage, all nodes claim at once, and the last of many would miss its deadline.
    for (const part of partsOf(owned, CLAIMS_AT_ONCE)) {
      const keys = [state, epoch, ...part.map(({ id }) => owner(id))];
      const args = [node, String(this.settings.nodeTimeout), String(OWNER_LIFE), changesOf];
      const pairs = part.flatMap((one) => [one.id, String(one.epoch)]);
      changed.push(...(await this.run(CLAIM, keys, [...args, ...pairs], (answer) => claimed(part, answer))));
    }
    return changed;
  }

  async release(id: string, node: string, epoch: number, stay: number): Promise<void> {
    const args = [node, String(epoch), String(Math.ceil(stay))];
    await this.run(RELEASE, [this.keys.owner(id), this.keys.state], args, () => {});
  }

  leave(node: string): Promise<void> {
    return this.forget([node]);
  }

  stop(): Promise<void> {
    this.stopped = true;
    this.timer?.cancel();
    this.connection?.close();
    this.connection = undefined;
    this.up = false;
    return Promise.resolve();
  }

  private async forget(nodes: readonly string[]): Promise<void> {
    const { state, nodes: all, changes } = this.keys;
    await this.run(LEAVE, [state, all], [changes, ...nodes], () => {});
  }

  private async connect(): Promise<void> {
    let ended: string | undefined;
    let connection: Connection | undefined;
    try {
      const { engine } = this.settings;
      const { clock } = this.options;
      const { changes, changesOf, nodes } = this.keys;
      const opened = await openConnection({
        ...{ engine, clock, channels: [changes, changesOf + this.settings.node.name] },
        onMessage: (text, channel) => this.onMessage(text, channel),
        onEnd: (why) => {
          ended = why;
          if (this.connection === connection) this.fail(why);
        },
      });
      if (this.stopped) return opened.close();
      connection = opened;
      // The removal of a node without a name changes nothing, but it is a write: a replica refuses it, and so does a
      // master without enough replicas.
      await this.deadline(opened, opened.call(['HDEL', nodes, '-']));
      if (this.stopped) return opened.close();
      if (ended !== undefined) return this.fail(ended);
      this.connection = opened;
      this.setUp(true, '');
    } catch (error) {
      connection?.close();
      this.fail(messageOf(error));
    }
  }

  private onMessage(text: string, channel: string): void {
    if (this.stopped) return;
    if (channel === this.keys.changes) return this.onNodes?.();
    const change = changeOf(text);
    if (change !== undefined) this.onOwner?.(change);
  }

  private run<T>(
    { sha1, text }: Script,
    keys: readonly string[],
    args: readonly string[],
    parse: (answer: unknown) => T,
  ): Promise<T> {
    const rest = [String(keys.length), ...keys, ...args];
    // The engine keeps scripts that it has run, until it restarts.
    return this.call(['EVALSHA', sha1, ...rest], parse, () => ['EVAL', text, ...rest]);
  }

  /**
   * @param parse throws if the answer cannot be used
   * @param instead the command that is sent if the engine does not know the script of the first one
   */
  private async call<T>(
    args: readonly string[],
    parse: (answer: unknown) => T,
    instead?: () => readonly string[],
  ): Promise<T> {
    const { connection } = this;
    if (connection === undefined) throw new EngineUnavailable(this.problem);
    try {
      const answer = connection.call(args).catch((error: unknown) => {
        if (instead === undefined || !messageOf(error).startsWith('NOSCRIPT')) throw error;
        return connection.call(instead());
      });
      return parse(await this.deadline(connection, answer));
    } catch (error) {
      const problem = this.masked(messageOf(error));
      if (this.connection === connection) this.fail(problem);
      throw new EngineUnavailable(problem, { cause: error });
    }
  }

  private deadline(connection: Connection, answer: Promise<unknown>): Promise<unknown> {
    const { engineTimeout } = this.settings;
    return new Promise((resolve, reject) => {
      const late = (): void => reject(new EngineUnavailable(`${connection.at} does not answer in ${engineTimeout} ms`));
      const timer = deadline(this.options.clock, engineTimeout, late, true);
      void answer.then(resolve, reject).finally(() => timer.cancel());
    });
  }

  /** Ends the connection, and opens another one later. */
  private fail(problem: string): void {
    this.connection?.close();
    this.connection = undefined;
    if (this.stopped) return;
    this.setUp(false, this.masked(problem));
    this.timer?.cancel();
    this.timer = this.options.clock.after(this.backoff.next() ?? RECONNECTS.longest, () => void this.connect(), false);
  }

  private setUp(up: boolean, problem: string): void {
    const changed = this.up !== up;
    this.up = up;
    this.problem = problem;
    const { log } = this.options;
    if (up) log.info(`fleet: the engine ${this.connection?.at} is in use`);
    else if (changed || problem !== this.logged) log.error(`fleet: the engine cannot be used: ${problem}`);
    this.logged = problem;
    if (changed) this.onUp?.(up);
  }

  /**
   * Old servers repeat the arguments of a command that they do not know, such as the login. The text appears in the
   * log and in the answers to health checks.
   */
  private masked(text: string): string {
    const { password, sentinel } = this.settings.engine;
    const secrets = [password, sentinel?.password].filter((one) => one !== undefined && one !== '');
    const masked = secrets.reduce<string>((rest, secret = '') => rest.replaceAll(secret, '***'), text);
    return masked.length > MAX_PROBLEM ? `${masked.slice(0, MAX_PROBLEM)}…` : masked;
  }
}

/** Lists of up to `size` values, each read when it is asked for. */
function* partsOf<T>(values: Iterable<T>, size: number): Iterable<readonly T[]> {
  let part: T[] = [];
  for (const value of values) {
    if (part.push(value) < size) continue;
    yield part;
    part = [];
  }
  if (part.length > 0) yield part;
}

/** All keys of a fleet have one hash tag, so they are in one slot of a cluster. */
function keysOf(name: string) {
  const prefix = `kmp-rtmp:{${name}}:`;
  return {
    nodes: `${prefix}nodes`,
    state: `${prefix}state`,
    epoch: `${prefix}epoch`,
    owner: (id: string) => `${prefix}owner:${id}`,
    /** Changes of nodes, for all. */
    changes: `${prefix}changes`,
    /** Changes of owners, for the node whose name follows. */
    changesOf: `${prefix}changes:`,
  };
}
