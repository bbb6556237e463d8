import { readFileSync } from 'node:fs';

// dist/lib/version.js and lib/version.ts are two and one levels below the package's root.
function readVersion(): string {
  for (const up of ['../../package.json', '../package.json']) {
    try {
      const parsed: unknown = JSON.parse(readFileSync(new URL(up, import.meta.url), 'utf8'));
      if (typeof parsed === 'object' && parsed !== null && 'name' in parsed && parsed.name === 'kmp-rtmp') {
        if ('version' in parsed && typeof parsed.version === 'string') return parsed.version;
      }
    } catch {
      // not there: try the next place
    }
  }
  return '0.0.0';
}

/** This package's version, from its package.json. */
export const version: string = readVersion();
