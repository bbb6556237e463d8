import { KmpRtmpError } from '../base/errors.js';
import { inputDirectives } from './directives/input.js';
import { outputDirectives } from './directives/output.js';
import type { Given } from './given.js';
import { nearest } from './nearest.js';
import { settingOf, type Rows, type SettingsOf } from './row.js';

/** The directives of a KMP server: all that feed {@link MediaSettings}. */
export const mediaDirectives = { ...inputDirectives, ...outputDirectives } as const;

/**
 * What holds for a KMP server and the upstreams of its tracks. Derived from the table of directives: `kmp_rtmp_in_read_timeout` is
 * `inReadTimeout`, and so on; docs/configuration.md describes each. Times are in ms, sizes in bytes, and an empty text is none.
 * `outReconnects` may be Infinity.
 */
export type MediaSettings = SettingsOf<typeof mediaDirectives>;

/** What was given for a setting; undefined: nothing. */
export type Find = (setting: string) => Given | undefined;

/** The settings of a part of the table: what was given, and the defaults for the rest. */
export function collect<T extends Rows>(rows: T, find: Find): SettingsOf<T> {
  const values = Object.entries(rows).map(([name, row]) => {
    const setting = settingOf(name, row);
    const given = find(setting);
    return [setting, given === undefined ? row.default : given.value];
  });
  return Object.fromEntries(values) as SettingsOf<T>;
}

/** All defaults of the documentation. */
export function defaultMediaSettings(): MediaSettings {
  return collect(mediaDirectives, () => undefined);
}

/**
 * The defaults, with some settings of your own.
 * @throws KmpRtmpError CONFIG_UNKNOWN for a setting that there is not
 */
export function mediaSettings(partial: Partial<MediaSettings> = {}): MediaSettings {
  const settings = defaultMediaSettings();
  const known = Object.keys(settings);
  for (const name of Object.keys(partial)) {
    if (known.includes(name)) continue;
    const near = nearest(name, known);
    throw new KmpRtmpError(
      'CONFIG_UNKNOWN',
      `no media setting "${name}"${near === undefined ? '' : `; did you mean "${near}"?`}`,
    );
  }
  const given = Object.entries(partial).filter(([, value]) => value !== undefined);
  return { ...settings, ...Object.fromEntries(given) };
}
