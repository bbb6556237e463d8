import { BlockList, isIPv4, isIPv6 } from 'node:net';
import type { DestinationRule } from './access.js';
import { matchesWildcard } from '../nginx/wildcard.js';
import { reachesListener, type OwnListener } from './own-listeners.js';
import { specialAddress, withoutZone } from './special-addresses.js';

/** A connection that an upstream wants to make. */
export interface WantedDestination {
  /** The host of the URL, which resolved to `address`. */
  readonly host: string;
  readonly address: string;
  readonly port: number;
  /** True if the sender is on this machine: its address is a loopback address, or it uses a Unix-domain socket. */
  readonly senderIsLocal: boolean;
}

/** Why a connection is not permitted; undefined if it is. */
export type DestinationCheck = (wanted: WantedDestination) => string | undefined;

/** A rule, ready to be tested. */
interface Test {
  readonly allow: boolean;
  /** True if the rule names an address, a network or a complete host name: it may open special addresses. */
  readonly names: boolean;
  readonly port: number | undefined;
  readonly fits: (host: string, address: string) => boolean;
}

/**
 * Compiles the rules of `kmp_rtmp_out_allow` and `kmp_rtmp_out_deny`. The check is made for each resolved address, so a
 * rule for an internal network also applies to a host name that resolves into it. IPv4 rules also apply to IPv4-mapped
 * IPv6 addresses. Text that is not an address is rejected if there are rules. A connection to 0.0.0.0 or :: reaches
 * this machine, so 127.0.0.1 or ::1 must be allowed as well.
 *
 * 1. A listener of the service itself is never a destination.
 * 2. The first rule that matches decides. For link-local, unspecified and loopback addresses, an `allow` rule must name
 *    the address, its network, or the complete host name.
 * 3. Without a match, link-local and unspecified addresses are refused. Loopback addresses are refused if the sender is
 *    on another machine. All others are permitted.
 *
 * @param own the listeners of the service, at the time of the check
 */
export function destinationCheck(
  rules: readonly DestinationRule[],
  own: () => readonly OwnListener[],
): DestinationCheck {
  const tests = rules.map(testOf);
  return ({ host, address, port, senderIsLocal }) => {
    const plain = withoutZone(address);
    if (!isIPv4(plain) && !isIPv6(plain)) return tests.length === 0 ? undefined : 'it is not an address';
    if (reachesListener(plain, port, own())) return 'the service itself listens there';
    // A host name may end with the dot of the DNS root.
    const name = host.toLowerCase().replace(/\.$/, '');
    const special = specialAddress(plain);
    const decide = (asked: string): boolean | undefined =>
      tests.find(
        (one) =>
          (one.port === undefined || one.port === port) &&
          (one.names || !one.allow || special === undefined) &&
          one.fits(name, asked),
      )?.allow;
    const self = special === 'unspecified' ? (isIPv4(plain) || isMapped(plain) ? '127.0.0.1' : '::1') : undefined;
    const decisions = [plain, ...(self === undefined ? [] : [self])].map(decide);
    if (decisions.includes(false)) return 'kmp_rtmp_out_deny forbids it';
    if (decisions.includes(true) || special === undefined) return undefined;
    if (special === 'loopback' && senderIsLocal) return undefined;
    return special === 'loopback'
      ? 'it is a loopback address, and the sender is on another machine; kmp_rtmp_out_allow can permit it'
      : `it is ${special === 'unspecified' ? 'an unspecified' : 'a link-local'} address; kmp_rtmp_out_allow can permit it`;
  };
}

const mapped = new BlockList();
mapped.addSubnet('0.0.0.0', 8, 'ipv4');

/** True for an unspecified IPv6 address that stands for an IPv4 address. */
function isMapped(address: string): boolean {
  return mapped.check(address, 'ipv6');
}

function testOf({ action, where, port }: DestinationRule): Test {
  const names = where !== 'all' && !('host' in where && /[*?[]/.test(where.host));
  return { allow: action === 'allow', names, port, fits: compileRule(where) };
}

function compileRule(where: DestinationRule['where']): (host: string, address: string) => boolean {
  if (where === 'all') return () => true;
  if ('host' in where) return (host) => matchesWildcard(where.host, host);
  const list = new BlockList();
  list.addSubnet(where.address, where.prefix, where.family);
  return (_, address) => list.check(address, isIPv4(address) ? 'ipv4' : 'ipv6');
}
