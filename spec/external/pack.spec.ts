/** The package as `npm install` has it: packed, installed in an empty folder, run and compiled against there. */
import { after, before, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

interface Manifest {
  readonly version: string;
  readonly devDependencies: Readonly<Record<string, string>>;
}

interface Packed {
  readonly filename: string;
  readonly files: readonly { readonly path: string }[];
}

/** The sample of the module that the service replaces, as it stands. */
const SAMPLE = `
stream {
    server {
        listen 8005;
        resolver 8.8.8.8;

        kmp_rtmp;
    }
}

http {
    server {
        listen 8001;

        location /kmp_rtmp_api/ {
            kmp_rtmp_api write=on;
        }
    }
}
`;

describe('the package', () => {
  const manifest = JSON.parse(readFileSync('package.json', 'utf8')) as Manifest;
  const folder = mkdtempSync(join(tmpdir(), 'kmp-rtmp-pack-'));
  const empty = join(folder, 'empty');
  let packed: Packed;

  const inEmpty = (command: string, ...args: string[]): Promise<{ stdout: string; stderr: string }> =>
    run(command, args, { cwd: empty, maxBuffer: 2 ** 24 });

  before(async () => {
    // Without scripts: prepack would rebuild the files that this suite runs from.
    const pack = ['pack', '--json', '--ignore-scripts', '--pack-destination', folder];
    [packed] = JSON.parse((await run('npm', pack, { maxBuffer: 2 ** 24 })).stdout) as [Packed];
    mkdirSync(empty);
    const tools = ['typescript', '@types/node'].map((name) => `${name}@${manifest.devDependencies[name] ?? 'latest'}`);
    const tarball = join(folder, packed.filename);
    await inEmpty('npm', 'init', '--yes');
    await inEmpty('npm', 'install', '--no-audit', '--no-fund', '--prefer-offline', tarball, ...tools);
  });

  after(() => rmSync(folder, { recursive: true, force: true }));

  it('holds the program, its types, its sources for the maps, and nothing of the specs', () => {
    const paths = packed.files.map(({ path }) => path);
    for (const path of [
      'dist/bin/kmp-rtmp.js',
      'dist/lib/index.js',
      'dist/lib/index.d.ts',
      'lib/index.ts',
      'LICENSE',
    ]) {
      assert.ok(paths.includes(path), path);
    }
    const stray = paths.filter((path) =>
      /(^|\/)(spec|bench|node_modules|\.[^/]+)(\/|$)|\.(tsbuildinfo|log|tgz)$/.test(path),
    );
    assert.deepEqual(stray, []);
    // Nothing that was built from a source which is gone.
    const orphans = paths.filter(
      (path) => path.startsWith('dist/') && path.endsWith('.js') && !existsSync(path.slice(5).replace(/\.js$/, '.ts')),
    );
    assert.deepEqual(orphans, []);
  });

  it('runs from an empty folder: npx kmp-rtmp --version', async () => {
    const { stdout } = await inEmpty('npx', '--no-install', 'kmp-rtmp', '--version');
    assert.equal(stdout.trim(), manifest.version);
  });

  it('checks the sample configuration: kmp-rtmp -t -c FILE', async () => {
    const file = join(empty, 'kmp.conf');
    writeFileSync(file, SAMPLE);
    const { stdout, stderr } = await inEmpty('npx', '--no-install', 'kmp-rtmp', '-t', '-c', file);
    assert.match(stdout + stderr, /is good/);
  });

  it('is a library: its names are there, and the types hold for a program that is strict', async () => {
    const list = "import('kmp-rtmp').then((all) => console.log(Object.keys(all).join(' ')))";
    const { stdout } = await inEmpty(process.execPath, '-e', list);
    for (const name of [
      'KmpDecoder',
      'Merger',
      'RtmpPublisher',
      'publishTo',
      'Service',
      'managementRouter',
      'Ingest',
    ]) {
      assert.ok(stdout.split(/\s/).includes(name), name);
    }
    copyFileSync('spec/types/consumer.ts', join(empty, 'consumer.mts'));
    const options = ['--strict', '--noEmit', '--target', 'es2022', '--module', 'nodenext', '--types', 'node'];
    await inEmpty('npx', '--no-install', 'tsc', ...options, 'consumer.mts').catch((error: unknown) => {
      assert.fail(error instanceof Error && 'stdout' in error ? String(error.stdout) : String(error));
    });
  });
});
