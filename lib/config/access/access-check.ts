import { BlockList, isIP } from 'node:net';
import type { AccessRule } from './access.js';

/** Consecutive rules with the same action, combined into one list. */
interface RuleGroup {
  readonly allow: boolean;
  readonly all: boolean;
  readonly unix: boolean;
  readonly list: BlockList;
}

/**
 * Compiles rules into a test for the address of a peer (`socket.remoteAddress`). As in nginx, the first rule that
 * matches decides, and an address that matches no rule is allowed. IPv4 rules also apply to IPv4-mapped IPv6 addresses,
 * which a dual-stack socket reports. The address of clients of Unix-domain sockets is `unix:`. A peer without an
 * address (it has disconnected) is allowed only if there are no rules.
 */
export function accessCheck(rules: readonly AccessRule[]): (address: string | undefined) => boolean {
  const groups: RuleGroup[] = [];
  for (const { action, who } of rules) {
    const allow = action === 'allow';
    if (who === 'all') {
      groups.push({ allow, all: true, unix: true, list: new BlockList() });
      break; // later rules are never reached
    }
    if (who === 'unix:') {
      groups.push({ allow, all: false, unix: true, list: new BlockList() });
      continue;
    }
    let group = groups.at(-1);
    if (group?.allow !== allow) groups.push((group = { allow, all: false, unix: false, list: new BlockList() }));
    group.list.addSubnet(who.address, who.prefix, who.family);
  }
  if (groups.length === 0) return () => true;
  return (address) => {
    if (address === 'unix:') return groups.find(({ unix }) => unix)?.allow ?? true;
    const plain = plainAddress(address);
    if (plain === undefined) return false;
    const group = groups.find(({ all, list }) => all || list.check(plain.address, plain.family));
    return group?.allow ?? true;
  };
}

/** Removes the IPv6 zone and converts an IPv4-mapped address to IPv4. */
function plainAddress(address: string | undefined): { address: string; family: 'ipv4' | 'ipv6' } | undefined {
  if (address === undefined) return undefined;
  const plain = address.replace(/%.*$/, '').replace(/^::ffff:(?=\d+\.)/i, '');
  const version = isIP(plain);
  return version === 0 ? undefined : { address: plain, family: version === 4 ? 'ipv4' : 'ipv6' };
}
