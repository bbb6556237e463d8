import { messageOf } from '../../base/errors.js';
import type { Logger } from '../../base/logger.js';
import type { Question } from '../../management/question.js';
import type { Clock } from '../../time/clock.js';
import type { NodeRecord } from '../node-record.js';
import { PeerError, type PeerAnswer } from './answer-reader.js';
import type { FleetQuestion } from './fleet-question.js';
import { PeerClient } from './peer-client.js';

/** The nodes of the fleet, as this node knows them. */
export interface Directory {
  /** Name of this node. */
  readonly self: string;
  /** All nodes, with this one; those that have died stay until they leave. */
  readonly nodes: readonly NodeRecord[];
}

export interface PeersOptions {
  readonly directory: Directory;
  /** The peer token that is sent. */
  readonly token: () => string;
  /** Certificates of authorities, in PEM form; undefined: those of Node. */
  readonly ca: () => string | undefined;
  /** ms for an answer (`peer_timeout`). */
  readonly timeout: () => number;
  readonly clock: Clock;
  readonly log: Logger;
}

/** How a node has answered last. */
export interface PeerState {
  /** Why it does not answer; undefined: it does. */
  readonly problem: string | undefined;
  /** Monotonic ms until which nobody waits for it. */
  readonly restUntil: number;
}

/**
 * After a node has not answered in time, it counts as missing for this long, ms, in the views that are shown all the
 * time: otherwise each update of a page would wait for it.
 */
const REST = 2_000;

/** The other nodes of the fleet. Remembers which of them answer. */
export class Peers {
  private readonly client: PeerClient;
  private readonly states = new Map<string, PeerState>();

  constructor(private readonly options: PeersOptions) {
    const { directory, token, ca, clock } = options;
    this.client = new PeerClient({ self: directory.self, token, ca, clock });
  }

  get self(): string {
    return this.options.directory.self;
  }

  get nodes(): readonly NodeRecord[] {
    return this.options.directory.nodes;
  }

  get others(): readonly NodeRecord[] {
    return this.nodes.filter(({ name }) => name !== this.self);
  }

  /** Whether each of the other nodes has answered the last question; undefined: it was not asked yet. */
  get up(): ReadonlyMap<string, boolean | undefined> {
    return new Map(
      this.others.map(({ name }) => {
        const state = this.states.get(name);
        return [name, state && state.problem === undefined];
      }),
    );
  }

  /**
   * Asks another node.
   *
   * @param more.longer ms that the answer may take beyond `peer_timeout`
   * @param more.hurry do not wait for a node that has just not answered in time
   * @throws PeerError
   */
  async ask(
    node: NodeRecord,
    what: Question | FleetQuestion,
    { longer = 0, hurry = false }: { readonly longer?: number; readonly hurry?: boolean } = {},
  ): Promise<PeerAnswer> {
    const { clock, timeout } = this.options;
    const { problem, restUntil = 0 } = this.states.get(node.name) ?? {};
    if (hurry && problem !== undefined && clock.now() < restUntil) throw new PeerError(problem, true);
    try {
      const answer = await this.client.ask(node, what, timeout() + longer);
      this.note(node.name, undefined, 0);
      return answer;
    } catch (error) {
      const slow = error instanceof PeerError && error.slow;
      this.note(node.name, messageOf(error), slow ? clock.now() + REST : 0);
      throw error;
    }
  }

  private note(name: string, problem: string | undefined, restUntil: number): void {
    const before = this.states.get(name)?.problem;
    // Nodes that have left are forgotten.
    const known = new Set(this.nodes.map((node) => node.name));
    for (const old of this.states.keys()) if (!known.has(old)) this.states.delete(old);
    this.states.set(name, { problem, restUntil });
    const { log } = this.options;
    if (problem !== undefined && before === undefined) log.warn(`node ${name} is missing: ${problem}`);
    if (problem === undefined && before !== undefined) log.info(`node ${name} answers again`);
  }
}
