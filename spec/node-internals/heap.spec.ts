import { describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { internalsOff } from '../support/node/internals-off.js';

const heap = new URL('../../lib/node-internals/heap.js', import.meta.url).href;
const internals = new URL('../../lib/node-internals/internals.js', import.meta.url).href;
const young = new URL('../../lib/node-internals/young-generation.js', import.meta.url).href;

function run(program: string, env: NodeJS.ProcessEnv = {}): string {
  const options = { encoding: 'utf8', env: { ...process.env, ...env } } as const;
  return execFileSync(process.execPath, ['--input-type=module', '--eval', program], options).trim();
}

/** Bytes of the young generation of a process that keeps many of its objects for a moment, as live media does. */
function youngGeneration(before: string, env?: NodeJS.ProcessEnv): number {
  const program = `
    import { getHeapSpaceStatistics } from 'node:v8';
    import { tuneHeap } from '${heap}';
    import { startSmall } from '${young}';
    ${before}
    const ring = new Array(20_000);
    let n = 0;
    const timer = setInterval(() => {
      for (let i = 0; i < 4_000; i++) ring[n++ % ring.length] = { n, more: [n, n, n, n, n, n] };
      if (n < 1_000_000) return;
      clearInterval(timer);
      console.log(getHeapSpaceStatistics().find(({ space_name }) => space_name === 'new_space').space_size);
    }, 10);`;
  return Number(run(program, env));
}

describe('the young generation', { skip: internalsOff }, () => {
  it('does not grow past what the service needs', () => {
    const [free, limited] = [youngGeneration(''), youngGeneration('await tuneHeap();')];
    assert.ok(limited < free, `${limited} bytes, ${free} by itself`);
  });

  it('stays as small as at the start while the program is loaded', () => {
    const [limited, small] = [youngGeneration('await tuneHeap();'), youngGeneration('startSmall();')];
    assert.ok(small < limited, `${small} bytes, and ${limited} when it may grow`);
  });

  it('grows as V8 likes if the internals are off', () => {
    const off = youngGeneration('startSmall(); await tuneHeap();', { KMP_RTMP_NODE_INTERNALS: 'off' });
    const limited = youngGeneration('await tuneHeap();');
    assert.ok(off > limited, `${off} bytes, and ${limited} when it is limited`);
  });

  it('grows as V8 likes if the configuration turns the internals off', () => {
    const off = `import { allowInternals } from '${internals}';
      startSmall(); allowInternals(false); await tuneHeap();`;
    const [free, limited] = [youngGeneration(off), youngGeneration('await tuneHeap();')];
    assert.ok(free > limited, `${free} bytes, and ${limited} when it is limited`);
  });
});

describe('the heap', { skip: internalsOff }, () => {
  it('is collected once, when the program is loaded', () => {
    const program = `
      import { tuneHeap } from '${heap}';
      const garbage = () => new WeakRef(Array.from({ length: 100_000 }, (_, n) => ({ n })));
      const left = garbage();
      await tuneHeap();
      console.log(left.deref() === undefined ? 'collected' : 'kept');
      process.exit();`;
    assert.equal(run(program), 'collected');
  });

  it('leaves no function to collect it in the process', () => {
    const program = `
      import { tuneHeap } from '${heap}';
      await tuneHeap();
      console.log(typeof globalThis.gc);
      process.exit();`;
    assert.equal(run(program), 'undefined');
  });
});
