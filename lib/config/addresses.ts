import { isIP, isIPv6 } from 'node:net';
import { ValueError } from './errors.js';
import { digits, parseTime, type ValueType } from './types.js';

/** Where to listen. */
export interface ListenAddress {
  /** IP address without brackets, or `localhost` or another name of this machine. `0.0.0.0` and `::` are all of a family. */
  readonly host: string;
  /** 1..65535; 0: any free one. */
  readonly port: number;
  /** For an IPv6 host: IPv4 is not taken as well (nginx's default). */
  readonly ipv6Only: boolean;
  /** Connections that may wait to be accepted. */
  readonly backlog: number;
}

/** DNS servers to ask instead of the system's. */
export interface ResolverSettings {
  /** `address:port`, IPv6 in brackets: what dns.Resolver.setServers() takes. */
  readonly servers: readonly string[];
  /** ms that an answer is used, whatever its own time to live says; undefined: that time to live. */
  readonly valid?: number;
  readonly ipv4: boolean;
  readonly ipv6: boolean;
}

/** `host:port`, or one of both. IPv6 only in brackets. undefined if it is none of these. */
export function splitHostPort(text: string): { host: string | undefined; port: number | undefined } | undefined {
  if (/^\d+$/.test(text)) return checked(undefined, text);
  const [, bracketed, plain, port] = /^(?:\[([^[\]]+)\]|([^[\]:]+))(?::(\d+))?$/.exec(text) ?? [];
  if (bracketed !== undefined) return isIPv6(bracketed) ? checked(bracketed, port) : undefined;
  if (plain === undefined || !/^(\*|[a-z\d]([a-z\d._-]*[a-z\d])?)$/i.test(plain)) return undefined;
  return /^[\d.-]+$/.test(plain) && isIP(plain) === 0 ? undefined : checked(plain, port);
}

function checked(host: string | undefined, portText: string | undefined): ReturnType<typeof splitHostPort> {
  const port = portText === undefined ? undefined : digits(portText);
  if (portText !== undefined && (port === undefined || port > 65535)) return undefined;
  return { host, port };
}

/** `address:port` for people and logs; IPv6 in brackets. */
export function formatAddress({ host, port }: { readonly host: string; readonly port: number }): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/** Parameters that would change what clients may send or who they are: to drop them silently would be wrong. */
const REFUSED = new Map([
  ['ssl', 'TLS is not offered; put a TLS proxy in front'],
  ['quic', 'QUIC is not offered'],
  ['udp', 'KMP runs over TCP'],
  ['proxy_protocol', 'the PROXY protocol is not understood'],
]);
const TAKEN =
  /^(default_server|default|reuseport|bind|deferred|http2|multipath|(so_keepalive|rcvbuf|sndbuf|fastopen|setfib|accept_filter)=.*)$/;

/** The arguments of `listen`. */
export const listen: ValueType<ListenAddress> = {
  syntax: 'port | address:port | [ipv6]:port | *:port | localhost:port [backlog=number] [ipv6only=on|off]',
  expected: 'a port, or address:port, [ipv6]:port, *:port, localhost:port',
  args: [1, 20],
  parse([text = '', ...parameters], warn) {
    const parts = splitHostPort(text);
    if (parts === undefined) throw new ValueError(`"${text}" is not ${this.expected}`);
    if (parts.port === undefined) throw new ValueError(`"${text}" names no port; write ${text}:PORT`);
    let backlog = 511;
    let ipv6Only = true;
    for (const parameter of parameters) {
      const refused = REFUSED.get(parameter);
      if (refused !== undefined) throw new ValueError(`"${parameter}" is not supported: ${refused}`);
      const [key, value = ''] = parameter.split('=', 2);
      if (key === 'backlog' && (digits(value) ?? 0) > 0) backlog = digits(value) ?? backlog;
      else if (key === 'ipv6only' && (value === 'on' || value === 'off')) ipv6Only = value === 'on';
      else if (TAKEN.test(parameter)) warn(`"${parameter}" has no effect`);
      else throw new ValueError(`"${parameter}" is no parameter of listen; expected backlog=number or ipv6only=on|off`);
    }
    const host = parts.host === undefined || parts.host === '*' ? '0.0.0.0' : parts.host;
    return { host, port: parts.port, ipv6Only: isIPv6(host) && ipv6Only, backlog };
  },
};

/** The arguments of `resolver`. */
export const resolver: ValueType<ResolverSettings> = {
  syntax: 'address[:port] ... [valid=time] [ipv4=on|off] [ipv6=on|off]',
  expected: 'addresses of DNS servers',
  args: [1, 50],
  parse(args, warn) {
    const servers: string[] = [];
    let valid: number | undefined;
    const family = { ipv4: true, ipv6: true };
    for (const arg of args) {
      const [, key = '', value = ''] = /^([a-z\d_]+)=(.*)$/.exec(arg) ?? [];
      if (key === 'valid') valid = seconds(value);
      else if ((key === 'ipv4' || key === 'ipv6') && /^(on|off)$/.test(value)) family[key] = value === 'on';
      else if (key === 'status_zone') warn(`"${arg}" has no effect`);
      else servers.push(server(arg));
    }
    if (servers.length === 0) throw new ValueError('no DNS server is named; expected at least one address');
    if (!family.ipv4 && !family.ipv6)
      throw new ValueError('"ipv4=off" and "ipv6=off" together leave nothing to resolve');
    return valid === undefined ? { servers, ...family } : { servers, valid, ...family };
  },
};

function seconds(text: string): number {
  const value = parseTime(text);
  if (value === undefined || value === 0) throw new ValueError(`"valid=${text}" is not a time such as valid=30s`);
  return value;
}

function server(text: string): string {
  const parts = isIPv6(text) ? { host: text, port: undefined } : splitHostPort(text);
  if (parts?.host === undefined || isIP(parts.host) === 0 || parts.port === 0) {
    throw new ValueError(`"${text}" is not the IP address of a DNS server, nor valid=time, ipv4=on|off or ipv6=on|off`);
  }
  return formatAddress({ host: parts.host, port: parts.port ?? 53 });
}
