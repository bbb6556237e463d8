import { KmpRtmpError } from '../../base/errors.js';
import type { NodeRecord, OwnerRecord } from '../node-record.js';

/** The answer to a placement. */
export interface Placed {
  readonly node: string;
  readonly epoch: number;
  /** The id had no owner, or another one, before. */
  readonly created: boolean;
  /** It is the recorded owner, but had no heartbeat within `node_timeout`. */
  readonly stale: boolean;
  /** The owner that was replaced; absent: none was recorded, or none was replaced. */
  readonly previous?: string;
}

/** All nodes of the fleet, as the engine has them. */
export interface NodeList {
  readonly nodes: readonly NodeRecord[];
  /** ms since 1970 by the clock of the engine: what `seenAt` is compared with. */
  readonly now: number;
  /** What the record of this node had as `started` before: another number, of another process with its name. */
  readonly startedBefore?: number;
}

/** The engine does not answer in time, cannot be reached, or refuses to write. */
export class EngineUnavailable extends KmpRtmpError {
  constructor(message: string, options?: { cause?: unknown }) {
    super('fleet_engine_unavailable', message, options);
  }
}

/**
 * Keeps the records of a fleet: its nodes, and the owner of each upstream id. Each call is atomic, has a deadline
 * (`engine_timeout`), and rejects with {@link EngineUnavailable} if the engine does not do it.
 */
export interface FleetEngine {
  /** False from the first call that failed, until a heartbeat is answered again. */
  readonly up: boolean;
  /** Why it is not up; empty if it is. Without passwords. */
  readonly problem: string;
  /** Called when {@link up} changes. Once it is up again, changes may have been missed. */
  onUp: ((up: boolean) => void) | undefined;
  /** A node has joined, left, or begun to drain; what has changed is in the answer to the next heartbeat. */
  onNodes: (() => void) | undefined;
  /** This node has become an owner, or another node has taken an id from it. */
  onOwner: ((change: OwnerRecord) => void) | undefined;
  /** Connects in the background, and again after failures. */
  start(): void;
  /** Records a heartbeat of this node. Returns all nodes. */
  beat(self: NodeRecord): Promise<NodeList>;
  /**
   * Returns the recorded owner of an id, or else records one: the first in `order` that is alive, not draining, and has
   * no more than 1.25 times the mean load. An owner that has left in order is replaced; one without heartbeats is not,
   * because it may have lost only its connection to the engine.
   *
   * @param order names of nodes; none of them needs to be alive
   * @param exclude an owner that does not answer: it is replaced if it is still the recorded one
   */
  place(id: string, order: readonly string[], exclude?: string): Promise<Placed>;
  ownerOf(id: string): Promise<OwnerRecord | undefined>;
  /**
   * Says that `node` publishes these upstreams. An id without an owner, or with a dead one, becomes its own; so does an
   * id whose record is older (it has a lower epoch). Records expire after 60 s without it. With many ids, this takes
   * several steps. Each has a deadline of its own.
   *
   * @param owned read step by step, so that ids can be left out that have ended before their step
   * @returns the ids for which something else is recorded by now than was given: another node, or another epoch
   */
  claim(node: string, owned: Iterable<Omit<OwnerRecord, 'node'>>): Promise<readonly OwnerRecord[]>;
  /**
   * An upstream has ended, or moves away: after `stay` ms, a placement chooses from all nodes. A record with another
   * owner or a newer epoch meanwhile stays.
   */
  release(id: string, node: string, epoch: number, stay: number): Promise<void>;
  /** The node ends in order. */
  leave(node: string): Promise<void>;
  /** Closes all connections. */
  stop(): Promise<void>;
}
