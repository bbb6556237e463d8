import { isIP, isIPv6 } from 'node:net';
import { ValueError } from '../errors.js';
import { hasControlCharacter, parseDigits, parseTime, type ValueType } from '../types.js';
import { isAnyHost } from './special-addresses.js';

/** An address to listen on. */
export interface ListenAddress {
  /** Path of a Unix-domain socket; then `host` is empty and `port` is 0. */
  readonly path?: string;
  /** Connections begin with a header of the PROXY protocol (`proxy_protocol`). */
  readonly proxyProtocol?: boolean;
  /** Connections begin with a TLS handshake (`ssl`). */
  readonly ssl?: boolean;
  /** IP address without brackets, `localhost`, or another name of this machine. `0.0.0.0` and `::`: all addresses. */
  readonly host: string;
  /** 1..65535; 0: any free port. */
  readonly port: number;
  /** For an IPv6 host: do not accept IPv4 connections (the default of nginx). */
  readonly ipv6Only: boolean;
  /** Maximum number of connections that wait to be accepted. */
  readonly backlog: number;
}

/** DNS servers that replace the resolver of the operating system. */
export interface ResolverSettings {
  /** `address:port`, IPv6 in brackets, as dns.Resolver.setServers() expects. */
  readonly servers: readonly string[];
  /** Time that an answer is used, in ms; it overrides the TTL of the answer. undefined: use that TTL. */
  readonly valid?: number;
  readonly ipv4: boolean;
  readonly ipv6: boolean;
}

/** Splits `host:port`, `host` or `port`. IPv6 needs brackets. Returns undefined for any other text. */
export function splitHostPort(text: string): { host: string | undefined; port: number | undefined } | undefined {
  if (/^\d+$/.test(text)) return withCheckedPort(undefined, text);
  const [, bracketed, plain, port] = /^(?:\[([^[\]]+)\]|([^[\]:]+))(?::(\d+))?$/.exec(text) ?? [];
  if (bracketed !== undefined) return isIPv6(bracketed) ? withCheckedPort(bracketed, port) : undefined;
  if (plain === undefined || !/^(\*|[a-z\d]([a-z\d._-]*[a-z\d])?)$/i.test(plain)) return undefined;
  return /^[\d.-]+$/.test(plain) && isIP(plain) === 0 ? undefined : withCheckedPort(plain, port);
}

function withCheckedPort(host: string | undefined, portText: string | undefined): ReturnType<typeof splitHostPort> {
  const port = portText === undefined ? undefined : parseDigits(portText);
  if (portText !== undefined && (port === undefined || port > 65535)) return undefined;
  return { host, port };
}

/** `address:port` for messages, IPv6 in brackets; `unix:PATH` for a Unix-domain socket. */
export function formatAddress({ host, port, path }: Pick<ListenAddress, 'host' | 'port' | 'path'>): string {
  if (path !== undefined) return `unix:${path}`;
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/** The addresses of a family that a host stands for. */
function coverage({ host, ipv6Only }: ListenAddress): {
  readonly v4: 'all' | 'one' | '';
  readonly v6: 'all' | 'one' | '';
} {
  if (isAnyHost(host)) return isIPv6(host) ? { v4: ipv6Only ? '' : 'all', v6: 'all' } : { v4: 'all', v6: '' };
  if (host.toLowerCase() === 'localhost') return { v4: 'one', v6: 'one' };
  return { v4: isIP(host) === 4 ? 'one' : '', v6: isIPv6(host) ? 'one' : '' };
}

/** Whether the system refuses to listen on both: a port of all addresses, and the same port of one or all of them. */
export function overlaps(a: ListenAddress, b: ListenAddress): boolean {
  if (a.path !== undefined || b.path !== undefined || a.port === 0 || a.port !== b.port) return false;
  const [one, other] = [coverage(a), coverage(b)];
  return (['v4', 'v6'] as const).some((family) => {
    const both = [one[family], other[family]];
    return both.includes('all') && !both.includes('');
  });
}

/** Parameters that change what clients may send or how they are identified. Ignoring them would be wrong. */
const REJECTED = new Map([
  ['quic', 'QUIC is not available'],
  ['udp', 'KMP uses TCP'],
]);
const IGNORED =
  /^(default_server|default|reuseport|bind|deferred|http2|multipath|(so_keepalive|rcvbuf|sndbuf|fastopen|setfib|accept_filter)=.*)$/;

/** Type of the arguments of `listen`. */
export const listen: ValueType<ListenAddress> = {
  syntax:
    'port | address:port | [ipv6]:port | *:port | localhost:port | unix:path [ssl] [backlog=number] [ipv6only=on|off] [proxy_protocol]',
  expected: 'a port, or address:port, [ipv6]:port, *:port, localhost:port, unix:path',
  args: [1, 20],
  parse([text = '', ...parameters], warn) {
    const path = /^unix:(.+)$/.exec(text)?.[1];
    const parts = path === undefined ? splitHostPort(text) : { host: undefined, port: 0 };
    if (parts === undefined || (path !== undefined && hasControlCharacter(path))) {
      throw new ValueError(`"${text}" is not ${this.expected}`);
    }
    if (parts.port === undefined) throw new ValueError(`"${text}" has no port; write ${text}:PORT`);
    let backlog = 511;
    let ipv6Only = true;
    let proxyProtocol = false;
    let ssl = false;
    for (const parameter of parameters) {
      const refused = REJECTED.get(parameter);
      if (refused !== undefined) throw new ValueError(`"${parameter}" is not supported: ${refused}`);
      const [key, value = ''] = parameter.split('=', 2);
      if (key === 'backlog' && (parseDigits(value) ?? 0) > 0) backlog = parseDigits(value) ?? backlog;
      else if (key === 'ipv6only' && (value === 'on' || value === 'off')) ipv6Only = value === 'on';
      else if (parameter === 'proxy_protocol') proxyProtocol = true;
      else if (parameter === 'ssl') ssl = true;
      else if (IGNORED.test(parameter)) warn(`"${parameter}" has no effect`);
      else
        throw new ValueError(
          `"${parameter}" is not a parameter of listen; expected ssl, backlog=number, ipv6only=on|off or proxy_protocol`,
        );
    }
    const host = parts.host === undefined || parts.host === '*' ? '0.0.0.0' : parts.host;
    const flags = { ...(proxyProtocol && { proxyProtocol }), ...(ssl && { ssl }) };
    if (path !== undefined) return { path, host: '', port: 0, ipv6Only: false, backlog, ...flags };
    return { host, port: parts.port, ipv6Only: isIPv6(host) && ipv6Only, backlog, ...flags };
  },
};

/** Type of the arguments of `resolver`. */
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
      if (key === 'valid') valid = validTime(value);
      else if ((key === 'ipv4' || key === 'ipv6') && /^(on|off)$/.test(value)) family[key] = value === 'on';
      else if (key === 'status_zone') warn(`"${arg}" has no effect`);
      else servers.push(dnsServer(arg));
    }
    if (servers.length === 0) throw new ValueError('there is no DNS server; expected at least one address');
    if (!family.ipv4 && !family.ipv6)
      throw new ValueError('"ipv4=off" together with "ipv6=off" excludes every address');
    return valid === undefined ? { servers, ...family } : { servers, valid, ...family };
  },
};

function validTime(text: string): number {
  const value = parseTime(text);
  if (value === undefined || value === 0) throw new ValueError(`"valid=${text}" is not a time such as valid=30s`);
  return value;
}

function dnsServer(text: string): string {
  const parts = isIPv6(text) ? { host: text, port: undefined } : splitHostPort(text);
  if (parts?.host === undefined || isIP(parts.host) === 0 || parts.port === 0) {
    throw new ValueError(`"${text}" is not the IP address of a DNS server, valid=time, ipv4=on|off or ipv6=on|off`);
  }
  return formatAddress({ host: parts.host, port: parts.port ?? 53 });
}
