import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { reap } from '../support/process/reaper.js';

describe('a worker that cannot be started', { timeout: 60_000 }, () => {
  it(
    'because no descriptor is free is started later, and the primary goes on',
    { skip: process.platform === 'win32' && 'there is no such limit' },
    async () => {
      const program = fileURLToPath(new URL('few-descriptors-child.js', import.meta.url));
      const args = ['-c', 'ulimit -n 128; exec "$0" "$1"', process.execPath, program];
      const child = reap(spawn('/bin/sh', args, { stdio: ['ignore', 'pipe', 'pipe'] }));
      let text = '';
      for (const stream of [child.stdout, child.stderr])
        stream.on('data', (bytes: Buffer) => (text += bytes.toString()));
      const [code] = (await once(child, 'close')) as [number | null];
      assert.match(text, /worker 0 died \(SIGKILL\).*\n.*worker 0 died \(spawn .* EMFILE\).*\n.*ready again/);
      assert.equal(code, 0);
    },
  );
});
