import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** Files inside a single executable, by their paths from the root of the package. */
export interface EmbeddedFiles {
  readonly names: readonly string[];
  /** @throws if there is no such file */
  read(name: string): Buffer;
}

let embedded: EmbeddedFiles | undefined;

/** Called first by the single executable (bin/executable.ts), before other modules read their files. */
export function useEmbeddedFiles(files: EmbeddedFiles): void {
  embedded = files;
}

/** The files inside this program if it is a single executable. `undefined` if it runs from the folder of a package. */
export function embeddedFiles(): EmbeddedFiles | undefined {
  return embedded;
}

/**
 * The content of a file of the package, by its path from the root of the package. `undefined` if there is none, as in
 * a program that has this code in its own bundle.
 */
export function readPackageFile(path: string): Buffer | undefined {
  if (embedded !== undefined) return embedded.names.includes(path) ? embedded.read(path) : undefined;
  const file = packageFile(path);
  return file === undefined ? undefined : read(file);
}

/** The path of a file of the package on disk. `undefined` if there is none, as in a single executable. */
export function packageFilePath(path: string): string | undefined {
  const file = embedded === undefined ? packageFile(path) : undefined;
  return file !== undefined && existsSync(file) ? fileURLToPath(file) : undefined;
}

function packageFile(path: string): URL | undefined {
  root ??= findRoot();
  return root === undefined ? undefined : new URL(path, root);
}

/** The package's folder, found once. */
let root: URL | undefined;

/** dist/lib/base/package-files.js is three levels below the root, lib/base/package-files.ts is two levels below. */
function findRoot(): URL | undefined {
  // In a bundle in CommonJS form there is none, although its type says otherwise.
  const here: string | undefined = import.meta.url;
  if (here === undefined) return undefined;
  return ['../../../', '../../']
    .map((up) => new URL(up, here))
    .find((folder) => nameIn(read(new URL('package.json', folder))) === 'kmp-rtmp');
}

function nameIn(file: Buffer | undefined): unknown {
  try {
    const parsed: unknown = JSON.parse(file?.toString('utf8') ?? '{}');
    return typeof parsed === 'object' && parsed !== null && 'name' in parsed ? parsed.name : undefined;
  } catch {
    return undefined;
  }
}

function read(file: URL): Buffer | undefined {
  try {
    return readFileSync(file);
  } catch {
    return undefined;
  }
}
