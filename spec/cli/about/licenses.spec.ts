import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { it } from 'node:test';
import { kmpRtmp } from '../../support/process/cli.js';

it('kmp-rtmp licenses prints the licence, and where those of the packages are', async () => {
  const { code, stdout, stderr } = await kmpRtmp(['licenses']);
  assert.deepEqual([code, stderr], [0, '']);
  assert.ok(stdout.startsWith(readFileSync('LICENSE', 'utf8')));
  assert.match(stdout, /node_modules/);
});
