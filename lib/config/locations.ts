import type { AccessRule } from './access/access.js';
import { senderSecrets } from './access/sender-secrets.js';
import { parseTokens, TOKEN_FILE_BYTES, type AccessToken } from './access/tokens.js';
import { serverDirectives } from './directives/core.js';
import { locationDirectives } from './directives/http.js';
import { ConfigError, formatOrigin } from './errors.js';
import type { ConfigFiles } from './files/files.js';
import type { Directive } from './nginx/parser.js';
import type { Overrides } from './overrides.js';
import type { Control, Route } from './route.js';
import type { SettingsOf } from './row.js';
import type { Scope } from './scope.js';
import { collectSettings, type SettingLookup } from './settings.js';
import type { Warnings } from './warnings.js';

/** What locations are built from, beside the tree of the file. */
interface LocationContext {
  readonly overrides: Overrides;
  readonly warnings: Warnings;
  readonly files: ConfigFiles;
}

type Settings = SettingsOf<typeof locationDirectives>;

/** What a location with `kmp_rtmp_control` answers. */
export interface ControlConfig extends Control {
  readonly routes: readonly Route[];
  /** What connect data is signed with; undefined: with the secret of the KMP server, if it has one. */
  readonly secret: string | undefined;
}

/** What an HTTP server serves at a path. Without `token` and `tokens`, clients need no token. */
export interface LocationConfig extends Pick<Settings, 'api' | 'status' | 'metrics' | 'health' | 'token'> {
  /** The tokens of all files of `kmp_rtmp_api_token_file`. */
  readonly tokens: readonly AccessToken[];
  /** Begins with a slash. */
  readonly path: string;
  /** true: this path only; false: all paths that begin with it. */
  readonly exact: boolean;
  readonly control: ControlConfig | undefined;
  readonly access: readonly AccessRule[];
}

/**
 * The locations of a server, including nested ones, in the order of matching.
 * @throws ConfigError
 */
export function locationsOf(server: Scope, context: LocationContext): LocationConfig[] {
  const seen = new Map<string, Directive>();
  const locations: LocationConfig[] = [];
  for (const scope of server.descendants('location')) {
    const { opened } = scope;
    // A location may contain nothing but nested locations.
    if (opened === undefined || scope.settings.size === 0) continue;
    const location = { ...pathOf(opened), ...settingsOf(scope, opened, context) };
    const key = `${location.exact ? '= ' : ''}${location.path}`;
    const other = seen.get(key);
    if (other !== undefined) {
      const reason = `a second location "${key}"; the first is at ${formatOrigin(other)}`;
      throw new ConfigError('config_duplicate', opened, reason);
    }
    seen.set(key, opened);
    if (location.exact && location.status) {
      const reason = `"kmp_rtmp_status" in "location = ${location.path}"; the files of the page are below it: remove the "="`;
      throw new ConfigError('config_value', opened, reason);
    }
    if (contentDirectives(location).length > 0) locations.push(location);
  }
  return locations.sort((a, b) => Number(b.exact) - Number(a.exact) || b.path.length - a.path.length);
}

function pathOf(opened: Directive): Pick<LocationConfig, 'path' | 'exact'> {
  const [first = '', second] = opened.args;
  const path = second ?? first;
  const known = second === undefined || first === '=' || first === '^~';
  if (!known || !path.startsWith('/') || /[\s?#]/.test(path)) {
    const reason = `"location ${opened.args.join(' ')}" is not supported; expected "location /path" or "location = /path"`;
    throw new ConfigError('config_value', opened, reason);
  }
  return { path, exact: first === '=' };
}

/**
 * The directives that serve content here. All except health use the path of the location itself, so only one is
 * possible.
 */
function contentDirectives({
  api,
  status,
  metrics,
  control,
  health,
}: Omit<LocationConfig, 'path' | 'exact'>): string[] {
  const answers = Object.entries({ api, status, metrics, control, health });
  return answers.filter(([, value]) => value !== undefined && value !== false).map(([name]) => `kmp_rtmp_${name}`);
}

/** The tokens of the innermost block that has any; flags and variables replace those of the file. */
function tokensOf(
  scope: Scope,
  { overrides, files, warnings }: LocationContext,
): Pick<LocationConfig, 'token' | 'tokens'> {
  const names = ['token', 'tokenFiles'];
  const given = names.some((name) => overrides.has(name)) ? overrides : scope.nearest(names)?.settings;
  const find: SettingLookup = (setting) => given?.get(setting);
  const { token, tokenFiles } = collectSettings(locationDirectives, find);
  const origin = find('tokenFiles')?.origin ?? { file: '', line: 0 };
  const tokens = tokenFiles.flatMap((name) => {
    const path = files.resolve(name, origin);
    return parseTokens(files.read(path, origin, TOKEN_FILE_BYTES), path, (warning) => warnings.once(warning, warning));
  });
  return { token, tokens };
}

function settingsOf(scope: Scope, opened: Directive, context: LocationContext): Omit<LocationConfig, 'path' | 'exact'> {
  const { overrides, warnings } = context;
  const inherited: SettingLookup = (setting) => overrides.get(setting) ?? scope.find(setting);
  // The content of a location is not inherited, neither from an outer block nor from a flag.
  const own: SettingLookup = (setting) => (scope.settings.has(setting) ? inherited(setting) : undefined);
  const { access } = collectSettings(serverDirectives, inherited);
  const { control, controlSecretFile, ...settings } = collectSettings(locationDirectives, own);
  const { routes } = collectSettings(locationDirectives, control === undefined ? own : inherited);
  const location = {
    ...withoutUnused(settings),
    ...tokensOf(scope, context),
    access,
    control: control && { ...control, routes, secret: secretOf(controlSecretFile, scope, context) },
  };
  if (control === undefined && routes.length > 0) {
    throw new ConfigError(
      'config_missing',
      opened,
      '"kmp_rtmp_route" without "kmp_rtmp_control"; expected both or neither',
    );
  }
  if (control !== undefined && routes.length === 0) {
    warnings.add(`${formatOrigin(opened)}: kmp_rtmp_control has no kmp_rtmp_route, so it rejects every stream`);
  }
  const answers = contentDirectives(location).filter((name) => name !== 'kmp_rtmp_health');
  if (answers.length > 1) {
    const reason = `${answers.join(' and ')} in one location; expected a location for each`;
    throw new ConfigError('config_duplicate', opened, reason);
  }
  return location;
}

/** @throws ConfigError if there is no secret in the file */
function secretOf(path: string | undefined, scope: Scope, { files }: LocationContext): string | undefined {
  if (path === undefined) return undefined;
  const origin = scope.find('controlSecretFile')?.origin ?? { file: '', line: 0 };
  return senderSecrets([], [path], files, origin)[0]?.secret;
}

function withoutUnused({
  api,
  status,
  metrics,
  health,
}: Omit<Settings, 'control' | 'controlSecretFile'>): Pick<Settings, 'api' | 'status' | 'metrics' | 'health'> {
  return { api, status, metrics, health };
}
