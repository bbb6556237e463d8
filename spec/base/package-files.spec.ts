import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const compiled = (file: string): string => fileURLToPath(new URL(`../../lib/base/${file}`, import.meta.url));

describe('version and build of a copy of the package', () => {
  let folder: string;
  before(() => void (folder = mkdtempSync(join(tmpdir(), 'kmp-rtmp-copy-'))));
  after(() => rmSync(folder, { recursive: true }));

  const run = (program: string): string => execFileSync(process.execPath, [program], { encoding: 'utf8' });

  it('a bundle in CommonJS form can be loaded', async () => {
    const outfile = join(folder, 'bundle.cjs');
    const stdin = {
      contents: `import { version, buildInfo } from ${JSON.stringify(compiled('version.js'))}; console.log(version, buildInfo.compiler);`,
      resolveDir: folder,
    };
    await build({ stdin, outfile, bundle: true, format: 'cjs', platform: 'node', logLevel: 'silent' });
    assert.equal(run(outfile), '0.0.0 typescript\n');
  });

  it('a damaged build-info.json does not stop the program', () => {
    const base = join(folder, 'dist/lib/base');
    mkdirSync(base, { recursive: true });
    for (const file of ['version.js', 'package-files.js']) cpSync(compiled(file), join(base, file));
    writeFileSync(join(folder, 'package.json'), '{"name":"kmp-rtmp","version":"9.8.7","type":"module"}');
    writeFileSync(join(folder, 'dist/lib/build-info.json'), '{"compiler":"typesc');
    const program = join(folder, 'program.js');
    writeFileSync(
      program,
      'import { version, buildInfo } from "./dist/lib/base/version.js"; console.log(version, buildInfo.compiler);',
    );
    assert.equal(run(program), '9.8.7 typescript\n');
  });
});
