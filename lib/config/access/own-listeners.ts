import { BlockList, isIPv4, isIPv6 } from 'node:net';
import { networkInterfaces } from 'node:os';
import { isAnyHost, specialAddress, withoutZone } from './special-addresses.js';

/** An address that this process listens on. A Unix-domain socket has the port 0. */
export interface OwnListener {
  readonly host: string;
  readonly port: number;
}

/**
 * Whether a connection to `address` and `port` reaches one of `listeners`: an upstream could publish to the service
 * itself, or send an HTTP request to its API.
 */
export function reachesListener(address: string, port: number, listeners: readonly OwnListener[]): boolean {
  const hosts = listeners.filter((one) => one.port === port && port !== 0).map(({ host }) => host);
  if (hosts.length === 0) return false;
  const special = specialAddress(address);
  if (special === 'unspecified') return true;
  const isLocal = special === 'loopback' || isSame(address, ownAddresses());
  return (
    isLocal &&
    hosts.some((host) => (!isIPv4(host) && !isIPv6(host) ? true : isAnyHost(host) || isSame(address, [host])))
  );
}

function isSame(address: string, others: readonly string[]): boolean {
  const list = new BlockList();
  for (const other of others) list.addAddress(other, isIPv4(other) ? 'ipv4' : 'ipv6');
  const plain = withoutZone(address);
  return (isIPv4(plain) || isIPv6(plain)) && list.check(plain, isIPv4(plain) ? 'ipv4' : 'ipv6');
}

/** Addresses change while the service runs, so they are asked for each time. */
function ownAddresses(): string[] {
  return Object.values(networkInterfaces()).flatMap((all = []) => all.map(({ address }) => withoutZone(address)));
}
