import type { Config } from '../config/config.js';

/** What the primary tells a worker. */
export type ToWorker =
  /** The first message: who the worker is, and what it is to do. */
  | {
      readonly kind: 'start';
      readonly slot: number;
      readonly slots: number;
      /** Counts the workers that this slot has had. */
      readonly generation: number;
      readonly config: Config;
    }
  | { readonly kind: 'reload'; readonly call: number; readonly config: Config }
  | { readonly kind: 'stop'; readonly call: number }
  | { readonly kind: 'reopen' }
  | { readonly kind: 'ask'; readonly call: number; readonly what: Question }
  /** With a socket: a KMP connection that belongs to this worker. */
  | { readonly kind: 'connection'; readonly listener: string; readonly head: Buffer };

/** What is asked of each worker's part of the management. */
export type Question =
  | { readonly name: 'status' }
  | { readonly name: 'totals' }
  | { readonly name: 'dropUpstream'; readonly id: string }
  | { readonly name: 'dropTrack'; readonly id: string; readonly connection: number };

/** What a worker tells the primary. */
export type ToPrimary =
  | { readonly kind: 'online' }
  | { readonly kind: 'started'; readonly ports: readonly number[] }
  | { readonly kind: 'failed'; readonly code: string; readonly message: string }
  | { readonly kind: 'answer'; readonly call: number; readonly value?: unknown; readonly error?: string }
  /** With a socket: a KMP connection that belongs to another slot. */
  | { readonly kind: 'misplaced'; readonly slot: number; readonly listener: string; readonly head: Buffer };
