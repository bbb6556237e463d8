import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { describe, it } from 'node:test';

describe('pages that are made from code', () => {
  it('are current: docs/configuration.md, docs/api.md (npm run reference)', () => {
    const { status, stderr } = spawnSync(process.execPath, ['scripts/reference.js', '--check'], { encoding: 'utf8' });
    assert.equal(status, 0, stderr);
  });
});
