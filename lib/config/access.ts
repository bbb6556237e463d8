import { isIPv4, isIPv6 } from 'node:net';
import { ValueError } from './errors.js';
import { digits, type ValueType } from './types.js';

/** Addresses that begin with the same `prefix` bits. An address alone has a prefix of 32 or 128. */
export interface Cidr {
  readonly address: string;
  readonly prefix: number;
  readonly family: 'ipv4' | 'ipv6';
}

/** nginx's `allow` and `deny`: rules are asked in order, the first that fits decides, and who fits none is let in. */
export interface AccessRule {
  readonly action: 'allow' | 'deny';
  readonly who: 'all' | Cidr;
}

/**
 * `kmp_rtmp_out_allow` and `kmp_rtmp_out_deny`: the same for where upstreams may connect to. A host name fits the name in the URL
 * (`*` stands for any text), an address or CIDR fits what the name resolved to.
 */
export interface DestinationRule {
  readonly action: 'allow' | 'deny';
  readonly where: 'all' | Cidr | { readonly host: string };
  /** undefined: any port */
  readonly port: number | undefined;
}

/** An address or CIDR; undefined if `text` is neither. Brackets around an IPv6 address are taken. */
export function parseCidr(text: string): Cidr | undefined {
  const [, bracketed, plain, bits] = /^(?:\[([^\]]+)\]|([^[\]/]+))(?:\/(\d{1,3}))?$/.exec(text) ?? [];
  const address = bracketed ?? plain ?? '';
  // A zone (fe80::1%eth0) names an interface of this machine, not a network.
  const family = isIPv4(address) ? 'ipv4' : isIPv6(address) && !address.includes('%') ? 'ipv6' : undefined;
  if (family === undefined) return undefined;
  const most = family === 'ipv4' ? 32 : 128;
  const prefix = bits === undefined ? most : Number(bits);
  return prefix <= most ? { address, prefix, family } : undefined;
}

/** The arguments of `allow` or `deny`. */
export function accessRule(action: 'allow' | 'deny'): ValueType<AccessRule> {
  const expected = '"all", an address or a network such as 10.0.0.0/8 or 2001:db8::/32';
  return {
    syntax: 'address | CIDR | all',
    expected,
    args: [1, 1],
    parse([text = '']) {
      const who = text === 'all' ? text : parseCidr(text);
      if (who === undefined) throw new ValueError(`"${text}" is not ${expected}`);
      return { action, who };
    },
  };
}

/** `name`, `1.2.3.4`, `10.0.0.0/8`, `all`, each with `:port` or without; IPv6 in brackets if a port follows. */
function splitPort(text: string): { host: string; port: string | undefined } {
  const colons = text.split(':').length - 1;
  if (colons > 1 && !/\](\/\d+)?:/.test(text)) return { host: text, port: undefined };
  const at = text.lastIndexOf(':');
  return at < 0 || text.endsWith(']')
    ? { host: text, port: undefined }
    : { host: text.slice(0, at), port: text.slice(at + 1) };
}

/** The arguments of `kmp_rtmp_out_allow` or `kmp_rtmp_out_deny`. */
export function destinationRule(action: 'allow' | 'deny'): ValueType<DestinationRule> {
  const expected = '"all", a host name (such as *.example.com), an address or a network, with :port or without';
  return {
    syntax: 'host[:port] | address[:port] | CIDR[:port] | all[:port]',
    expected,
    args: [1, 1],
    parse([text = '']) {
      const { host, port: portText } = splitPort(text);
      const port = portText === undefined ? undefined : digits(portText);
      const badPort = portText !== undefined && (port === undefined || port < 1 || port > 65535);
      const where = destination(host);
      if (badPort || where === undefined) throw new ValueError(`"${text}" is not ${expected}`);
      return { action, where, port };
    },
  };
}

function destination(host: string): DestinationRule['where'] | undefined {
  if (host === 'all') return 'all';
  const cidr = parseCidr(host);
  if (cidr !== undefined) return cidr;
  // Digits, dots and a slash only: a mistyped network, which as a name would fit nothing and protect no one.
  if (/^[\d./]*$/.test(host)) return undefined;
  return /^[a-z\d*]([a-z\d*._-]*[a-z\d*])?$/i.test(host) ? { host: host.toLowerCase() } : undefined;
}
