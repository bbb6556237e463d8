import type { AccessRule } from './access.js';
import { serverDirectives } from './directives/core.js';
import { locationDirectives } from './directives/http.js';
import { ConfigError, whereIs } from './errors.js';
import type { Directive } from './nginx/parser.js';
import type { Overrides } from './overrides.js';
import type { Control, Route } from './route.js';
import type { SettingsOf } from './row.js';
import type { Scope } from './scope.js';
import { collect, type Find } from './settings.js';
import type { Warnings } from './warnings.js';

type Settings = SettingsOf<typeof locationDirectives>;

/** What is answered at a path of an HTTP server. `token`: the bearer token that is asked for; undefined: none. */
export interface LocationConfig extends Pick<Settings, 'api' | 'status' | 'metrics' | 'health' | 'token'> {
  /** Begins with a slash. */
  readonly path: string;
  /** For this path alone; else for all that begin with it. */
  readonly exact: boolean;
  readonly control: (Control & { readonly routes: readonly Route[] }) | undefined;
  readonly access: readonly AccessRule[];
}

/**
 * The locations of a server, those within others included, in the order to ask them.
 * @throws ConfigError
 */
export function locationsOf(server: Scope, overrides: Overrides, warnings: Warnings): LocationConfig[] {
  const seen = new Map<string, Directive>();
  const locations: LocationConfig[] = [];
  for (const scope of server.all('location')) {
    const { opened } = scope;
    // A location may stand there for those within it alone.
    if (opened === undefined || scope.given.size === 0) continue;
    const location = { ...pathOf(opened), ...settingsOf(scope, opened, overrides, warnings) };
    const key = `${location.exact ? '= ' : ''}${location.path}`;
    const other = seen.get(key);
    if (other !== undefined) {
      const reason = `a second location "${key}"; the first is at ${whereIs(other)}`;
      throw new ConfigError('CONFIG_DUPLICATE', opened, reason);
    }
    seen.set(key, opened);
    if (location.exact && location.status) {
      const reason = `"kmp_rtmp_status" in "location = ${location.path}"; the page's files are below it: leave out the "="`;
      throw new ConfigError('CONFIG_VALUE', opened, reason);
    }
    if (answersOf(location).length > 0) locations.push(location);
  }
  return locations.sort((a, b) => Number(b.exact) - Number(a.exact) || b.path.length - a.path.length);
}

function pathOf(opened: Directive): Pick<LocationConfig, 'path' | 'exact'> {
  const [first = '', second] = opened.args;
  const path = second ?? first;
  const known = second === undefined || first === '=' || first === '^~';
  if (!known || !path.startsWith('/') || /[\s?#]/.test(path)) {
    const reason = `"location ${opened.args.join(' ')}" is not supported; expected "location /path" or "location = /path"`;
    throw new ConfigError('CONFIG_VALUE', opened, reason);
  }
  return { path, exact: first === '=' };
}

/** What answers here. All but health answer at the location's own path, so that there can be one of them only. */
function answersOf({ api, status, metrics, control, health }: Omit<LocationConfig, 'path' | 'exact'>): string[] {
  const answers = Object.entries({ api, status, metrics, control, health });
  return answers.filter(([, value]) => value !== undefined && value !== false).map(([name]) => `kmp_rtmp_${name}`);
}

function settingsOf(
  scope: Scope,
  opened: Directive,
  overrides: Overrides,
  warnings: Warnings,
): Omit<LocationConfig, 'path' | 'exact'> {
  const inherited: Find = (setting) => overrides.get(setting) ?? scope.find(setting);
  // What a location answers is its own: neither a block around it nor a flag makes one answer that does not by itself.
  const own: Find = (setting) => (scope.given.has(setting) ? inherited(setting) : undefined);
  const { token } = collect(locationDirectives, inherited);
  const { access } = collect(serverDirectives, inherited);
  const { control, ...settings } = collect(locationDirectives, own);
  const { routes } = collect(locationDirectives, control === undefined ? own : inherited);
  const location = { ...pick(settings), token, access, control: control && { ...control, routes } };
  if (control === undefined && routes.length > 0) {
    throw new ConfigError(
      'CONFIG_MISSING',
      opened,
      '"kmp_rtmp_route" without "kmp_rtmp_control"; expected both or none',
    );
  }
  if (control !== undefined && routes.length === 0) {
    warnings.add(`${whereIs(opened)}: kmp_rtmp_control has no kmp_rtmp_route and will reject every stream`);
  }
  const answers = answersOf(location).filter((name) => name !== 'kmp_rtmp_health');
  if (answers.length > 1) {
    const reason = `${answers.join(' and ')} in one location; expected a location for each`;
    throw new ConfigError('CONFIG_DUPLICATE', opened, reason);
  }
  return location;
}

function pick({
  api,
  status,
  metrics,
  health,
}: Omit<Settings, 'control'>): Pick<Settings, 'api' | 'status' | 'metrics' | 'health'> {
  return { api, status, metrics, health };
}
