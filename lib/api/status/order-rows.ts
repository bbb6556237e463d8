import { maskUrl } from '../../base/mask.js';
import type { StandingOrder } from '../../upstream/report/orders.js';
import type { OrderInfo } from './public/data/wire.js';
import { shorten, shortenId } from './rows.js';

/** Most orders that the page shows. The API has all of them. */
const MAX_ORDERS = 100;

/**
 * The orders that the page has to show on their own: those for routes, and those for upstreams that are not present. A
 * present upstream shows its order itself.
 */
export class OrderRows {
  all: readonly OrderInfo[] = [];
  private text = '[]';

  /** @returns all of them, if anything has changed since the last snapshot */
  changes(
    orders: readonly StandingOrder[],
    present: Readonly<Record<string, unknown>>,
  ): { orders?: readonly OrderInfo[] } {
    this.all = orders
      .filter(({ upstream_id: id }) => id === null || present[id] === undefined)
      .slice(0, MAX_ORDERS)
      .map(orderInfo);
    const before = this.text;
    this.text = JSON.stringify(this.all);
    return this.text === before ? {} : { orders: this.all };
  }

  clear(): void {
    this.all = [];
    this.text = '[]';
  }
}

function orderInfo({ order, kind, upstream_id: id, route, url, since, by }: StandingOrder): OrderInfo {
  return {
    order,
    kind,
    id: id === null ? null : shortenId(id).id,
    route: route === null ? null : shorten(maskUrl(route)),
    url: url === null ? null : shorten(maskUrl(url)),
    since,
    by: by === null ? null : shorten(by),
  };
}
