import type { ErrorCode } from '../../base/errors.js';

/**
 * What nodes of a fleet ask each other.
 *
 * A request is a POST to `PEER_PATH/VERSION/ask`, with the peer token as bearer token and a `Question` as JSON. The
 * answer has one JSON object a line, so that a large one is written and read in small pieces of work: a head, then
 * upstreams or one value, then the end. An answer without its end was cut.
 */
export const PEER_PATH = '/fleet/peer';

/** Grows when the meaning of a question or an answer changes. New questions and new fields do not change it. */
export const PEER_VERSION = 1;

export const PEER_TYPE = 'application/x-ndjson';

/** The node that asks; it is shown in the log. */
export const ASKER_HEADER = 'X-Kmp-Rtmp-Node';

/** The most bytes of a request. */
export const MAX_QUESTION = 4 * 2 ** 20;
/** The most bytes of an answer. An upstream has about 2.5 kB. */
export const MAX_ANSWER = 32 * 2 ** 20;
/** The most bytes of all answers that are being read. */
export const MAX_ANSWERS = 96 * 2 ** 20;
/** The most upstreams in an answer. */
export const MAX_UPSTREAMS = 20_000;
/** The most ids in one question. */
export const MAX_IDS = 1000;

/** The first line. */
export interface HeadLine {
  readonly node: string;
  /** Of kmp-rtmp. */
  readonly version: string;
  /** Differs between nodes that have different standing orders. */
  readonly orders: string;
}

/** The other lines. `end` is the last one. */
export type Line =
  | { readonly value: unknown }
  | { readonly id: string; readonly upstream: unknown }
  | { readonly failed: { readonly code: ErrorCode; readonly message: string } }
  | { readonly end: true };
