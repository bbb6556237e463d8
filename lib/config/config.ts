import type { AccessRule } from './access.js';
import { formatAddress, type ListenAddress, type ResolverSettings } from './addresses.js';
import { processDirectives, serverDirectives } from './directives/core.js';
import { standardErrorLog, type ErrorLog } from './error-log.js';
import { ConfigError, whereIs, type Origin } from './errors.js';
import type { Given } from './given.js';
import { locationsOf, type LocationConfig } from './locations.js';
import type { Overrides } from './overrides.js';
import type { Scope } from './scope.js';
import { collect, mediaDirectives, type Find, type MediaSettings } from './settings.js';
import type { Warnings } from './warnings.js';

/** A whole configuration, checked and typed. Times are in ms, sizes in bytes. */
export interface Config {
  /** The file it was read from. */
  readonly file: string;
  /** What had no effect or looks wrong: one line each, with file and line. */
  readonly warnings: readonly string[];
  readonly workerProcesses: number | 'auto';
  readonly workerShutdownTimeout: number;
  /** `kmp_rtmp_node_internals` */
  readonly nodeInternals: boolean;
  readonly pid: string | undefined;
  /** At least one. */
  readonly errorLogs: readonly ErrorLog[];
  readonly kmpServers: readonly KmpServerConfig[];
  readonly httpServers: readonly HttpServerConfig[];
}

/** A server of `stream` that has `kmp_rtmp`. */
export interface KmpServerConfig {
  /** At least one. */
  readonly listen: readonly ListenAddress[];
  /** undefined: the system resolves. */
  readonly resolver: ResolverSettings | undefined;
  readonly resolverTimeout: number;
  /** Whose KMP connections are taken. */
  readonly access: readonly AccessRule[];
  readonly media: MediaSettings;
}

/** A server of `http` that has a location of ours. */
export interface HttpServerConfig {
  /** At least one. */
  readonly listen: readonly ListenAddress[];
  /** Names that it may be addressed by over loopback, beside those that always count. */
  readonly names: readonly string[];
  /** In the order to ask them: those of one path alone, then the longest prefix first. */
  readonly locations: readonly LocationConfig[];
}

/** Puts a checked tree, with what goes before it, into types. @throws ConfigError */
export function buildConfig(file: string, main: Scope, overrides: Overrides, warnings: Warnings): Config {
  const { errorLogs, ...settings } = collect(processDirectives, finder(main, overrides));
  const kmpScopes = main.all('stream server');
  const httpScopes = main.all('http server');
  refuseAmbiguous(overrides.get('listen'), kmpScopes, 'for KMP');
  refuseAmbiguous(overrides.get('httpListen'), httpScopes, 'for HTTP');
  const origin = { file, line: 0 };
  if (kmpScopes.length + httpScopes.length === 0) {
    throw new ConfigError(
      'CONFIG_MISSING',
      origin,
      'nothing to serve; expected stream { server { listen 8005; kmp_rtmp; } }',
    );
  }
  if (kmpScopes.length === 0) warnings.add(`${file}: no server takes KMP; expected one in stream with kmp_rtmp`);
  const addresses = new Map<string, Origin>();
  const kmpServers = kmpScopes.map((scope) => kmpServer(scope, overrides, addresses, warnings));
  const httpServers = httpScopes.map((scope) => httpServer(scope, overrides, addresses, warnings));
  const logs = errorLogs.length === 0 ? [standardErrorLog] : errorLogs;
  return { file, ...settings, errorLogs: logs, kmpServers, httpServers, warnings: warnings.list };
}

/** Flags and variables first, then this block, then those around it. */
function finder(scope: Scope, overrides: Overrides): Find {
  return (setting) => overrides.get(setting) ?? scope.find(setting);
}

function kmpServer(
  scope: Scope,
  overrides: Overrides,
  addresses: Map<string, Origin>,
  warnings: Warnings,
): KmpServerConfig {
  const find = finder(scope, overrides);
  const { listen, resolver, resolverTimeout, access } = collect(serverDirectives, find);
  checkListen(listen, scope, addresses);
  const media = collect(mediaDirectives, find);
  const least = find('outMinProcessDelay') ?? find('outMaxProcessDelay');
  if (media.outMaxProcessDelay < media.outMinProcessDelay && least !== undefined) {
    warnings.add(
      `${whereIs(least.origin)}: kmp_rtmp_out_max_process_delay is less than kmp_rtmp_out_min_process_delay, ` +
        'so that no frame waits for earlier ones as long as it should',
    );
  }
  return { listen, resolver, resolverTimeout, access, media };
}

function httpServer(
  scope: Scope,
  overrides: Overrides,
  addresses: Map<string, Origin>,
  warnings: Warnings,
): HttpServerConfig {
  const find = finder(scope, overrides);
  const ownListen: Find = (setting) =>
    setting === 'listen' ? (overrides.get('httpListen') ?? scope.find(setting)) : find(setting);
  const { listen, serverName = [] } = collect(serverDirectives, ownListen);
  checkListen(listen, scope, addresses);
  return { listen, names: serverName, locations: locationsOf(scope, overrides, warnings) };
}

/** @throws ConfigError if there is no address, or another server has it */
function checkListen(listen: readonly ListenAddress[], { opened, context }: Scope, taken: Map<string, Origin>): void {
  const origin = opened ?? { file: '', line: 0 };
  if (listen.length === 0) {
    const example = context === 'stream server' ? 'listen 8005;' : 'listen 127.0.0.1:8001;';
    throw new ConfigError('CONFIG_MISSING', origin, `this server has no address; expected "listen", as in ${example}`);
  }
  for (const address of listen) {
    const key = formatAddress(address);
    const other = taken.get(key);
    if (other !== undefined && address.port !== 0) {
      const who = other === origin ? 'this server' : `the server at ${whereIs(other)}`;
      throw new ConfigError('CONFIG_DUPLICATE', origin, `${who} already listens on ${key}`);
    }
    taken.set(key, origin);
  }
}

/** One flag cannot say where several servers listen. */
function refuseAmbiguous(given: Given | undefined, scopes: readonly Scope[], what: string): void {
  if (given === undefined || scopes.length === 1) return;
  const found = scopes.length === 0 ? 'no server' : `${scopes.length} servers`;
  throw new ConfigError('CONFIG_VALUE', given.origin, `the configuration has ${found} ${what}; expected one`);
}
