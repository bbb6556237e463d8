import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { extname } from 'node:path';
import { gzipSync } from 'node:zlib';
import { embeddedFiles } from '../../base/package-files.js';

/** A file of the page, as it is sent. */
export interface Asset {
  readonly type: string;
  readonly plain: Buffer;
  readonly gzipped: Buffer;
  readonly etag: string;
}

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml',
};

/** Reads the files of the page, which the build puts next to this one, and the files of uPlot. */
export function readAssets(): ReadonlyMap<string, Asset> {
  return (assets ??= loadAssets());
}

/** Read once: a reload of the configuration creates new routers, but the files are the same. */
let assets: ReadonlyMap<string, Asset> | undefined;

function loadAssets(): ReadonlyMap<string, Asset> {
  const found = new Map<string, Asset>();
  for (const [name, content] of embeddedPage() ?? pageOnDisk()) {
    const type = TYPES[extname(name)];
    if (type !== undefined) found.set(name, assetOf(type, content));
  }
  return found;
}

/** The folder of the page's files in a single executable (scripts/package/assets.js). */
const EMBEDDED = 'status-page/';

function embeddedPage(): [string, Buffer][] | undefined {
  const files = embeddedFiles();
  return files?.names
    .filter((name) => name.startsWith(EMBEDDED))
    .map((name) => [name.slice(EMBEDDED.length), files.read(name)]);
}

function pageOnDisk(): [string, Buffer][] {
  const { resolve } = createRequire(import.meta.url);
  const folder = new URL('public/', import.meta.url);
  const own = readdirSync(folder, { recursive: true }).map((found): [string, string | URL] => {
    // Names are those of URLs, whatever the system's separator is.
    const name = String(found).replaceAll('\\', '/');
    return [name, new URL(name, folder)];
  });
  const foreign: [string, string][] = [
    ['uplot.js', resolve('uplot/dist/uPlot.esm.js')],
    ['uplot.css', resolve('uplot/dist/uPlot.min.css')],
  ];
  return [...own, ...foreign]
    .filter(([name]) => TYPES[extname(name)] !== undefined)
    .map(([name, path]) => [name, readFileSync(path)]);
}

function assetOf(type: string, plain: Buffer): Asset {
  const etag = `"${createHash('sha256').update(plain).digest('base64url').slice(0, 22)}"`;
  return { type, plain, gzipped: gzipSync(plain), etag };
}
