import { messageOf } from '../../base/errors.js';
import type { Clock } from '../../time/clock.js';
import type { MediaSettings } from '../../config/settings.js';
import { MAX_BACKUP_URLS, type ConnectData } from '../../kmp/connect-data.js';
import { tooLong } from '../../kmp/name-limits.js';
import { permittedOf, type Permit } from '../../rtmp/network/permit.js';
import type { Resolve } from '../../rtmp/network/resolve.js';
import { parseRtmpUrl } from '../../rtmp/rtmp-url.js';
import { destinationOf, type Destination } from '../connection/destination.js';
import { backupData, dataElsewhere } from '../connection/failover/backups.js';
import type { Elsewhere, OrderRefusal, OrderScope } from '../report/orders.js';

/** How long the names of the destinations may take to be resolved, ms. */
const RESOLVE_TIMEOUT = 5_000;

/** What the check needs to know about an upstream. */
export interface CheckedUpstream {
  readonly data: ConnectData;
  readonly settings: MediaSettings;
  readonly resolve: Resolve;
  /** Which addresses the upstream may connect to; default: all. */
  readonly permit?: Permit | undefined;
}

/** Addresses by host, for each way to resolve. */
type Lookups = Map<Resolve, Map<string, Promise<readonly string[] | Error>>>;

/**
 * Checks if upstreams may publish at `to`, by the same rules as for the URLs of their senders: the form and the length
 * of the URLs, and `kmp_rtmp_out_allow` and `kmp_rtmp_out_deny` for the addresses. Returns the first reason against it.
 */
export async function refusalOf(
  to: Elsewhere,
  upstreams: readonly CheckedUpstream[],
  clock: Clock,
): Promise<OrderRefusal | undefined> {
  const lookups: Lookups = new Map();
  for (const upstream of upstreams) {
    const places = placesOf(to, upstream);
    if ('error' in places) return places;
    for (const { field, destination } of places) {
      const refusal = await addressRefusal(field, destination, upstream, lookups, clock);
      if (refusal !== undefined) return refusal;
    }
  }
  return undefined;
}

/** The order is refused, because there are as many as there may be. */
export const TOO_MANY: OrderRefusal = {
  error: 'too_many_orders',
  message: 'there are too many orders; take back those that are not needed any more',
};

/** Characters that a URL may have in any case. */
const MAX_URL = 8192;

/** Checks the form of the URLs alone. For a route they have no stream: each stream keeps its name. */
export function formRefusal(scope: OrderScope, to: Elsewhere): OrderRefusal | undefined {
  if (to.backupUrls.length > MAX_BACKUP_URLS) return bad(`backup_urls: the maximum is ${MAX_BACKUP_URLS} URLs`);
  for (const [field, url] of urlsOf(to)) {
    if (url.length > MAX_URL) return bad(`${field} has ${url.length} characters, the maximum is ${MAX_URL}`);
    try {
      const { stream } = parseRtmpUrl(url);
      if (stream !== '' && 'route' in scope)
        return bad(`${field}: for a route, the URL ends with the app, because each stream keeps its name`);
    } catch (error) {
      return bad(`${field}: ${messageOf(error)}`);
    }
  }
  return undefined;
}

function bad(message: string): OrderRefusal {
  return { error: 'bad_destination', message };
}

/** The URLs with the names of their fields in the API. */
function urlsOf({ url, backupUrls }: Elsewhere): (readonly [field: string, url: string])[] {
  return [['url', url], ...backupUrls.map((one, n) => [`backup_urls[${n}]`, one] as const)];
}

/** One of the URLs of an order: `url`, or `backup_urls[n]`. */
interface Place {
  readonly field: string;
  readonly destination: Destination;
}

function placesOf(to: Elsewhere, { data, settings }: CheckedUpstream): readonly Place[] | OrderRefusal {
  const places: Place[] = [];
  let primary: ConnectData | undefined;
  for (const [n, [field, url]] of urlsOf(to).entries()) {
    try {
      const there: ConnectData = primary === undefined ? dataElsewhere(data, to) : backupData(primary, url);
      primary ??= there;
      const long = tooLong({ ...there, upstreamId: '' }, settings.inMaxNameLength);
      if (long !== undefined) return bad(`${field}: ${long}`);
      places.push({ field, destination: destinationOf(there, settings, n) });
    } catch (error) {
      return bad(`${field}: ${messageOf(error)}`);
    }
  }
  return places;
}

async function addressRefusal(
  field: string,
  { target }: Destination,
  { resolve, permit }: CheckedUpstream,
  lookups: Lookups,
  clock: Clock,
): Promise<OrderRefusal | undefined> {
  const { host } = target;
  let known = lookups.get(resolve);
  if (known === undefined) lookups.set(resolve, (known = new Map()));
  let lookup = known.get(host);
  if (lookup === undefined) known.set(host, (lookup = resolved(resolve, host, clock)));
  const addresses = await lookup;
  if (addresses instanceof Error) {
    return { error: 'destination_unresolved', message: `${field}: ${messageOf(addresses)}` };
  }
  const permitted = permittedOf(addresses, target, permit);
  if (typeof permitted !== 'string') return undefined;
  return { error: 'destination_refused', message: `${field}: ${permitted}` };
}

/** The addresses of a host, or why there are none. Never rejects. */
function resolved(resolve: Resolve, host: string, clock: Clock): Promise<readonly string[] | Error> {
  return new Promise((done) => {
    const late = (): void => done(new Error(`${host} was not resolved in ${RESOLVE_TIMEOUT} ms`));
    const timer = clock.after(RESOLVE_TIMEOUT, late, false);
    resolve(host)
      .catch((error: unknown) => (error instanceof Error ? error : new Error(messageOf(error))))
      .then(done)
      .finally(() => timer.cancel());
  });
}
