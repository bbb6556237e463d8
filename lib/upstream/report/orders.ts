/** What an operator can order for upstreams, beside dropping them and sending them elsewhere. */
export type OperatorOrder = 'disable' | 'enable' | 'retry';

/** Which upstreams an order is about: the one with an id, or those that publish to the application of a URL. */
export type OrderScope = { readonly id: string } | { readonly route: string };

/** When an order was given, and who gave it. */
export interface OrderNote {
  /** ms since 1970 */
  readonly since: number;
  /** Name of the token; null: the API requires none, or the order did not come through it. */
  readonly by: string | null;
}

/** Where an operator sends upstreams, instead of where their senders ask for. */
export interface Elsewhere extends ElsewhereUrls, OrderNote {}

/** An order that is in force until it is taken back, whether there are such upstreams or not. */
export interface StandingOrder {
  /** Number of the order, unique until the service restarts. */
  readonly order: number;
  readonly kind: 'disabled' | 'elsewhere';
  /** The upstream that it is about; null: it is about a route. */
  readonly upstream_id: string | null;
  /** URL of the server with its app, masked; null: it is about an upstream. */
  readonly route: string | null;
  /** Where the upstreams are sent, masked; null if they are disabled. */
  readonly url: string | null;
  readonly backup_urls: readonly string[];
  /** When it was given, ISO 8601 in UTC. */
  readonly since: string;
  /** Name of the token of the operator; null: the API requires no token. */
  readonly by: string | null;
}

/** The URLs of such an order. */
export interface ElsewhereUrls {
  /**
   * `[rtmp://]host[:port]/app/stream`. Without a stream, each stream keeps its name. It contains the stream key: never
   * log it.
   */
  readonly url: string;
  /** At most 8; they are tried when the one before fails. They contain stream keys too. */
  readonly backupUrls: readonly string[];
}

/** Why an order was refused. Nothing was changed then. */
export interface OrderRefusal {
  /**
   * - `bad_destination`: a URL is invalid, or too long;
   * - `destination_refused`: the service may not connect there;
   * - `destination_unresolved`: its name has no address;
   * - `too_many_orders`
   */
  readonly error: 'bad_destination' | 'destination_refused' | 'destination_unresolved' | 'too_many_orders';
  /** For people; without stream keys. */
  readonly message: string;
}

/** The result of an order that some nodes of the fleet have not got yet. */
export interface PartialOrder {
  /** How many upstreams of the other nodes are concerned. */
  readonly upstreams: number;
  /** The nodes that do not answer, by name. A standing order is given to them when they do. */
  readonly missing_nodes: readonly string[];
}

/**
 * The result of an order: how many upstreams are concerned, or why it was refused; undefined if there is no such
 * upstream, and no order to take back.
 */
export type OrderAnswer = number | PartialOrder | OrderRefusal | undefined;

export function isRefusal(answer: OrderAnswer): answer is OrderRefusal {
  return typeof answer === 'object' && 'error' in answer;
}
