import { closeSync, existsSync, fstatSync, openSync, readdirSync, readSync } from 'node:fs';
import { isAbsolute, join } from 'node:path';
import { fileErrorText } from '../../base/errors.js';
import { openRegularFile } from '../../base/regular-file.js';
import { matchesWildcard } from './wildcard.js';

/** Source of the files of a configuration. */
export interface Source {
  /**
   * Reads a file of at most `limit` bytes.
   * @throws Error whose message completes "cannot read FILE: ..."
   */
  read(path: string, limit: number): string;
  exists(path: string): boolean;
  /** The names in a folder; empty if it cannot be read or is not a folder. */
  list(folder: string): readonly string[];
}

/** The file system. A pipe is allowed: `-c <(make-config)`. A read of it waits for what its writer has to say. */
export const fileSystem: Source = {
  read: (path, limit) => read(path, limit, openFileOrPipe),
  exists: existsSync,
  list(folder) {
    try {
      return readdirSync(folder);
    } catch {
      return [];
    }
  },
};

/** The file system for a running service: a pipe is refused, because a read of it would stop the service. */
export const regularFiles: Source = {
  ...fileSystem,
  read: (path, limit) => read(path, limit, openRegularFile),
};

/** Bytes of the first piece of a pipe. */
const CHUNK = 65_536;

function openFileOrPipe(path: string): number {
  const file = openSync(path, 'r');
  const kind = fstatSync(file);
  // A device could be endless or wait for input.
  if (kind.isFIFO() || kind.isFile()) return file;
  closeSync(file);
  throw kind.isDirectory() ? Object.assign(new Error(), { code: 'EISDIR' }) : new Error('it is not a regular file');
}

function read(path: string, limit: number, open: (path: string) => number): string {
  let file: number | undefined;
  try {
    file = open(path);
    // One byte more than the limit reveals a file that is too large; one more than the size reveals its end. A pipe has
    // the size 0, and a file may grow meanwhile.
    let bytes = Buffer.allocUnsafe(Math.min(fstatSync(file).size, limit) + 1);
    let length = 0;
    for (let got = -1; got !== 0 && length <= limit; length += got) {
      if (length === bytes.length) bytes = Buffer.concat([bytes], Math.min(Math.max(2 * length, CHUNK), limit + 1));
      got = readSync(file, bytes, length, bytes.length - length, null);
    }
    if (length > limit) throw new Error(`the file is larger than ${limit} bytes`);
    return bytes.toString('utf8', 0, length);
  } catch (error) {
    throw new Error(fileErrorText(error), { cause: error });
  } finally {
    if (file !== undefined) closeSync(file);
  }
}

/** Returns whether the name of an include is a pattern. */
export function isPattern(path: string): boolean {
  return /[*?[]/.test(path);
}

/**
 * The files that match a pattern, sorted by name. Any part of the path may contain a pattern. Hidden files are not
 * matched, as in a shell.
 * @param limit maximum number of folders that are read, and of files that are returned
 */
export function expandPattern(pattern: string, source: Source, limit: number): readonly string[] {
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
    .filter((name) => matchesWildcard(part, name) && (part.startsWith('.') || !name.startsWith('.')))
    .sort()
    .map((name) => join(folder, name));
}
