import { promises as dns } from 'node:dns';
import { isIP } from 'node:net';
import { messageOf } from '../errors.js';
import { PublishError } from './publish-error.js';

/** Gives the addresses of a host, best first; at least one, or rejects with a PublishError. */
export type Resolve = (host: string) => Promise<string[]>;

export interface DnsServers {
  /** `address` or `address:port`, `[v6]:port`. */
  readonly servers: readonly string[];
  /** ms for one look-up in all. */
  readonly timeout: number;
  readonly ipv4: boolean;
  readonly ipv6: boolean;
  /** ms that an answer is used again; undefined or 0: asked every time. */
  readonly valid?: number | undefined;
}

/** A name that no server needs to be asked about: it cannot be one. */
function checkName(host: string): void {
  const labels = host.replace(/\.$/, '').split('.');
  const fits = host.length <= 253 && labels.every((label) => /^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$/i.test(label));
  if (!fits) throw new PublishError('start_resolve', `"${host.slice(0, 80)}" is not a host name`);
}

/** The system's own way (hosts file included), or no look-up at all for an address. */
export const systemResolve: Resolve = async (host) => {
  if (isIP(host) !== 0) return [host];
  checkName(host);
  try {
    const found = await dns.lookup(host, { all: true, verbatim: true });
    return found.map((entry) => entry.address);
  } catch (error) {
    throw new PublishError('resolve', `${host} could not be resolved: ${messageOf(error)}`, { cause: error });
  }
};

/** Asks the given DNS servers (`resolver` of the configuration), A and AAAA, IPv4 first. */
export function dnsResolve(options: DnsServers): Resolve {
  const cache = new Map<string, { until: number; addresses: string[] }>();
  return async (host) => {
    if (isIP(host) !== 0) return [host];
    checkName(host);
    const cached = cache.get(host);
    if (cached !== undefined && cached.until > performance.now()) return cached.addresses;
    const resolver = new dns.Resolver({ timeout: Math.max(1, Math.ceil(options.timeout / 3)), tries: 3 });
    resolver.setServers([...options.servers]);
    const cut = setTimeout(() => resolver.cancel(), options.timeout);
    const answers = await Promise.allSettled([
      options.ipv4 ? resolver.resolve4(host) : [],
      options.ipv6 ? resolver.resolve6(host) : [],
    ]);
    clearTimeout(cut);
    const addresses = answers.flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : []));
    if (addresses.length === 0) {
      const failed = answers.find((answer) => answer.status === 'rejected');
      const why = failed === undefined ? 'no address' : messageOf(failed.reason);
      throw new PublishError('resolve', `${host} could not be resolved by ${options.servers.join(', ')}: ${why}`);
    }
    if (options.valid !== undefined && options.valid > 0) {
      cache.set(host, { until: performance.now() + options.valid, addresses });
    }
    return addresses;
  };
}
