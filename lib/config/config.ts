import { isIP } from 'node:net';
import type { AccessRule } from './access/access.js';
import { formatAddress, overlaps, type ListenAddress, type ResolverSettings } from './access/addresses.js';
import { openApis, type HttpAccess } from './access/open-api.js';
import { senderSecrets } from './access/sender-secrets.js';
import type { SigningSecret } from '../base/signing-secret.js';
import { processDirectives, serverDirectives } from './directives/core.js';
import { httpServerDirectives } from './directives/http.js';
import { senderDirectives } from './directives/input.js';
import { defaultErrorLog, type ErrorLog } from './error-log.js';
import { ConfigError, formatOrigin, type Origin } from './errors.js';
import type { SettingValue } from './setting-value.js';
import { locationsOf, type LocationConfig } from './locations.js';
import type { ConfigFiles } from './files/files.js';
import { fleetFiles, fleetOf, type FleetConfig } from './fleet/fleet.js';
import { FILE_DIRECTIVES, namedFiles, withoutRepeated, type NamedFile } from './files/named-files.js';
import type { Control } from './route.js';
import type { Overrides } from './overrides.js';
import type { Scope } from './scope.js';
import { collectSettings, mediaDirectives, type SettingLookup, type MediaSettings } from './settings.js';
import type { Warnings } from './warnings.js';

/** A complete configuration, checked and typed. Times are in ms, sizes in bytes. */
export interface Config {
  /** The file that it was read from. */
  readonly file: string;
  /** Directives that have no effect or look wrong: one text for each, with file and line. */
  readonly warnings: readonly string[];
  readonly workerProcesses: number | 'auto';
  readonly workerShutdownTimeout: number;
  /** `kmp_rtmp_mem_limit`, bytes */
  readonly memLimit: number | 'auto' | 'off';
  /** `kmp_rtmp_node_internals` */
  readonly nodeInternals: boolean;
  readonly pid: string | undefined;
  /** Has at least one entry. */
  readonly errorLogs: readonly ErrorLog[];
  readonly kmpServers: readonly KmpServerConfig[];
  readonly httpServers: readonly HttpServerConfig[];
  /** The fleet that this process is a node of; absent: none. */
  readonly fleet?: FleetConfig;
  /** The files and folders that directives name. */
  readonly files: readonly NamedFile[];
}

/** A server in `stream` that contains `kmp_rtmp`. */
export interface KmpServerConfig {
  /** Has at least one entry. */
  readonly listen: readonly ListenAddress[];
  /** undefined: the resolver of the operating system. */
  readonly resolver: ResolverSettings | undefined;
  readonly resolverTimeout: number;
  /** Rules for the addresses of KMP senders. */
  readonly access: readonly AccessRule[];
  /** Secrets that connect data may be signed with; empty: it needs no signature. */
  readonly secrets: readonly SigningSecret[];
  readonly media: MediaSettings;
}

/** A server in `http` that has at least one location of this service. */
export interface HttpServerConfig {
  /** Has at least one entry. */
  readonly listen: readonly ListenAddress[];
  /** Host names that requests may use, in addition to those that are always accepted: `server_name` and `listen`. */
  readonly names: readonly string[];
  /** Certificates for addresses with `ssl`, each with its key; paths of files in PEM form. Empty: there are none. */
  readonly certificates: readonly CertificateFiles[];
  /** Maximum numbers of connections to one address; 0: no limit. */
  readonly limits: { readonly maxConnections: number; readonly maxPerAddress: number };
  /** Rules of the server itself, for what is not in a location: the paths for other nodes of a fleet. */
  readonly access: readonly AccessRule[];
  /** In the order of matching: exact paths first, then prefixes, the longest first. */
  readonly locations: readonly LocationConfig[];
}

/** A certificate and its private key. */
export interface CertificateFiles {
  readonly certificate: string;
  readonly key: string;
}

/** What a configuration is built from, beside the tree of its file. */
export interface BuildContext {
  readonly overrides: Overrides;
  readonly warnings: Warnings;
  readonly files: ConfigFiles;
}

/** Converts a checked tree and its overrides into a {@link Config}. @throws ConfigError */
export function buildConfig(file: string, main: Scope, context: BuildContext): Config {
  const { overrides, warnings } = context;
  const { errorLogs, ...settings } = collectSettings(processDirectives, settingLookup(main, overrides));
  const kmpScopes = main.descendants('stream server');
  const httpScopes = main.descendants('http server');
  rejectAmbiguous(overrides.get('listen'), kmpScopes, 'for KMP');
  rejectAmbiguous(overrides.get('httpListen'), httpScopes, 'for HTTP');
  const origin = { file, line: 0 };
  if (kmpScopes.length + httpScopes.length === 0) {
    throw new ConfigError(
      'config_missing',
      origin,
      'nothing to serve; expected stream { server { listen 8005; kmp_rtmp; } }',
    );
  }
  if (kmpScopes.length === 0) warnings.add(`${file}: no server accepts KMP; expected a server in stream with kmp_rtmp`);
  const addresses = new Map<string, TakenAddress>();
  const kmpServers = kmpScopes.map((scope) => kmpServer(scope, addresses, context));
  const httpServers = httpScopes.map((scope) => httpServer(scope, addresses, context));
  const logs = errorLogs.length === 0 ? [defaultErrorLog] : errorLogs;
  const files = filesOf(main, context);
  const fleet = fleetOf(main, context);
  if (fleet !== undefined) {
    warnOfControlKmp(httpScopes, warnings);
    for (const scope of kmpScopes) warnOfAcks(settingLookup(scope, overrides), warnings);
  }
  return {
    file,
    ...settings,
    errorLogs: logs,
    kmpServers,
    httpServers,
    ...(fleet && { fleet }),
    warnings: warnings.list,
    files,
  };
}

/** In a fleet, control sends senders to the node that owns their upstream. */
function warnOfControlKmp(servers: readonly Scope[], warnings: Warnings): void {
  for (const { settings, opened } of servers.flatMap((scope) => scope.descendants('location'))) {
    const control = settings.get('control')?.value as Control | undefined;
    if (control?.kmp === undefined) continue;
    const where = formatOrigin(settings.get('control')?.origin ?? opened ?? { file: '', line: 0 });
    const why = 'senders are sent to the node that owns the upstream';
    warnings.add(`${where}: "kmp=" of kmp_rtmp_control has no effect in a fleet: ${why}`);
  }
}

/** A node that takes an upstream over begins at a key frame, so the sender must still have the group. */
function warnOfAcks(find: SettingLookup, warnings: Warnings): void {
  const given = find('inAck');
  const { inAck } = collectSettings(mediaDirectives, find);
  if (given === undefined || inAck === 'on' || inAck === 'group') return;
  const subject = `${formatOrigin(given.origin)}: kmp_rtmp_in_ack ${inAck}`;
  warnings.once(subject, `${subject}: frames are lost when another node of the fleet takes an upstream over; use "on"`);
}

/** The files that the directives of all blocks name. */
function filesOf(main: Scope, { overrides, files }: BuildContext): NamedFile[] {
  const inScopes = (scopes: readonly Scope[], names: readonly string[]): NamedFile[] =>
    scopes.flatMap((scope) =>
      namedFiles(names, settingLookup(scope, overrides), (path, origin) => files.resolve(path, origin)),
    );
  // Only secrets of senders and files for HTTP are relative to the folder of the configuration file.
  return withoutRepeated([
    ...namedFiles(FILE_DIRECTIVES.main, settingLookup(main, overrides)),
    ...main
      .descendants('stream server')
      .flatMap((scope) => namedFiles(FILE_DIRECTIVES.kmp, settingLookup(scope, overrides))),
    ...inScopes(main.descendants('stream server'), FILE_DIRECTIVES.secrets),
    ...inScopes(main.descendants('http server'), FILE_DIRECTIVES.http),
    ...inScopes(main.descendants('location'), FILE_DIRECTIVES.location),
    ...fleetFiles(main, { overrides, files }),
  ]);
}

/** Looks up flags and variables first, then this block, then the outer blocks. */
function settingLookup(scope: Scope, overrides: Overrides): SettingLookup {
  return (setting) => overrides.get(setting) ?? scope.find(setting);
}

function kmpServer(
  scope: Scope,
  addresses: Map<string, TakenAddress>,
  { overrides, warnings, files }: BuildContext,
): KmpServerConfig {
  const find = settingLookup(scope, overrides);
  const { listen, resolver, resolverTimeout, access } = collectSettings(serverDirectives, find);
  checkListen(listen, scope, addresses);
  if (listen.some(({ ssl }) => ssl)) {
    const reason = '"ssl" is supported for HTTP servers only: TLS is not available for KMP; use a TLS proxy';
    throw new ConfigError('config_value', originOf(scope), reason);
  }
  const media = collectSettings(mediaDirectives, find);
  const least = find('outMinProcessDelay') ?? find('outMaxProcessDelay');
  if (media.outMaxProcessDelay < media.outMinProcessDelay && least !== undefined) {
    warnings.add(
      `${formatOrigin(least.origin)}: kmp_rtmp_out_max_process_delay is less than kmp_rtmp_out_min_process_delay, ` +
        'so frames do not wait for earlier ones as long as the latter says',
    );
  }
  const { inSecrets, inSecretFiles } = collectSettings(senderDirectives, find);
  const secrets = senderSecrets(inSecrets, inSecretFiles, files, find('inSecretFiles')?.origin ?? originOf(scope));
  return { listen, resolver, resolverTimeout, access, secrets, media };
}

function httpServer(scope: Scope, addresses: Map<string, TakenAddress>, context: BuildContext): HttpServerConfig {
  const { overrides } = context;
  const find = settingLookup(scope, overrides);
  const ownListen: SettingLookup = (setting) =>
    setting === 'listen' ? (overrides.get('httpListen') ?? scope.find(setting)) : find(setting);
  const { listen, serverName = [], access } = collectSettings(serverDirectives, ownListen);
  checkListen(listen, scope, addresses);
  if (listen.some(({ proxyProtocol }) => proxyProtocol)) {
    const reason = '"proxy_protocol" is supported for KMP servers only (in stream)';
    throw new ConfigError('config_value', originOf(scope), reason);
  }
  const certificates = certificatesOf(scope, find, listen, context);
  const locations = locationsOf(scope, context);
  warnOfOpenApi({ listen, locations }, originOf(scope), context.warnings);
  const { httpMaxConnections, httpMaxConnectionsPerAddress } = collectSettings(httpServerDirectives, find);
  return {
    listen,
    // The names in listen are names of this machine.
    names: [...serverName, ...listen.flatMap(({ host }) => (host === '' || isIP(host) !== 0 ? [] : [host]))],
    certificates,
    limits: { maxConnections: httpMaxConnections, maxPerAddress: httpMaxConnectionsPerAddress },
    access,
    locations,
  };
}

/** Warns of an API that anyone who reaches this machine can change things with. */
function warnOfOpenApi(server: HttpAccess, origin: Origin, warnings: Warnings): void {
  for (const { path } of openApis(server)) {
    warnings.add(
      `${formatOrigin(origin)}: "kmp_rtmp_api write=on" in "location ${path}" can be used by everyone who reaches this ` +
        'server; add kmp_rtmp_api_token_file, or allow and "deny all", or listen on 127.0.0.1',
    );
  }
}

/** @throws ConfigError if a certificate has no key, or if `listen ... ssl` has no certificate */
function certificatesOf(
  scope: Scope,
  find: SettingLookup,
  listen: readonly ListenAddress[],
  { files, warnings }: BuildContext,
): CertificateFiles[] {
  const { sslCertificates: certificates, sslCertificateKeys: keys } = collectSettings(serverDirectives, find);
  const at = (name: string): Origin => find(name)?.origin ?? originOf(scope);
  if (!listen.some(({ ssl }) => ssl)) {
    if (scope.settings.has('sslCertificates')) {
      warnings.add(`${formatOrigin(at('sslCertificates'))}: "ssl_certificate" has no effect without "listen ... ssl"`);
    }
    return [];
  }
  if (certificates.length === 0 || certificates.length !== keys.length) {
    const found = certificates.length === 0 ? 'is no certificate' : `are ${certificates.length} and ${keys.length}`;
    const reason = `"listen ... ssl" needs ssl_certificate and ssl_certificate_key, one key each; there ${found}`;
    throw new ConfigError('config_missing', originOf(scope), reason);
  }
  return certificates.map((certificate, index) => ({
    certificate: files.resolve(certificate, at('sslCertificates')),
    key: files.resolve(keys[index] ?? '', at('sslCertificateKeys')),
  }));
}

/** Where a block begins. */
function originOf({ opened }: Scope): Origin {
  return opened ?? { file: '', line: 0 };
}

/** An address that a server listens on, and the place of that server. */
interface TakenAddress {
  readonly origin: Origin;
  readonly address: ListenAddress;
}

/** @throws ConfigError if there is no address, or if another server has the same address */
function checkListen(listen: readonly ListenAddress[], scope: Scope, taken: Map<string, TakenAddress>): void {
  const origin = originOf(scope);
  if (listen.length === 0) {
    const example = scope.context === 'stream server' ? 'listen 8005;' : 'listen 127.0.0.1:8001;';
    throw new ConfigError('config_missing', origin, `this server has no address; expected "listen", as in ${example}`);
  }
  for (const address of listen) {
    const key = formatAddress(address);
    const other = taken.get(key);
    const overlap = [...taken.values()].find((one) => overlaps(address, one.address));
    if (other === undefined && overlap !== undefined) {
      const where = `${formatAddress(overlap.address)} (${formatOrigin(overlap.origin)})`;
      throw new ConfigError('config_duplicate', origin, `${key} and ${where} cannot both be listened on: they overlap`);
    }
    if (other !== undefined && (address.port !== 0 || address.path !== undefined)) {
      const who = other.origin === origin ? 'this server' : `the server at ${formatOrigin(other.origin)}`;
      throw new ConfigError('config_duplicate', origin, `${who} already listens on ${key}`);
    }
    taken.set(key, { origin, address });
  }
}

/** One flag cannot set the addresses of several servers. */
function rejectAmbiguous(given: SettingValue | undefined, scopes: readonly Scope[], what: string): void {
  if (given === undefined || scopes.length === 1) return;
  const found = scopes.length === 0 ? 'no server' : `${scopes.length} servers`;
  throw new ConfigError('config_value', given.origin, `the configuration has ${found} ${what}; expected one`);
}
