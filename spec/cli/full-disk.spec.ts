import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { Folder, Run } from '../support/process/cli.js';

const program = fileURLToPath(new URL('../../bin/kmp-rtmp.js', import.meta.url));
const dump = fileURLToPath(new URL('../../../spec/golden/data/av/a.kmp', import.meta.url));
const root = fileURLToPath(new URL('../../..', import.meta.url));

const COMMANDS = [
  ['licenses'],
  ['--help'],
  ['serve', '--help'],
  ['--version'],
  ['completion', 'bash'],
  ['check', `${root}packaging/kmp-rtmp.conf`],
  ['inspect', dump],
];

/** Runs a command line in a shell, with its output at `to`. */
function inShell(limits: string, args: readonly string[], to: string): Run['ended'] {
  const line = `${limits} exec "$NODE" "$PROGRAM" "$@" > "$TO"`;
  const env = { NODE: process.execPath, PROGRAM: program, TO: to };
  return new Run(['-c', line, 'sh', ...args], env, undefined, { command: '/bin/sh' }).ended;
}

describe('output that cannot be written', { skip: existsSync('/dev/full') ? false : 'there is no /dev/full' }, () => {
  let folder: Folder;
  beforeEach(() => (folder = new Folder()));
  afterEach(() => folder.remove());

  for (const args of COMMANDS) {
    it(`is an error, and its reason is printed: ${args[0]}`, async () => {
      const { code, stderr } = await inShell('', args, '/dev/full');
      assert.match(stderr, /^kmp-rtmp: the output cannot be written: .*ENOSPC|^kmp-rtmp: the output .*no space left/);
      assert.equal(code, 1);
    });
  }

  for (const args of COMMANDS.filter(([name]) => name !== '--version' && name !== 'check')) {
    it(`is an error also if the file takes a part of it: ${args.join(' ').slice(0, 20)}`, async () => {
      const file = `${folder.path}/output`;
      // A limit of the size of files works as a full disk does: a write takes less than it was given.
      const { code, stderr } = await inShell('ulimit -f 1;', args, file);
      assert.match(stderr, /^kmp-rtmp: the output cannot be written: /);
      assert.equal(code, 1);
      assert.ok(readFileSync(file).length <= 1024);
    });
  }
});
