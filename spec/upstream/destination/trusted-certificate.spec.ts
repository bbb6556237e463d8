import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { promisify } from 'node:util';

const module = (path: string): string => JSON.stringify(new URL(`../../../lib/${path}`, import.meta.url).href);

describe('kmp_rtmp_out_ssl_trusted_certificate', () => {
  // The file was checked at the start, but another may be there now. In a process of its own, since the read of a pipe
  // would stop the event loop.
  it('does not wait for a pipe when an upstream connects', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'kmp-rtmp-ca-'));
    try {
      const pipe = join(folder, 'ca.pem');
      execFileSync('mkfifo', [pipe]);
      const script = `
        const { destinationOf } = await import(${module('upstream/connection/destination.js')});
        const { mediaSettings } = await import(${module('config/settings.js')});
        const settings = mediaSettings({ outSslTrustedCertificate: ${JSON.stringify(pipe)} });
        try { destinationOf({ url: 'rtmps://192.0.2.1/app/key' }, settings); } catch (error) { console.log(error.message); }`;
      const args = ['--input-type=module', '-e', script];
      const { stdout } = await promisify(execFile)(process.execPath, args, { timeout: 20_000 });
      assert.equal(stdout, 'it is not a regular file\n');
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
