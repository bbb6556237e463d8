import { isIPv4, isIPv6 } from 'node:net';
import { ValueError } from '../errors.js';
import { parseDigits, type ValueType } from '../types.js';

/** All addresses that begin with the same `prefix` bits. A single address has a prefix of 32 or 128. */
export interface Cidr {
  readonly address: string;
  readonly prefix: number;
  readonly family: 'ipv4' | 'ipv6';
}

/**
 * A rule of `allow` or `deny`, as in nginx: the first rule that matches decides, and without a match access is allowed.
 */
export interface AccessRule {
  readonly action: 'allow' | 'deny';
  /** `unix:`: clients of Unix-domain sockets. */
  readonly who: 'all' | 'unix:' | Cidr;
}

/**
 * A rule of `kmp_rtmp_out_allow` or `kmp_rtmp_out_deny`, for the destinations of upstreams. A host name is compared
 * with the host of the URL (`*` stands for any text). An address or a CIDR is compared with the resolved address.
 */
export interface DestinationRule {
  readonly action: 'allow' | 'deny';
  readonly where: 'all' | Cidr | { readonly host: string };
  /** undefined: any port */
  readonly port: number | undefined;
}

/** Parses an address or a CIDR; returns undefined if `text` is neither. An IPv6 address may be in brackets. */
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

/** Type of the arguments of `allow` and `deny`. */
export function accessRule(action: 'allow' | 'deny'): ValueType<AccessRule> {
  const expected = '"all", "unix:", an address or a network such as 10.0.0.0/8 or 2001:db8::/32';
  return {
    syntax: 'address | CIDR | unix: | all',
    expected,
    args: [1, 1],
    parse([text = '']) {
      const who = text === 'all' || text === 'unix:' ? text : parseCidr(text);
      if (who === undefined) throw new ValueError(`"${text}" is not ${expected}`);
      return { action, who };
    },
  };
}

/**
 * Splits `name`, `192.0.2.1`, `10.0.0.0/8` or `all` from an optional `:port`. IPv6 needs brackets if a port follows.
 */
function splitPort(text: string): { host: string; port: string | undefined } {
  const colons = text.split(':').length - 1;
  if (colons > 1 && !/\](\/\d+)?:/.test(text)) return { host: text, port: undefined };
  const at = text.lastIndexOf(':');
  return at < 0 || text.endsWith(']')
    ? { host: text, port: undefined }
    : { host: text.slice(0, at), port: text.slice(at + 1) };
}

/** Type of the arguments of `kmp_rtmp_out_allow` and `kmp_rtmp_out_deny`. */
export function destinationRule(action: 'allow' | 'deny'): ValueType<DestinationRule> {
  const expected = '"all", a host name (such as *.example.com), an address or a network, each with an optional :port';
  return {
    syntax: 'host[:port] | address[:port] | CIDR[:port] | all[:port]',
    expected,
    args: [1, 1],
    parse([text = '']) {
      const { host, port: portText } = splitPort(text);
      const port = portText === undefined ? undefined : parseDigits(portText);
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
  // Digits, dots, stars and a slash are a mistyped network, such as 10.*. As a host name it would match nothing but the
  // same text in a URL, so the rule would not protect.
  if (/^[\d./*?]*$/.test(host) && host !== '*') return undefined;
  return /^[a-z\d*]([a-z\d*._-]*[a-z\d*])?$/i.test(host) ? { host: host.toLowerCase() } : undefined;
}
