import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../../', import.meta.url));

describe('wrong options of the scripts that make packages', () => {
  for (const [script, args, said] of [
    [
      'executable',
      ['--bogus'],
      /^package:executable: Unknown option '--bogus'[^]*options: --out VALUE, --node-license/,
    ],
    ['executable', ['--out'], /^package:executable: Option '--out <value>' argument missing/],
    ['executable', ['extra'], /^package:executable: Unexpected argument 'extra'/],
    ['executable', ['--node-license', '/none'], /^package:executable: --node-license: there is no file \/none$/m],
    ['executable', ['--out', '/dev/null/x'], /^package:executable: --out: ENOTDIR/],
    ['deb', ['--bogus'], /^package:deb: Unknown option '--bogus'/],
    ['deb', ['--executable', '/none'], /^package:deb: --executable: there is no file \/none$/m],
    ['deb', ['--compression', 'zip'], /^package:deb: --compression zip: none, gzip, xz, zstd is expected$/m],
  ] as const) {
    it(`${script} ${args.join(' ')}`, () => {
      const path = `${root}scripts/package/${script}.js`;
      const { status, stdout, stderr } = spawnSync(process.execPath, [path, ...args], { encoding: 'utf8', cwd: root });
      assert.equal(status, 1);
      assert.match(stderr, said);
      assert.equal(stdout, '');
      assert.doesNotMatch(stderr, /\n {4}at /);
    });
  }
});
