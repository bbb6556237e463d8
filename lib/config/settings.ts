import { KmpRtmpError } from '../base/errors.js';
import { inputDirectives } from './directives/input.js';
import { notificationDirectives } from './directives/notifications.js';
import { outputDirectives } from './directives/output.js';
import type { SettingValue } from './setting-value.js';
import { closestName } from './closest-name.js';
import { settingOf, type Rows, type SettingsOf } from './row.js';

/** The directives of a KMP server. They define {@link MediaSettings}. */
export const mediaDirectives = { ...inputDirectives, ...outputDirectives, ...notificationDirectives } as const;

/**
 * The settings of a KMP server and of the upstreams of its tracks. They are derived from the table of directives:
 * `kmp_rtmp_in_read_timeout` is `inReadTimeout`, and so on. docs/configuration.md describes each. Times are in ms,
 * sizes in bytes. An empty text means "none". `outReconnects` may be Infinity.
 */
export type MediaSettings = SettingsOf<typeof mediaDirectives>;

/** Returns the configured value of a setting, or undefined. */
export type SettingLookup = (setting: string) => SettingValue | undefined;

/** The settings of a part of the table: configured values, and defaults for the others. */
export function collectSettings<T extends Rows>(rows: T, find: SettingLookup): SettingsOf<T> {
  const values = Object.entries(rows).map(([name, row]) => {
    const setting = settingOf(name, row);
    const given = find(setting);
    return [setting, given === undefined ? row.default : given.value];
  });
  return Object.fromEntries(values) as SettingsOf<T>;
}

/** The documented defaults of all settings. */
export function defaultMediaSettings(): MediaSettings {
  return collectSettings(mediaDirectives, () => undefined);
}

/**
 * The defaults, with some settings replaced.
 * @throws KmpRtmpError config_unknown for a setting that does not exist
 */
export function mediaSettings(partial: Partial<MediaSettings> = {}): MediaSettings {
  const settings = defaultMediaSettings();
  const known = Object.keys(settings);
  for (const name of Object.keys(partial)) {
    if (known.includes(name)) continue;
    const near = closestName(name, known);
    throw new KmpRtmpError(
      'config_unknown',
      `there is no media setting "${name}"${near === undefined ? '' : `; did you mean "${near}"?`}`,
    );
  }
  const given = Object.entries(partial).filter(([, value]) => value !== undefined);
  return { ...settings, ...Object.fromEntries(given) };
}
