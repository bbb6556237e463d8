import { readPackageFile } from './package-files.js';

/** The texts of a JSON file of the package, by their keys. None if the file is damaged: this runs at the import. */
function textsIn(path: string): Readonly<Record<string, string>> {
  const parsed = jsonIn(path);
  if (typeof parsed !== 'object' || parsed === null) return {};
  return Object.fromEntries(Object.entries(parsed).filter(([, value]) => typeof value === 'string'));
}

function jsonIn(path: string): unknown {
  try {
    return JSON.parse(readPackageFile(path)?.toString('utf8') ?? '{}');
  } catch {
    return undefined;
  }
}

/** This package's version, from its package.json. */
export const version: string = textsIn('package.json')['version'] ?? '0.0.0';

interface BuildInfo {
  /** Name and version of the compiler, for `compiler` in the API. */
  readonly compiler: string;
  /** Time of the build, ISO 8601. */
  readonly built: string;
}

function readBuildInfo(): BuildInfo {
  // Written by scripts/build-info.js, the last step of `npm run build`. There is none if another tool compiled.
  const { compiler = 'typescript', built = '' } = textsIn('dist/lib/build-info.json');
  return { compiler, built };
}

/** How this copy was built. */
export const buildInfo: BuildInfo = readBuildInfo();
