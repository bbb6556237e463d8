import { isIPv6 } from 'node:net';
import type { Clock } from '../../time/clock.js';

/** How long an address stays at the end of the list after a failure, ms. */
const PENALTY = 60_000;

/** Most penalties that are remembered: senders choose host names. */
const MAX_PENALTIES = 1000;

/**
 * Which addresses of a host name have failed lately, beyond TCP: in TLS, in the RTMP handshake, or by a server that
 * refuses or hangs up. TCP says nothing of these failures, so the next attempt would choose the same address again. For
 * all connections of the process.
 */
export class AddressPenalties {
  /** Monotonic ms at which the penalty ends, by host and address; the oldest penalty first. */
  private readonly until = new Map<string, number>();

  constructor(private readonly clock: Pick<Clock, 'now'>) {}

  /** `address` of `host` has failed: for a minute, it is the last one to be tried. */
  penalize(host: string, address: string): void {
    const key = keyOf(host, address);
    this.until.delete(key);
    this.until.set(key, this.clock.now() + PENALTY);
    const [oldest] = this.until.keys();
    if (this.until.size > MAX_PENALTIES && oldest !== undefined) this.until.delete(oldest);
  }

  /**
   * The addresses of `host` in the order to try them: those that failed lately last, the earliest failure of them
   * first.
   */
  order(host: string, addresses: readonly string[]): string[] {
    const now = this.clock.now();
    const penalty = (address: string): number => {
      const until = this.until.get(keyOf(host, address)) ?? 0;
      return until > now ? until : 0;
    };
    return [...addresses].sort((a, b) => penalty(a) - penalty(b));
  }
}

function keyOf(host: string, address: string): string {
  return `${host.toLowerCase()} ${address}`;
}

/**
 * Addresses without repetitions, IPv6 and IPv4 in turns, beginning with the family of the first one (RFC 8305, section
 * 4).
 */
export function interleaveFamilies(addresses: readonly string[]): string[] {
  const all = [...new Set(addresses)];
  const startsWith6 = isIPv6(all[0] ?? '');
  const first = all.filter((address) => isIPv6(address) === startsWith6);
  const second = all.filter((address) => isIPv6(address) !== startsWith6);
  const mixed: string[] = [];
  for (let i = 0; i < Math.max(first.length, second.length); i++) {
    for (const address of [first[i], second[i]]) if (address !== undefined) mixed.push(address);
  }
  return mixed;
}
