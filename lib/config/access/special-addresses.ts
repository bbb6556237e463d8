import { BlockList, isIPv4, isIPv6 } from 'node:net';

/**
 * - `loopback`: this machine;
 * - `unspecified`: a connection to it reaches this machine, too;
 * - `link-local`: the same network only. Clouds answer there with credentials of the machine (metadata services)
 */
export type SpecialAddress = 'loopback' | 'unspecified' | 'link-local';

/**
 * The networks of each kind. The last entries of a kind are its NAT64 forms (RFC 6052): a gateway turns them into the
 * IPv4 address.
 */
const NETWORKS: Readonly<Record<SpecialAddress, readonly (readonly [address: string, prefix: number])[]>> = {
  loopback: [
    ['127.0.0.0', 8],
    ['::1', 128],
    ['64:ff9b::7f00:0', 104],
  ],
  unspecified: [
    ['0.0.0.0', 8],
    ['::', 128],
    ['64:ff9b::', 104],
  ],
  'link-local': [
    ['169.254.0.0', 16],
    ['fe80::', 10],
    // The metadata service of AWS over IPv6.
    ['fd00:ec2::254', 128],
    ['64:ff9b::a9fe:0', 112],
  ],
};

const lists = Object.entries(NETWORKS).map(([kind, networks]) => {
  const list = new BlockList();
  for (const [address, prefix] of networks) list.addSubnet(address, prefix, isIPv4(address) ? 'ipv4' : 'ipv6');
  return [kind as SpecialAddress, list] as const;
});

/** The kind of a special address; undefined for all others. IPv4-mapped IPv6 addresses count as IPv4. */
export function specialAddress(address: string): SpecialAddress | undefined {
  const plain = withoutZone(address);
  if (!isIPv4(plain) && !isIPv6(plain)) return undefined;
  return lists.find(([, list]) => list.check(plain, isIPv4(plain) ? 'ipv4' : 'ipv6'))?.[0];
}

/**
 * Whether an address to listen on, or `localhost`, is reached by programs on this machine only. A name such as
 * `127.example.com` may have any address.
 */
export function isLoopbackHost(host: string): boolean {
  return host.toLowerCase() === 'localhost' || specialAddress(host) === 'loopback';
}

/** Whether a host stands for all addresses of this machine: `*`, `0.0.0.0`, `::` and its longer forms. */
export function isAnyHost(host: string): boolean {
  return host === '*' || specialAddress(host) === 'unspecified';
}

/** An address without its IPv6 zone, and IPv4 for an IPv4-mapped address in dotted form. */
export function withoutZone(address: string): string {
  return address.replace(/%.*$/, '').replace(/^::ffff:(?=\d+\.)/i, '');
}
