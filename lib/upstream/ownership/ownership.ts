import type { CloseReason } from '../report/close-reason.js';

/** A node that tracks can be sent to: its name, and the address at which it takes KMP. */
export interface FleetMember {
  readonly name: string;
  /** IP address or host name. */
  readonly host: string;
  readonly port: number;
}

/** What the media side knows of the fleet. It goes to workers as a message. */
export interface FleetTable {
  /** Name of this node. */
  readonly self: string;
  /** What happens to a track that another node owns (`misplaced` of the `fleet` block). */
  readonly misplaced: 'relay' | 'refuse';
  /** The nodes that are alive, this one as well. */
  readonly nodes: readonly FleetMember[];
}

/** An upstream id that another node owns by now. */
export interface Fence {
  readonly id: string;
  /** The owner. */
  readonly node: string;
  /** The epoch since which it is the owner. */
  readonly epoch: number;
}

/** What a fleet orders of the media side of its node. */
export interface FleetSide {
  setTable(table: FleetTable): void;
  /** These ids belong to other nodes: the upstreams end at once (`fleet_moved`), and their placements are refused. */
  fence(fences: readonly Fence[]): void;
  /**
   * Resolves when the next key frame of the upstream has arrived, which is the best moment to move it. At once if it
   * has no video or does not exist; after at most 10 s.
   */
  keyFrame(id: string): Promise<void>;
  /**
   * Ends an upstream so that another node can continue it (`fleet_moved`): the frames before its newest key frame are
   * written, its streams are unpublished, then its senders are disconnected. Resolves then, or after at most 10 s.
   * false: there is no such upstream.
   */
  moveAway(id: string): Promise<boolean>;
}

/** Takes the ids that begin and end in this process. */
export interface Ownership {
  /**
   * An upstream begins here, or one that is here was placed here with a newer epoch.
   *
   * @param epoch of its placement; undefined: its senders were not placed; 0: they were placed without the engine
   */
  began(id: string, epoch: number | undefined): void;
  /** It has ended. Called before its senders are disconnected. */
  ended(id: string, epoch: number | undefined, reason: CloseReason): void;
}
