/** What lives in a process after a garbage collection. */
export interface Look {
  /** Bytes. */
  readonly heap: number;
  readonly external: number;
  readonly rss: number;
  /** How many of each. */
  readonly alive: Readonly<Record<Living, number>>;
}

export type Living =
  | 'upstreams'
  | 'tracks'
  | 'ledgers'
  | 'inputs'
  | 'publishers'
  | 'sockets'
  | 'timers'
  | 'abortSignals'
  | 'processListeners';

/** How late the event loop was, ms, since it was last marked. */
export interface Delay {
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

/** What can be asked of a process with {@link file://./inside.ts} in it. */
export type Order =
  { readonly what: 'look' | 'mark' | 'delay' } | { readonly what: 'step' | 'block'; readonly ms: number };
