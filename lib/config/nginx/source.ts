import { closeSync, existsSync, fstatSync, openSync, readdirSync, readSync } from 'node:fs';
import { isAbsolute, join } from 'node:path';
import { fileProblem } from '../../base/errors.js';
import { fitsWildcard } from './wildcard.js';

/** Where the texts of a configuration come from. */
export interface Source {
  /**
   * The text of a file, of at most `limit` bytes.
   * @throws Error whose message completes "cannot read FILE: ..."
   */
  read(path: string, limit: number): string;
  exists(path: string): boolean;
  /** Names in a folder; none if it cannot be read or is no folder. */
  list(folder: string): readonly string[];
}

/** The file system. */
export const disk: Source = {
  read(path, limit) {
    let file: number | undefined;
    try {
      file = openSync(path, 'r');
      const kind = fstatSync(file);
      if (kind.isDirectory()) throw Object.assign(new Error(), { code: 'EISDIR' });
      // A pipe is well: `-c <(make-config)`. A device may never end, or wait for someone to type.
      if (!kind.isFile() && !kind.isFIFO()) throw new Error('it is not a regular file');
      // One byte more than allowed tells a file that is too big.
      const bytes = Buffer.alloc(limit + 1);
      let length = 0;
      for (let got = -1; got !== 0 && length < bytes.length; length += got) {
        got = readSync(file, bytes, length, bytes.length - length, null);
      }
      if (length > limit) throw new Error(`it is bigger than ${limit} bytes`);
      return bytes.toString('utf8', 0, length);
    } catch (error) {
      throw new Error(fileProblem(error), { cause: error });
    } finally {
      if (file !== undefined) closeSync(file);
    }
  },
  exists: existsSync,
  list(folder) {
    try {
      return readdirSync(folder);
    } catch {
      return [];
    }
  },
};

/** Whether an include names files by a pattern. */
export function isPattern(path: string): boolean {
  return /[*?[]/.test(path);
}

/**
 * The files that a pattern names, in the order of their names. A pattern may stand in any part of the path and takes no hidden
 * files, as in a shell.
 * @param limit how many folders are looked into, and how many files are named
 */
export function expand(pattern: string, source: Source, limit: number): readonly string[] {
  const parts = pattern.split('/').filter((part) => part !== '');
  const first = parts.findIndex(isPattern);
  const folder = (isAbsolute(pattern) ? '/' : '') + parts.slice(0, first).join('/');
  return parts
    .slice(first)
    .reduce((folders, part) => folders.flatMap((one) => matches(one, part, source)).slice(0, limit), [folder]);
}

function matches(folder: string, part: string, source: Source): string[] {
  return source
    .list(folder === '' ? '.' : folder)
    .filter((name) => fitsWildcard(part, name) && (part.startsWith('.') || !name.startsWith('.')))
    .sort()
    .map((name) => join(folder, name));
}
