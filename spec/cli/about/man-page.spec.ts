import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { describe, it } from 'node:test';
import { manPage } from '../../../lib/cli/about/man-page.js';
import { createProgram } from '../../../lib/cli/main.js';
import { Folder } from '../../support/process/cli.js';

const hasMan = spawnSync('man', ['--version']).status === 0;

describe('the manual page', () => {
  const page = manPage(createProgram());

  it('has each command with its flags', () => {
    for (const command of ['serve', 'restream', 'ingest', 'send', 'inspect', 'check', 'top', 'demo', 'licenses']) {
      assert.match(page, new RegExp(`^\\.SS ${command}\n`, 'm'));
    }
    // Hyphens that can be copied: a plain one becomes another character in the output.
    assert.match(page, /^\.B \\-c, \\-\\-config <file>\n/m);
    assert.match(page, /^\.B \\-\\-kmp\\-rtmp\\-out\\-reconnects <num\|unlimited>\n/m);
    assert.match(page, /^kmp\\-rtmp restream \[options\] <url\.\.\.>\n/m);
    assert.match(page, /^\.TH KMP\\-RTMP 1 /);
  });

  it('has the whole first sentence of a directive, also with three points in it', () => {
    assert.match(page, /^File with the certificate for "listen \.\.\. ssl"/m);
  });

  it('has no line that begins with a request by mistake', () => {
    const requests = new Set(['.TH', '.SH', '.SS', '.TP', '.PP', '.B', '.BR', '.I', '.nf', '.fi']);
    const starts = page.split('\n').filter((line) => /^[.']/.test(line));
    assert.deepEqual(
      starts.filter((line) => !requests.has(line.split(' ', 1)[0] ?? '')),
      [],
    );
  });

  it('is shown by man without a warning', { skip: hasMan ? false : 'there is no man here' }, () => {
    const folder = new Folder();
    try {
      const file = folder.file('kmp-rtmp.1', page);
      const env = { ...process.env, LC_ALL: 'C.UTF-8', MANWIDTH: '100' };
      const { status, stdout, stderr } = spawnSync('man', ['--warnings', '--local-file', file], {
        encoding: 'utf8',
        env,
        maxBuffer: 2 ** 24,
      });
      assert.deepEqual([status, stderr], [0, '']);
      assert.match(stdout, /--kmp-rtmp-out-reconnects/);
    } finally {
      folder.remove();
    }
  });
});
