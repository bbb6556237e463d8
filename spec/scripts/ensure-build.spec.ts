import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { Folder } from '../support/process/cli.js';

/** A build that counts its runs and writes the stamp, as scripts/build-info.js does. */
const BUILD = `
const fs = require('node:fs');
fs.mkdirSync('dist/lib', { recursive: true });
fs.appendFileSync('builds', 'x');
fs.writeFileSync('dist/lib/build-info.json', '{}');
`;

describe('the build before npm start', () => {
  let folder: Folder;

  beforeEach(() => {
    folder = new Folder();
    mkdirSync(join(folder.path, 'lib', 'inner'), { recursive: true });
    folder.file('package.json', JSON.stringify({ scripts: { build: 'node build.cjs' } }));
    folder.file('build.cjs', BUILD);
    folder.file('lib/inner/a.ts', '');
    symlinkSync(resolve('node_modules'), join(folder.path, 'node_modules'));
  });
  afterEach(() => folder.remove());

  const ensure = (env: NodeJS.ProcessEnv = {}): Promise<{ code: number; err: string }> =>
    new Promise((done) => {
      const options = { cwd: folder.path, env: { ...process.env, npm_lifecycle_event: '', ...env } };
      execFile(process.execPath, [resolve('scripts/ensure-build.js')], options, (error, _out, err) =>
        done({ code: error === null ? 0 : Number(error.code), err }),
      );
    });
  const builds = (): number => {
    const file = join(folder.path, 'builds');
    return existsSync(file) ? readFileSync(file, 'utf8').length : 0;
  };
  /** Changes the time of a file or folder to minutes after the build, or before it. */
  const change = (name: string, minutes: number): void => {
    const time = new Date(Date.now() + minutes * 60_000);
    utimesSync(join(folder.path, name), time, time);
  };

  it('builds if there is no build, and says so', async () => {
    const { code, err } = await ensure();
    assert.deepEqual([code, builds()], [0, 1]);
    assert.match(err, /^building kmp-rtmp, because there is no build yet/);
  });

  it('does not build again while nothing has changed', async () => {
    for (const name of ['lib/inner/a.ts', 'lib/inner', 'lib']) change(name, -1);
    await ensure();
    assert.deepEqual([await ensure(), builds()], [{ code: 0, err: '' }, 1]);
  });

  for (const [what, name] of [
    ['a source is newer', 'lib/inner/a.ts'],
    ['a source was removed or renamed', 'lib/inner'],
  ] as const) {
    it(`builds again if ${what}`, async () => {
      await ensure();
      change(name, 1);
      const { code, err } = await ensure();
      assert.deepEqual([code, builds()], [0, 2]);
      assert.match(err, /the sources are newer than the build/);
    });
  }

  it('fails if the build fails', async () => {
    writeFileSync(join(folder.path, 'build.cjs'), 'process.exit(7)');
    assert.equal((await ensure()).code, 7);
  });

  it('says what to do if there is neither a build nor a compiler', async () => {
    rmSync(join(folder.path, 'node_modules'));
    const { code, err } = await ensure();
    assert.equal(code, 1);
    assert.match(err, /run npm install, without --omit=dev/);
    // An installation without the compiler is not an error in itself.
    assert.deepEqual(await ensure({ npm_lifecycle_event: 'prepare' }), { code: 0, err: '' });
  });
});

describe('the scripts of package.json', () => {
  const { scripts } = JSON.parse(readFileSync('package.json', 'utf8')) as { scripts: Record<string, string> };

  it('build once, at the installation, and not with each start', () => {
    assert.equal(scripts['prepare'], 'node scripts/ensure-build.js');
    for (const name of ['start', 'demo']) {
      assert.match(scripts[name] ?? '', /^node scripts\/start\.js/);
      assert.equal(scripts[`pre${name}`], undefined);
    }
  });

  it('start the program in the process of the script, so that signals reach it', async () => {
    const folder = new Folder();
    for (const name of ['scripts', 'dist', 'dist/bin', 'dist/lib']) mkdirSync(join(folder.path, name));
    folder.file('package.json', '{ "type": "module" }');
    for (const name of ['scripts/start.js', 'scripts/ensure-build.js']) folder.file(name, readFileSync(name));
    folder.file('dist/lib/build-info.json', '{}');
    folder.file('dist/bin/kmp-rtmp.js', 'console.log(JSON.stringify([process.pid, ...process.argv.slice(1)]));');
    const started = await new Promise<{ pid: number | undefined; out: string }>((done) => {
      const child = execFile(process.execPath, ['scripts/start.js', 'demo'], { cwd: folder.path }, (_error, out) =>
        done({ pid: child.pid, out }),
      );
    });
    folder.remove();
    assert.deepEqual(JSON.parse(started.out), [started.pid, join(folder.path, 'dist/bin/kmp-rtmp.js'), 'demo']);
  });
});
