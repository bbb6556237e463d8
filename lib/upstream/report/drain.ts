/** How far a node is with giving its upstreams away. */
export interface DrainStatus {
  readonly draining: boolean;
  /** Upstreams that have moved since the drain began. */
  readonly moved: number;
  /** Upstreams that have not moved yet. 0 while it drains: it is done. */
  readonly left: number;
}

/** Drains a node of a fleet: it gets no new upstreams, and its own move to other nodes. */
export interface DrainControl {
  status(): DrainStatus;
  /** Begins; does nothing if it drains already. */
  begin(): DrainStatus;
  /** The node takes upstreams again, and keeps those that have not moved. */
  end(): DrainStatus;
}
