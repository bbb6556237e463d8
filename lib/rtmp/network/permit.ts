import type { ConnectTarget } from './tcp-connect.js';

/**
 * Decides if an address may be connected to. Returns true, or why not; false: without a reason.
 *
 * @param host the name that was resolved to `address`
 */
export type Permit = (address: string, port: number, host: string) => boolean | string;

/**
 * Returns those of the addresses that may be connected to. If there is none, returns why, for people.
 *
 * @param permit undefined: all may
 */
export function permittedOf(
  addresses: readonly string[],
  { host, port }: Pick<ConnectTarget, 'host' | 'port'>,
  permit: Permit | undefined,
): readonly string[] | string {
  if (permit === undefined) return addresses;
  const answers = addresses.map((address) => permit(address, port, host));
  const permitted = addresses.filter((_, i) => answers[i] === true);
  if (permitted.length > 0) return permitted;
  const why = answers.find((answer) => typeof answer === 'string') ?? 'kmp_rtmp_out_allow, kmp_rtmp_out_deny';
  return `${addresses.join(', ')} port ${port} may not be connected to (${why})`;
}
