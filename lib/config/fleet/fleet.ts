import { fleetDirectives } from '../directives/fleet.js';
import { ConfigError, formatOrigin, type Origin } from '../errors.js';
import type { ConfigFiles } from '../files/files.js';
import type { NamedFile } from '../files/named-files.js';
import { settingOf, type SettingsOf } from '../row.js';
import type { Scope } from '../scope.js';
import { collectSettings, type SettingLookup } from '../settings.js';
import type { Overrides } from '../overrides.js';
import type { Warnings } from '../warnings.js';
import type { EngineArguments, NodeArguments } from './arguments.js';

/** The server that the nodes of a fleet share, with the contents of its files. */
export interface EngineConfig extends Pick<EngineArguments, 'addresses' | 'tls' | 'user' | 'password' | 'database'> {
  /** Certificates in PEM form; undefined: those of Node. */
  readonly ca: string | undefined;
  /** The master that the servers at `addresses`, which are Sentinels then, know the address of. */
  readonly sentinel: { readonly master: string; readonly password: string | undefined } | undefined;
}

/** The block `fleet`. Times are in ms. */
export interface FleetConfig {
  readonly engine: EngineConfig;
  readonly name: string;
  /** This node. */
  readonly node: NodeArguments;
  readonly nodeTimeout: number;
  readonly engineTimeout: number;
  readonly peerTimeout: number;
  /** Has at least one entry: the first is sent, and all are accepted. */
  readonly peerTokens: readonly string[];
  /** Certificates of the authorities for the other nodes, in PEM form; undefined: those of Node. */
  readonly peerCa: string | undefined;
  readonly misplaced: 'relay' | 'refuse';
  /** Upstreams per second. */
  readonly drainRate: number;
}

type Settings = SettingsOf<typeof fleetDirectives>;

/** What the block is built from, beside the tree of the file. */
interface FleetContext {
  readonly overrides: Overrides;
  readonly warnings: Warnings;
  readonly files: ConfigFiles;
}

/** The fewest ms of `node_timeout`: one heartbeat may be lost. */
const LEAST_NODE_TIMEOUT = 2000;
/** Largest file with a password or tokens, and with certificates, bytes. */
const MAX_SECRET_BYTES = 65_536;
const MAX_CA_BYTES = 1_048_576;
/** Shortest peer token, characters, and most of them. */
const LEAST_TOKEN = 16;
const MAX_TOKENS = 64;

/**
 * The block `fleet` of a configuration; undefined: there is none.
 *
 * @throws ConfigError if a directive is missing, or a file cannot be used
 */
export function fleetOf(main: Scope, context: FleetContext): FleetConfig | undefined {
  const { overrides, warnings } = context;
  const [scope] = main.descendants('fleet');
  if (scope?.opened === undefined) {
    warnOfUnused(overrides, warnings);
    return undefined;
  }
  const opened: Origin = scope.opened;
  const find: SettingLookup = (setting) => overrides.get(setting) ?? scope.find(setting);
  const at = (setting: string): Origin => find(setting)?.origin ?? opened;
  const settings = collectSettings(fleetDirectives, find);
  const missing = (name: string, example: string): ConfigError =>
    new ConfigError('config_missing', opened, `"fleet" has no "${name}"; expected ${example}`);
  const { fleetEngine, fleetNode, fleetPeerTokenFile } = settings;
  if (fleetEngine === undefined) throw missing('engine', 'as in engine redis://192.0.2.5:6379;');
  if (fleetNode === undefined) throw missing('node', 'as in node n1 kmp=192.0.2.11:8005 http=192.0.2.11:8001;');
  if (fleetPeerTokenFile === undefined || fleetPeerTokenFile === '') {
    throw missing('peer_token_file', 'a file with a token that all nodes have (openssl rand -hex 32)');
  }
  checkTimes(settings, at);
  checkServers(main, opened);
  return {
    engine: engineOf(fleetEngine, at('fleetEngine'), context),
    name: settings.fleetName,
    node: fleetNode,
    nodeTimeout: settings.fleetNodeTimeout,
    engineTimeout: settings.fleetEngineTimeout,
    peerTimeout: settings.fleetPeerTimeout,
    peerTokens: peerTokens(fleetPeerTokenFile, at('fleetPeerTokenFile'), context),
    peerCa: certificates(settings.fleetPeerCaFile, at('fleetPeerCaFile'), context),
    misplaced: settings.fleetMisplaced,
    drainRate: settings.fleetDrainRate,
  };
}

/** The files with secrets that the block names. */
export function fleetFiles(main: Scope, { overrides, files }: Pick<FleetContext, 'overrides' | 'files'>): NamedFile[] {
  const [scope] = main.descendants('fleet');
  if (scope === undefined) return [];
  const find: SettingLookup = (setting) => overrides.get(setting) ?? scope.find(setting);
  const { fleetEngine, fleetPeerTokenFile } = collectSettings(fleetDirectives, find);
  const named = (directive: string, setting: string, path: string | undefined): NamedFile[] => {
    const origin = find(setting)?.origin;
    if (origin === undefined || path === undefined) return [];
    const { file, line } = origin;
    return [{ directive, path: files.resolve(path, origin), origin: { file, line } }];
  };
  return [
    ...named('engine', 'fleetEngine', fleetEngine?.passwordFile),
    ...named('engine', 'fleetEngine', fleetEngine?.sentinelPasswordFile),
    ...named('peer_token_file', 'fleetPeerTokenFile', fleetPeerTokenFile),
  ];
}

/** Flags and variables change the block; they do not make one. */
function warnOfUnused(overrides: Overrides, warnings: Warnings): void {
  for (const [name, row] of Object.entries(fleetDirectives)) {
    const given = overrides.get(settingOf(name, row));
    if (given !== undefined) {
      warnings.add(`${formatOrigin(given.origin)} has no effect: the configuration has no "fleet" block`);
    }
  }
}

function checkTimes({ fleetNodeTimeout, fleetEngineTimeout }: Settings, at: (setting: string) => Origin): void {
  if (fleetNodeTimeout < LEAST_NODE_TIMEOUT) {
    const reason = `"node_timeout" is ${fleetNodeTimeout} ms; expected at least ${LEAST_NODE_TIMEOUT} ms, because a heartbeat is sent once a second`;
    throw new ConfigError('config_value', at('fleetNodeTimeout'), reason);
  }
  if (fleetEngineTimeout >= fleetNodeTimeout) {
    const reason = `"engine_timeout" is ${fleetEngineTimeout} ms; expected less than "node_timeout", which is ${fleetNodeTimeout} ms`;
    throw new ConfigError('config_value', at('fleetEngineTimeout'), reason);
  }
}

/** A node takes KMP, and the other nodes ask it by HTTP. */
function checkServers(main: Scope, opened: Origin): void {
  for (const [context, what] of [
    ['stream server', 'a server in stream with kmp_rtmp'],
    ['http server', 'a server in http with a location of this service'],
  ] as const) {
    if (main.descendants(context).length > 0) continue;
    throw new ConfigError('config_missing', opened, `"fleet" needs ${what}; there is none`);
  }
}

function engineOf(given: EngineArguments, origin: Origin, context: FleetContext): EngineConfig {
  const { files, warnings } = context;
  const { addresses, tls, user, password, database, passwordFile, caFile, sentinel, sentinelPasswordFile } = given;
  const read = (path: string, limit: number): string => files.read(files.resolve(path, origin), origin, limit);
  const secret = (path: string | undefined): string | undefined =>
    path === undefined ? undefined : passwordOf(read(path, MAX_SECRET_BYTES), path, origin);
  const ca = certificates(caFile, origin, context);
  if (password !== undefined) {
    warnings.add(`${formatOrigin(origin)}: "engine" has a password in its URL; a file (password_file=) is safer`);
  }
  return {
    ...{ addresses, tls, user, database, ca },
    password: password ?? secret(passwordFile),
    sentinel: sentinel === undefined ? undefined : { master: sentinel, password: secret(sentinelPasswordFile) },
  };
}

/** The contents of a file with certificates. */
function certificates(path: string | undefined, origin: Origin, { files }: FleetContext): string | undefined {
  if (path === undefined || path === '') return undefined;
  const text = files.read(files.resolve(path, origin), origin, MAX_CA_BYTES);
  if (text.includes('-----BEGIN CERTIFICATE-----')) return text;
  throw new ConfigError('config_value', origin, `${path}: there is no certificate in PEM form`);
}

/** The first line of the file. The message does not contain it. */
function passwordOf(text: string, path: string, origin: Origin): string {
  const [password = ''] = text.split(/\r?\n/, 1);
  if (password === '') throw new ConfigError('config_value', origin, `${path}: the first line has no password`);
  return password;
}

function peerTokens(path: string, origin: Origin, { files }: FleetContext): string[] {
  const file = files.resolve(path, origin);
  const lines = files.read(file, origin, MAX_SECRET_BYTES).split('\n');
  const tokens = lines.flatMap((line, index) => {
    const token = line.trim();
    if (token === '' || token.startsWith('#')) return [];
    if (token.length >= LEAST_TOKEN && /^[\w.~+/-]+=*$/.test(token)) return [token];
    const reason = `a token has at least ${LEAST_TOKEN} letters, digits and -._~+/ (openssl rand -hex 32)`;
    throw new ConfigError('config_value', { file, line: index + 1 }, reason);
  });
  if (tokens.length === 0) throw new ConfigError('config_value', { file, line: 1 }, 'there is no token');
  if (tokens.length > MAX_TOKENS) {
    throw new ConfigError('config_value', { file, line: 1 }, `${tokens.length} tokens; the maximum is ${MAX_TOKENS}`);
  }
  return tokens;
}
