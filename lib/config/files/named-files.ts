import { directives } from '../directives.js';
import type { Origin } from '../errors.js';
import { settingOf } from '../row.js';
import type { SettingLookup } from '../settings.js';

/** A file or a folder that a directive names, and the place of the directive. */
export interface NamedFile {
  readonly directive: string;
  readonly path: string;
  readonly origin: Origin;
}

/**
 * Directives of the process, of KMP servers (`kmp`, `secrets`), of HTTP servers and of locations that name a file or a
 * folder.
 */
export const FILE_DIRECTIVES = {
  main: ['pid', 'error_log'],
  kmp: [
    ...['kmp_rtmp_out_ssl_trusted_certificate', 'kmp_rtmp_in_dump_folder', 'kmp_rtmp_out_dump_folder'],
    ...['kmp_rtmp_out_slate', 'kmp_rtmp_out_notif_secret_file'],
  ],
  http: ['ssl_certificate', 'ssl_certificate_key'],
  secrets: ['kmp_rtmp_in_secret_file'],
  location: ['kmp_rtmp_api_token_file', 'kmp_rtmp_control_secret_file'],
} as const;

/**
 * The files that some directives name in a block.
 *
 * @param resolve returns the path that is opened
 */
export function namedFiles(
  names: readonly string[],
  find: SettingLookup,
  resolve: (path: string, origin: Origin) => string = (path) => path,
): NamedFile[] {
  return names.flatMap((directive) => {
    const row = directives.get(directive);
    const given = row === undefined ? undefined : find(settingOf(directive, row));
    if (given === undefined) return [];
    const values: unknown[] = Array.isArray(given.value) ? given.value : [given.value];
    return values.flatMap((value, index) => {
      const path = pathOf(value);
      const { file, line } = given.origins[index] ?? given.origin;
      return path === '' ? [] : [{ directive, path: resolve(path, { file, line }), origin: { file, line } }];
    });
  });
}

/** One entry for each place: inner blocks inherit directives. */
export function withoutRepeated(files: readonly NamedFile[]): NamedFile[] {
  return [...new Map(files.map((file) => [JSON.stringify(file), file])).values()];
}

/** Empty: the value names no file. */
function pathOf(value: unknown): string {
  if (typeof value === 'string') return value;
  // The value of error_log.
  const { target } = Object(value) as { readonly target?: { readonly file?: string } };
  return target?.file ?? '';
}
