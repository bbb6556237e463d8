import type { ErrorCode } from '../../base/errors.js';

/**
 * What nodes of a fleet ask each other.
 *
 * A request is a POST to `PEER_PATH/VERSION/ask`, with the peer token as bearer token and a `Question` as JSON. The
 * answer has one JSON object a line, so that a large one is written and read in small pieces of work: a head, then one
 * value, upstreams or the items of a list, then the end. An answer without its end was cut.
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
/** The most bytes of a line, which is read in one piece of work. An upstream with 400 streams fits. */
export const MAX_LINE = 2 ** 20;
/**
 * The most values in an answer: numbers, texts, lists and so on. An upstream has about 130. Small values need much more
 * memory than bytes.
 */
export const MAX_VALUES = 3_000_000;
/** The most bytes of all answers that are being read. */
export const MAX_ANSWERS = 96 * 2 ** 20;
/** The most upstreams in an answer. */
export const MAX_UPSTREAMS = 20_000;
/** The most items of a list: all ids of a node, or all its standing orders. */
export const MAX_ITEMS = 25_000;
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
  | { readonly item: unknown }
  | { readonly failed: { readonly code: ErrorCode; readonly message: string } }
  | { readonly end: true };
