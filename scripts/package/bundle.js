// Puts the program and the packages that it uses into one file of CommonJS: a single executable runs no other form.
import { build } from 'esbuild';

/**
 * Writes the bundle. It is not minified, so that stack traces in bug reports name functions.
 *
 * @returns the paths of all files in it
 */
export async function bundle(outfile) {
  const { metafile } = await build({
    entryPoints: ['dist/bin/executable.js'],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'cjs',
    target: 'node20',
    // Only code that looks for files on disk uses it, and an executable has none (lib/base/package-files.ts).
    define: { 'import.meta.url': 'undefined' },
    // Comments of licences are not needed twice: scripts/package/licenses.js has the whole texts.
    legalComments: 'none',
    metafile: true,
    logLevel: 'warning',
  });
  return Object.keys(metafile.inputs);
}
