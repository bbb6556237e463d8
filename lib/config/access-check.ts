import { BlockList, isIP } from 'node:net';
import type { AccessRule } from './access.js';

/** Rules in a row with the same action, as one list. */
interface Run {
  readonly allow: boolean;
  readonly all: boolean;
  readonly list: BlockList;
}

/**
 * Compiles rules to a test for a peer's address (`socket.remoteAddress`), with nginx's semantics: the first rule that
 * matches decides, and what no rule matches is allowed. IPv4 rules also hold for IPv4-mapped IPv6 addresses, as a dual-stack
 * socket reports them. A peer without an address (it has left already) only passes where there are no rules.
 */
export function accessCheck(rules: readonly AccessRule[]): (address: string | undefined) => boolean {
  const runs: Run[] = [];
  for (const { action, who } of rules) {
    const allow = action === 'allow';
    if (who === 'all') {
      runs.push({ allow, all: true, list: new BlockList() });
      break; // nothing after it can be reached
    }
    let run = runs.at(-1);
    if (run?.allow !== allow) runs.push((run = { allow, all: false, list: new BlockList() }));
    run.list.addSubnet(who.address, who.prefix, who.family);
  }
  if (runs.length === 0) return () => true;
  return (address) => {
    const plain = plainAddress(address);
    if (plain === undefined) return false;
    const run = runs.find(({ all, list }) => all || list.check(plain.address, plain.family));
    return run?.allow ?? true;
  };
}

/** Without the IPv6 zone, and as IPv4 where it is a mapped one. */
function plainAddress(address: string | undefined): { address: string; family: 'ipv4' | 'ipv6' } | undefined {
  if (address === undefined) return undefined;
  const plain = address.replace(/%.*$/, '').replace(/^::ffff:(?=\d+\.)/i, '');
  const version = isIP(plain);
  return version === 0 ? undefined : { address: plain, family: version === 4 ? 'ipv4' : 'ipv6' };
}
