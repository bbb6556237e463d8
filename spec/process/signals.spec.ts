import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { startChild, type Child } from '../support/child.js';

const lib = new URL('../../lib/process/signals.js', import.meta.url).href;

/** A process of its own whose actions print themselves; `quit` is what an end in order does. */
async function start(quit: string, reload = 'Promise.resolve()'): Promise<Child> {
  const code = `
    import { handleSignals } from ${JSON.stringify(lib)};
    const say = (text) => process.stdout.write(text + '\\n');
    const log = { error: say, warn: say, info: say, debug: say, child: () => log };
    setInterval(() => {}, 1000);
    handleSignals({
      quit: () => { say('quit'); return ${quit}; },
      stop: () => say('stop'),
      reload: () => { say('reload'); return ${reload}; },
      reopen: () => say('reopen'),
    }, { log });
    say('ready');`;
  const child = startChild(['--input-type=module', '-e', code]);
  await child.says('ready\n');
  return child;
}

describe('signals', { skip: process.platform === 'win32' }, () => {
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGQUIT'] as const) {
    it(`${signal} ends in order, with exit status 0`, async () => {
      const child = await start(`new Promise((resolve) => setTimeout(resolve, 20))`);
      child.kill(signal);
      await child.says(`${signal}: ends in order\nquit`);
      assert.equal(await child.exit, 0);
    });
  }

  it('a second one ends at once', async () => {
    const child = await start('new Promise(() => {})');
    child.kill('SIGTERM');
    await child.says('quit\n');
    child.kill('SIGINT');
    await child.says('SIGINT again: ends at once\nstop');
    assert.equal(await child.exit, 130);
  });

  it('an end in order that fails says why, and ends', async () => {
    const child = await start(`Promise.reject(new Error('no way'))`);
    child.kill('SIGTERM');
    await child.says('ending in order failed: no way\nstop');
    assert.equal(await child.exit, 1);
  });

  it('SIGHUP reloads, opens the logs anew, and goes on if the file is bad', async () => {
    const child = await start('Promise.resolve()', `Promise.reject(new Error('line 3: no such directive'))`);
    for (let i = 0; i < 2; i++) {
      child.kill('SIGHUP');
      await child.says('the configuration is not reloaded, the one before holds on: line 3: no such directive');
    }
    child.kill('SIGUSR2');
    await child.says('reopen');
    child.kill('SIGTERM');
    assert.equal(await child.exit, 0);
  });

  it('SIGHUP while it reloads makes it reload once more', async () => {
    const child = await start(
      'Promise.resolve()',
      `(globalThis.turns = (globalThis.turns ?? 0) + 1) === 1 ? new Promise((resolve) => setTimeout(resolve, 200)) : Promise.resolve()`,
    );
    child.kill('SIGHUP');
    await child.says('reload\n');
    child.kill('SIGHUP');
    const done = 'the configuration is reloaded: it holds for new connections and upstreams';
    await child.says(`${done}\nreopen\nSIGHUP: reloads the configuration\nreload\n${done}\n`);
    child.kill('SIGTERM');
    await child.exit;
  });
});
