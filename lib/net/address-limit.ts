/** Loopback addresses, also in IPv6 form, and Unix-domain sockets. */
const LOOPBACK = /^(::ffff:)?127\.|^::1$|^unix:/;

/**
 * How many connections one address may have at the same time.
 *
 * @param limit 0: no limit. auto: half of `all`, so that no address can use up all connections, but no limit for
 *   loopback addresses and Unix-domain sockets
 * @param all how many connections all addresses may have together; 0: no limit
 * @returns 1 or more; Infinity: no limit
 */
export function addressLimit(limit: number | 'auto', all: number, address: string): number {
  if (limit !== 'auto') return limit === 0 ? Infinity : limit;
  if (all === 0 || LOOPBACK.test(address)) return Infinity;
  return Math.max(1, Math.floor(all / 2));
}
