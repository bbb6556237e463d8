import { describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Folder } from '../support/process/cli.js';
import { startChild } from '../support/process/child.js';

const program = fileURLToPath(new URL('../../bin/kmp-rtmp.js', import.meta.url));

describe('the service', { skip: process.platform === 'win32' ? 'not on Windows' : false }, () => {
  it('continues when the reader of its log has gone', async () => {
    const folder = new Folder();
    const log = `${folder.path}/log`;
    const conf = folder.file(
      'c.conf',
      `error_log stderr info; error_log ${log} info; stream { server { listen 127.0.0.1:0; kmp_rtmp; } }`,
    );
    const child = startChild([program, '-c', conf]);
    await child.says('takes KMP on');
    child.process.stderr?.destroy();
    // Each writes lines into the broken pipe.
    for (let i = 0; i < 3; i++) {
      child.kill('SIGHUP');
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    assert.equal(child.process.exitCode, null);
    child.kill('SIGTERM');
    assert.equal(await child.exit, 0);
    assert.match(readFileSync(log, 'utf8'), /the configuration is reloaded[^]*SIGTERM: shutting down gracefully/);
    folder.remove();
  });
});
