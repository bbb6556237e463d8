import { maskUrl } from '../../base/mask.js';
import type { Elsewhere, OrderNote, OrderScope, StandingOrder } from '../report/orders.js';
import { parseUrlOf } from '../tracks/stream-name.js';

/** Most upstreams and routes that may be disabled. Beyond it, an order is refused. */
const MAX_DISABLED = 10_000;
/** Most upstreams and routes that may be sent elsewhere: each order has several URLs. */
const MAX_ELSEWHERE = 1_000;

/** All orders, for another process. It contains stream keys. */
export interface OrdersSnapshot {
  readonly disabled: OrderTable<OrderNote>;
  readonly elsewhere: OrderTable<Elsewhere>;
}

/** The orders of one kind: by the id of the upstream, and by the place that {@link placeOf} gives for a route. */
interface OrderTable<T> {
  readonly ids: ReadonlyMap<string, Entry<T>>;
  readonly places: ReadonlyMap<string, Entry<T>>;
}

interface Entry<T> {
  readonly number: number;
  /** As the operator has given it. */
  readonly scope: OrderScope;
  readonly order: T;
}

/**
 * What operators have ordered: which upstreams are disabled, and which publish elsewhere. An order is for the upstream
 * with an id, or for all that publish to an application of a server (a route). Orders live as long as the process, so
 * an upstream that its senders create again still follows them. With workers, the primary process keeps them too, for
 * the workers that replace others.
 */
export class Orders {
  private disabled = new Table<OrderNote>(MAX_DISABLED);
  private elsewhere = new Table<Elsewhere>(MAX_ELSEWHERE);
  /** How often anything was changed. */
  changes = 0;
  private lastNumber = 0;

  /** @param numberOf gives the numbers of orders; default: 1, 2, 3 ... */
  constructor(
    private readonly numberOf: (kind: StandingOrder['kind'], scope: OrderScope) => number = () => ++this.lastNumber,
  ) {}

  /** True if an upstream with this id, which publishes to `url`, is disabled. */
  isDisabled(id: string, url: string): boolean {
    return this.disabled.find(id, url) !== undefined;
  }

  /**
   * Where the upstream with this id is sent, if its senders ask for `url`. An order for its id comes before one for its
   * route.
   */
  elsewhereOf(id: string, url: string): Elsewhere | undefined {
    return this.elsewhere.find(id, url);
  }

  /** Returns 'full' if there are too many orders. */
  disable(scope: OrderScope, note: OrderNote): Change {
    // An order that is given again keeps its time.
    if (this.disabled.has(scope)) return 'same';
    return this.count(this.disabled.set(scope, note, this.numberOf('disabled', scope)));
  }

  enable(scope: OrderScope): Change {
    return this.count(this.disabled.delete(scope));
  }

  /** Returns 'full' if there are too many orders. @param to undefined: back to what the senders ask for */
  send(scope: OrderScope, to: Elsewhere | undefined): Change {
    return this.count(
      to === undefined
        ? this.elsewhere.delete(scope)
        : this.elsewhere.set(scope, to, this.numberOf('elsewhere', scope)),
    );
  }

  /** Whether there is an order of this kind for just this upstream or route. */
  has(kind: StandingOrder['kind'], scope: OrderScope): boolean {
    return kind === 'disabled' ? this.disabled.has(scope) : this.elsewhere.has(scope);
  }

  /** Whether one more order of this kind is possible. */
  hasRoom(kind: 'disable' | 'elsewhere', scope: OrderScope): boolean {
    return kind === 'disable' ? this.disabled.hasRoom(scope) : this.elsewhere.hasRoom(scope);
  }

  /** All orders, the latest first. */
  list(): StandingOrder[] {
    return [
      ...[...this.disabled.entries()].map((entry) => describe('disabled', entry, undefined)),
      ...[...this.elsewhere.entries()].map((entry) => describe('elsewhere', entry, entry.order)),
    ].sort((a, b) => b.order - a.order);
  }

  /** The order with a number. */
  find(number: number): { readonly kind: StandingOrder['kind']; readonly scope: OrderScope } | undefined {
    const has = (entry: Entry<OrderNote>): boolean => entry.number === number;
    const disabled = [...this.disabled.entries()].find(has);
    if (disabled !== undefined) return { kind: 'disabled', scope: disabled.scope };
    const elsewhere = [...this.elsewhere.entries()].find(has);
    return elsewhere && { kind: 'elsewhere', scope: elsewhere.scope };
  }

  snapshot(): OrdersSnapshot {
    return { disabled: this.disabled.snapshot(), elsewhere: this.elsewhere.snapshot() };
  }

  /** Replaces all orders. */
  load({ disabled, elsewhere }: OrdersSnapshot): void {
    this.disabled = new Table(MAX_DISABLED, disabled);
    this.elsewhere = new Table(MAX_ELSEWHERE, elsewhere);
    this.changes++;
  }

  private count(change: Change): Change {
    if (change === 'changed') this.changes++;
    return change;
  }
}

/** What an order has changed. `full`: nothing, because there are too many. */
export type Change = 'changed' | 'same' | 'full';

class Table<T> implements OrderTable<T> {
  readonly ids: Map<string, Entry<T>>;
  readonly places: Map<string, Entry<T>>;

  constructor(
    private readonly most: number,
    from?: OrderTable<T>,
  ) {
    this.ids = new Map(from?.ids);
    this.places = new Map(from?.places);
  }

  snapshot(): OrderTable<T> {
    return { ids: new Map(this.ids), places: new Map(this.places) };
  }

  find(id: string, url: string): T | undefined {
    const byId = this.ids.get(id);
    if (byId !== undefined || this.places.size === 0) return byId?.order;
    const place = placeOf(url);
    return place === undefined ? undefined : this.places.get(place)?.order;
  }

  *entries(): Generator<Entry<T>> {
    yield* this.ids.values();
    yield* this.places.values();
  }

  has(scope: OrderScope): boolean {
    const [map, key] = this.at(scope);
    return key !== undefined && map.has(key);
  }

  hasRoom(scope: OrderScope): boolean {
    const [map, key] = this.at(scope);
    return map.size < this.most || (key !== undefined && map.has(key));
  }

  set(scope: OrderScope, order: T, number: number): Change {
    const [map, key] = this.at(scope);
    if (key === undefined) return 'same';
    if (!this.hasRoom(scope)) return 'full';
    map.set(key, { number, scope, order });
    return 'changed';
  }

  delete(scope: OrderScope): Change {
    const [map, key] = this.at(scope);
    return key !== undefined && map.delete(key) ? 'changed' : 'same';
  }

  private at(scope: OrderScope): [map: Map<string, Entry<T>>, key: string | undefined] {
    return 'id' in scope ? [this.ids, scope.id] : [this.places, placeOf(scope.route)];
  }
}

function describe(
  kind: StandingOrder['kind'],
  { number, scope, order: { since, by } }: Entry<OrderNote>,
  to: Elsewhere | undefined,
): StandingOrder {
  return {
    order: number,
    kind,
    upstream_id: 'id' in scope ? scope.id : null,
    route: 'id' in scope ? null : maskUrl(scope.route),
    url: to === undefined ? null : maskUrl(to.url),
    backup_urls: to?.backupUrls.map(maskUrl) ?? [],
    since: new Date(since).toISOString(),
    by,
  };
}

/** True if an order is about an upstream with this id and URL. */
export function concerns(scope: OrderScope, id: string, url: string): boolean {
  if ('id' in scope) return scope.id === id;
  const place = placeOf(scope.route);
  return place !== undefined && place === placeOf(url);
}

/** The same text for scopes that are the same; undefined if a route is invalid. */
export function scopeKey(scope: OrderScope): string | undefined {
  if ('id' in scope) return JSON.stringify(['id', scope.id]);
  const place = placeOf(scope.route);
  return place === undefined ? undefined : JSON.stringify(['route', place]);
}

/** Server and application of a URL, without its stream; undefined if it is invalid. */
function placeOf(url: string): string | undefined {
  try {
    const { host, port, app } = parseUrlOf({
      url: /^[a-z]+:\/\/[^/]+\/[^/]+$/i.test(url) ? `${url}/` : url,
      app: undefined,
    });
    return JSON.stringify([host.toLowerCase(), port, app.split('?', 1)[0]]);
  } catch {
    return undefined;
  }
}
