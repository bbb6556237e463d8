import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { fileSystem, regularFiles } from '../../../lib/config/nginx/source.js';

const LIMIT = 1_048_576;

describe('files of a configuration', () => {
  let folder: string;
  before(() => (folder = mkdtempSync(join(tmpdir(), 'kmp-rtmp-source-'))));
  after(() => rmSync(folder, { recursive: true, force: true }));

  const file = (text: string): string => {
    const path = join(folder, 'file.conf');
    writeFileSync(path, text);
    return path;
  };

  it('are read whole, up to the limit', () => {
    for (const length of [0, 1, 4096, LIMIT])
      assert.equal(fileSystem.read(file('x'.repeat(length)), LIMIT).length, length);
    assert.throws(() => fileSystem.read(file('x'.repeat(LIMIT + 1)), LIMIT), /larger than 1048576 bytes/);
  });

  it('need the memory of what they contain: a thousand small ones do not hold up the service', () => {
    const path = file('allow 192.0.2.1;');
    const before = process.memoryUsage().arrayBuffers;
    for (let n = 0; n < 8; n++) regularFiles.read(path, LIMIT);
    assert.ok(process.memoryUsage().arrayBuffers - before < LIMIT);
  });

  it('a pipe has no size, and is read up to its end or the limit', { skip: process.platform === 'win32' }, async () => {
    const source = fileURLToPath(new URL('../../../lib/config/nginx/source.js', import.meta.url));
    const program = `
      const { fileSystem } = await import(${JSON.stringify(source)});
      try { console.log(fileSystem.read('/dev/stdin', ${LIMIT}).length); } catch (error) { console.log(error.message); }`;
    for (const [length, said] of [
      [0, '0'],
      [300_000, '300000'],
      [LIMIT, String(LIMIT)],
      [LIMIT + 1, `the file is larger than ${LIMIT} bytes`],
    ] as const) {
      // A shell makes a pipe; Node would make a socket.
      const line = `head -c ${length} /dev/zero | "${process.execPath}" --input-type=module -e "$PROGRAM"`;
      const child = spawn('/bin/sh', ['-c', line], { env: { ...process.env, PROGRAM: program } });
      let text = '';
      for await (const part of child.stdout) text += String(part);
      assert.equal(text.trim(), said);
    }
  });
});
