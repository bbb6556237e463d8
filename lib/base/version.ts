import { readFileSync } from 'node:fs';

// dist/lib/base/version.js is three levels below the root of the package, lib/base/version.ts is two levels below.
function readVersion(): string {
  for (const up of ['../../../package.json', '../../package.json']) {
    try {
      const parsed: unknown = JSON.parse(readFileSync(new URL(up, import.meta.url), 'utf8'));
      if (typeof parsed === 'object' && parsed !== null && 'name' in parsed && parsed.name === 'kmp-rtmp') {
        if ('version' in parsed && typeof parsed.version === 'string') return parsed.version;
      }
    } catch {
      // No such file: try the next one.
    }
  }
  return '0.0.0';
}

/** This package's version, from its package.json. */
export const version: string = readVersion();

interface BuildInfo {
  /** Name and version of the compiler, for `compiler` in the API. */
  readonly compiler: string;
  /** Time of the build, ISO 8601. */
  readonly built: string;
}

function readBuildInfo(): BuildInfo {
  try {
    // Written by scripts/build-info.js, the last step of `npm run build`.
    const parsed: unknown = JSON.parse(readFileSync(new URL('../build-info.json', import.meta.url), 'utf8'));
    if (typeof parsed === 'object' && parsed !== null && 'compiler' in parsed && 'built' in parsed) {
      return { compiler: String(parsed.compiler), built: String(parsed.built) };
    }
  } catch {
    // There is no such file if another tool compiled the code.
  }
  return { compiler: 'typescript', built: '' };
}

/** How this copy was built. */
export const buildInfo: BuildInfo = readBuildInfo();
