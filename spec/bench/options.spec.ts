import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';

function run(
  file: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv = {},
): { status: number | null; said: string } {
  const path = fileURLToPath(new URL(`../../bench/${file}`, import.meta.url));
  const { status, stdout, stderr } = spawnSync(process.execPath, [path, ...args], {
    encoding: 'utf8',
    timeout: 60_000,
    env: { ...process.env, ...env },
  });
  return { status, said: stdout + stderr };
}

const DEMO = 'fleet/demo/main.js';

describe('options of the benchmarks and of the demo of a fleet', () => {
  for (const [script, file] of [
    ['bench', 'main.js'],
    ['bench:memory', 'memory.js'],
    ['demo:fleet', DEMO],
  ] as const) {
    it(`${script} names an unknown option, without a stack trace`, () => {
      const { status, said } = run(file, ['--nonsense']);
      assert.equal(status, 1);
      assert.match(said, new RegExp(`^${script}: Unknown option '--nonsense'.*\nsee npm run ${script} -- --help\n$`));
    });
  }

  it('demo:fleet names a wrong number', () => {
    const { status, said } = run(DEMO, ['--encoders', 'many']);
    assert.equal(status, 1);
    assert.equal(said, 'demo:fleet: --encoders many: a number above 0 is expected\n');
  });

  it('demo:fleet refuses a file that it could not write at the end', () => {
    const { status, said } = run(DEMO, ['--json', '/dev/null/table.json']);
    assert.equal(status, 1);
    assert.match(said, /^demo:fleet: .*\/dev\/null\/table\.json.*\n$/);
  });

  it('demo:fleet says if there is no redis-server', () => {
    const { status, said } = run(DEMO, ['--short'], { PATH: '' });
    assert.equal(status, 1);
    assert.equal(said, 'demo:fleet: redis-server is missing (Debian: apt-get install redis-server)\n');
  });

  for (const [url, message] of [
    ['nonsense', 'REDIS_URL: redis://host:port is expected'],
    ['http://127.0.0.1', 'REDIS_URL: redis://host:port is expected'],
    ['redis://127.0.0.1:1', 'REDIS_URL: cannot connect to 127.0.0.1:1: connect ECONNREFUSED 127.0.0.1:1'],
  ] as const) {
    it(`demo:fleet begins nothing with REDIS_URL=${url}`, () => {
      const { status, said } = run(DEMO, ['--short'], { REDIS_URL: url });
      assert.equal(status, 1);
      assert.equal(said, `demo:fleet: ${message}\n`);
    });
  }
});
