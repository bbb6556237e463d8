import { BlockList, isIPv4, isIPv6 } from 'node:net';
import type { DestinationRule } from './access.js';
import { matchesWildcard } from '../nginx/wildcard.js';

/**
 * Returns whether an upstream may connect to `address` and `port`; `host` is the host of the URL, which resolved to
 * `address`.
 */
export type DestinationCheck = (host: string, address: string, port: number) => boolean;

/**
 * Compiles the rules of `kmp_rtmp_out_allow` and `kmp_rtmp_out_deny`. The first rule that matches decides; a
 * destination without a match is allowed. The check is made for each resolved address, so a rule for an internal
 * network also applies to a host name that resolves into it. IPv4 rules also apply to IPv4-mapped IPv6 addresses. Text
 * that is not an address is rejected if there are rules. A connection to 0.0.0.0 or :: reaches this machine, so
 * 127.0.0.1 or ::1 must be allowed as well.
 */
export function destinationCheck(rules: readonly DestinationRule[]): DestinationCheck {
  const tests = rules.map(({ action, where, port }) => ({ allow: action === 'allow', fits: compileRule(where), port }));
  return (host, address, port) => {
    if (tests.length === 0) return true;
    const plain = address.replace(/%.*$/, '').replace(/^::ffff:(?=\d+\.)/i, '');
    if (!isIPv4(plain) && !isIPv6(plain)) return false;
    // A host name may end with the dot of the DNS root.
    const name = host.toLowerCase().replace(/\.$/, '');
    const allowed = (asked: string): boolean => {
      const first = tests.find((one) => (one.port === undefined || one.port === port) && one.fits(name, asked));
      return first?.allow ?? true;
    };
    const self = loopbackFor(plain);
    return allowed(plain) && (self === undefined || allowed(self));
  };
}

const anyIpv4 = new BlockList();
anyIpv4.addAddress('0.0.0.0', 'ipv4');
const anyIpv6 = new BlockList();
anyIpv6.addAddress('::', 'ipv6');

/** The loopback address that a connection to the unspecified address reaches; undefined for other addresses. */
function loopbackFor(address: string): string | undefined {
  const family = isIPv4(address) ? 'ipv4' : 'ipv6';
  if (anyIpv4.check(address, family)) return '127.0.0.1';
  return anyIpv6.check(address, family) ? '::1' : undefined;
}

function compileRule(where: DestinationRule['where']): (host: string, address: string) => boolean {
  if (where === 'all') return () => true;
  if ('host' in where) return (host) => matchesWildcard(where.host, host);
  const list = new BlockList();
  list.addSubnet(where.address, where.prefix, where.family);
  return (_, address) => list.check(address, isIPv4(address) ? 'ipv4' : 'ipv6');
}
