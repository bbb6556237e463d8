import { BlockList, isIPv4, isIPv6 } from 'node:net';
import type { DestinationRule } from './access.js';
import { fitsWildcard } from './nginx/wildcard.js';

/** Whether an upstream whose URL names `host` may connect to `address`, which that host resolved to, at `port`. */
export type DestinationCheck = (host: string, address: string, port: number) => boolean;

/**
 * Compiles `kmp_rtmp_out_allow` and `kmp_rtmp_out_deny`: the first rule that fits decides, and what none fits is allowed. Asked with
 * each resolved address, so that a name that points inside is found out by a rule about addresses. IPv4 rules hold for mapped IPv6
 * addresses too; what is no address at all is not allowed, unless there are no rules. 0.0.0.0 and ::, in any spelling, lead to
 * the machine itself: they have to be allowed as 127.0.0.1 and ::1, too.
 */
export function destinationCheck(rules: readonly DestinationRule[]): DestinationCheck {
  const tests = rules.map(({ action, where, port }) => ({ allow: action === 'allow', fits: test(where), port }));
  return (host, address, port) => {
    if (tests.length === 0) return true;
    const plain = address.replace(/%.*$/, '').replace(/^::ffff:(?=\d+\.)/i, '');
    if (!isIPv4(plain) && !isIPv6(plain)) return false;
    // A name may be written with the dot of the root at its end.
    const name = host.toLowerCase().replace(/\.$/, '');
    const allowed = (asked: string): boolean => {
      const first = tests.find((one) => (one.port === undefined || one.port === port) && one.fits(name, asked));
      return first?.allow ?? true;
    };
    const self = ownAddress(plain);
    return allowed(plain) && (self === undefined || allowed(self));
  };
}

const anyIpv4 = new BlockList();
anyIpv4.addAddress('0.0.0.0', 'ipv4');
const anyIpv6 = new BlockList();
anyIpv6.addAddress('::', 'ipv6');

/** What a connection to the unspecified address leads to; undefined if `address` is another one. */
function ownAddress(address: string): string | undefined {
  const family = isIPv4(address) ? 'ipv4' : 'ipv6';
  if (anyIpv4.check(address, family)) return '127.0.0.1';
  return anyIpv6.check(address, family) ? '::1' : undefined;
}

function test(where: DestinationRule['where']): (host: string, address: string) => boolean {
  if (where === 'all') return () => true;
  if ('host' in where) return (host) => fitsWildcard(where.host, host);
  const list = new BlockList();
  list.addSubnet(where.address, where.prefix, where.family);
  return (_, address) => list.check(address, isIPv4(address) ? 'ipv4' : 'ipv6');
}
