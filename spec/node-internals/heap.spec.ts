import { describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { internalsOff } from '../support/node/internals-off.js';

const module = new URL('../../lib/node-internals/heap.js', import.meta.url).href;

/** Bytes of the young generation of a process that keeps many of its objects for a moment, as live media does. */
function youngGeneration(limited: boolean): number {
  const program = `
    import { getHeapSpaceStatistics } from 'node:v8';
    import { tuneHeap } from '${module}';
    if (${limited}) await tuneHeap();
    const ring = new Array(20_000);
    let n = 0;
    const timer = setInterval(() => {
      for (let i = 0; i < 4_000; i++) ring[n++ % ring.length] = { n, more: [n, n, n, n, n, n] };
      if (n < 1_000_000) return;
      clearInterval(timer);
      console.log(getHeapSpaceStatistics().find(({ space_name }) => space_name === 'new_space').space_size);
    }, 10);`;
  return Number(execFileSync(process.execPath, ['--input-type=module', '--eval', program], { encoding: 'utf8' }));
}

describe('the young generation', { skip: internalsOff }, () => {
  it('does not grow past what the service needs', () => {
    const [free, limited] = [youngGeneration(false), youngGeneration(true)];
    assert.ok(limited < free, `${limited} bytes, ${free} by itself`);
  });
});
