import type { ErrorCode } from '../base/errors.js';
import type { Config } from '../config/config.js';
import type { Question } from '../management/question.js';
import type { CloseReason } from '../upstream/report/close-reason.js';
import type { ClosedUpstreamReport } from '../upstream/report/closed.js';
import type { OrdersSnapshot } from '../upstream/orders/orders.js';
import type { Fence, FleetTable } from '../upstream/ownership/ownership.js';
import type { Internal } from '../node-internals/internals.js';

/** With a socket: a KMP connection that belongs to the worker. `head`: the bytes that have been read of it. */
export interface Connection {
  readonly kind: 'connection';
  readonly listener: string;
  readonly head: Buffer;
}

/** With a socket: a KMP connection that belongs to another slot. */
export interface Misplaced {
  readonly kind: 'misplaced';
  readonly slot: number;
  readonly listener: string;
  readonly head: Buffer;
}

/** The messages from the primary to a worker. */
export type ToWorker =
  /** The first message: the worker's place and its work. */
  | {
      readonly kind: 'start';
      readonly slot: number;
      readonly slots: number;
      /** The number of workers that this slot has had before. */
      readonly generation: number;
      readonly config: Config;
      /** The orders of operators that are in force. */
      readonly orders: OrdersSnapshot;
      /** The internals of Node that the primary has tested, for the worker to use. */
      readonly internals: readonly Internal[];
      /** What the worker must know of the fleet; absent: there is none. */
      readonly fleet?: FleetTable | undefined;
      readonly fences: readonly Fence[];
    }
  | { readonly kind: 'reload'; readonly call: number; readonly config: Config }
  | { readonly kind: 'stop'; readonly call: number; readonly timeout?: number | undefined }
  | { readonly kind: 'reopen' }
  /** The orders of operators that are in force, in place of those before. */
  | { readonly kind: 'orders'; readonly orders: OrdersSnapshot }
  /** What a worker must know of the fleet, in place of what it knew before. */
  | { readonly kind: 'fleet'; readonly table: FleetTable }
  | { readonly kind: 'fence'; readonly fences: readonly Fence[] }
  /** The calls of the same names of `FleetSide`. */
  | { readonly kind: 'keyFrame' | 'moveAway'; readonly call: number; readonly id: string }
  /** A sign of life is requested. */
  | { readonly kind: 'ping' }
  | { readonly kind: 'ask'; readonly call: number; readonly what: Question };

/** The messages from a worker to the primary. */
export type ToPrimary =
  | { readonly kind: 'online' }
  | { readonly kind: 'alive' }
  | { readonly kind: 'started'; readonly ports: readonly number[] }
  | { readonly kind: 'failed'; readonly code: ErrorCode; readonly message: string }
  | { readonly kind: 'answer'; readonly call: number; readonly value?: unknown; readonly error?: string }
  /** An upstream has ended. */
  | { readonly kind: 'closed'; readonly report: ClosedUpstreamReport }
  /** An upstream begins or ends; only in a fleet. */
  | { readonly kind: 'began'; readonly id: string; readonly epoch: number | undefined }
  | { readonly kind: 'ended'; readonly id: string; readonly epoch: number | undefined; readonly reason: CloseReason }
  /** An upstream is published. */
  | { readonly kind: 'live'; readonly id: string };
