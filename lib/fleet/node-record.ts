import type { NodeAddress, NodeHttpAddress } from '../config/fleet/arguments.js';

export type { NodeAddress, NodeHttpAddress } from '../config/fleet/arguments.js';

/** What a node of the fleet says about itself with each heartbeat. */
export interface NodeRecord {
  readonly name: string;
  /** Where senders and other nodes reach its KMP server. */
  readonly kmp: NodeAddress;
  /** Where other nodes reach its HTTP server. */
  readonly http: NodeHttpAddress;
  /** It takes no new upstreams. */
  readonly draining: boolean;
  /** Upstreams that it publishes, and those that were placed on it lately and whose senders have not connected yet. */
  readonly load: number;
  /** When its process started, ms since 1970. */
  readonly started: number;
  readonly version: string;
  /** The last heartbeat, ms since 1970 by the clock of the engine. */
  readonly seenAt: number;
}

/** The owner of an upstream id. */
export interface OwnerRecord {
  readonly id: string;
  readonly node: string;
  /**
   * Grows with each change of the owner of an id, and never falls back; the numbers are not consecutive. 0: placed
   * without the engine.
   */
  readonly epoch: number;
}
