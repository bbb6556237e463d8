// The files inside a single executable, by the names that lib/ asks for (lib/base/package-files.ts).
import { execFileSync } from 'node:child_process';
import { readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const PAGE = 'dist/lib/api/status/public';

/**
 * Writes the generated ones to `folder`.
 *
 * @returns the paths of all files, by name
 */
export function assets(folder, licenses) {
  const write = (name, content) => {
    const path = join(folder, name);
    writeFileSync(path, content);
    return path;
  };
  const all = {
    'package.json': 'package.json',
    LICENSE: 'LICENSE',
    'dist/lib/build-info.json': 'dist/lib/build-info.json',
    'assets/sample.mp4': 'assets/sample.mp4',
    'status-page/uplot.js': 'node_modules/uplot/dist/uPlot.esm.js',
    'status-page/uplot.css': 'node_modules/uplot/dist/uPlot.min.css',
    'third-party-licenses.txt': write('third-party-licenses.txt', licenses),
    'v8-options.txt': write('v8-options.txt', execFileSync(process.execPath, ['--v8-options'])),
  };
  for (const found of readdirSync(PAGE, { recursive: true }).map(String)) {
    const path = join(PAGE, found);
    if (/\.(html|css|svg|js)$/.test(found) && statSync(path).isFile()) all[`status-page/${found}`] = path;
  }
  all['names.json'] = write('names.json', JSON.stringify(Object.keys(all)));
  return all;
}
