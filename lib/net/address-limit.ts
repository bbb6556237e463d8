/** Addresses of this machine, also in IPv6 form, and its Unix-domain sockets. */
const THIS_MACHINE = /^(::ffff:)?127\.|^::1$|^unix:/;

/**
 * How many connections one address may have at the same time.
 *
 * @param limit 0: no limit. auto: half of `all` for an address of another machine, so that none can use up all
 *   connections, and no limit for this machine
 * @param all how many connections all addresses may have together; 0: no limit
 * @returns 1 or more; Infinity: no limit
 */
export function addressLimit(limit: number | 'auto', all: number, address: string): number {
  if (limit !== 'auto') return limit === 0 ? Infinity : limit;
  if (all === 0 || THIS_MACHINE.test(address)) return Infinity;
  return Math.max(1, Math.floor(all / 2));
}
