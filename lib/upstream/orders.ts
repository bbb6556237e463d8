import type { OrderScope } from './report/status.js';
import { parseUrlOf } from './tracks/stream-name.js';

/** Most upstreams and routes that may be disabled; beyond it, an order is refused. */
const MAX_ORDERS = 10_000;

/**
 * Which upstreams operators have disabled: by id, or all that publish to an application of a server (a route). It lives
 * as long as the process, so an upstream that its senders create again is still disabled.
 */
export class Orders {
  private readonly ids = new Set<string>();
  private readonly places = new Set<string>();

  /** True if an upstream with this id and URL is disabled. */
  isDisabled(id: string, url: string): boolean {
    if (this.ids.has(id)) return true;
    const place = this.places.size === 0 ? undefined : placeOf(url);
    return place !== undefined && this.places.has(place);
  }

  /** Returns false if nothing was changed: there are too many orders, the URL is invalid, or it was so already. */
  set(scope: OrderScope, disabled: boolean): boolean {
    const [set, key] = 'id' in scope ? [this.ids, scope.id] : [this.places, placeOf(scope.route)];
    if (key === undefined) return false;
    if (!disabled) return set.delete(key);
    if (set.has(key) || set.size >= MAX_ORDERS) return false;
    set.add(key);
    return true;
  }

  /** True if the order is about an upstream with this id and URL. */
  concerns(scope: OrderScope, id: string, url: string): boolean {
    if ('id' in scope) return scope.id === id;
    const place = placeOf(scope.route);
    return place !== undefined && place === placeOf(url);
  }
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
