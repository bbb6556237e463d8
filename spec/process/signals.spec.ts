import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { startChild, type Child } from '../support/process/child.js';

const lib = new URL('../../lib/process/signals.js', import.meta.url).href;

/** A process of its own whose actions print themselves; `quit` is what an end in order does. */
async function start(quit: string, reload = 'Promise.resolve()', more = ''): Promise<Child> {
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
      ${more}
    }, { log });
    say('ready');`;
  const child = startChild(['--input-type=module', '-e', code]);
  await child.says('ready\n');
  return child;
}

describe('signals', { skip: process.platform === 'win32' ? 'not on Windows' : false }, () => {
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGQUIT'] as const) {
    it(`${signal} shuts down gracefully, with exit status 0`, async () => {
      const child = await start(`new Promise((resolve) => setTimeout(resolve, 20))`);
      child.kill(signal);
      await child.says(`${signal}: shutting down gracefully\nquit`);
      assert.equal(await child.exit, 0);
    });
  }

  it('SIGURG drains a node of a fleet; without a fleet, the log says that nothing is drained', async () => {
    for (const [more, said] of [
      [`drain: () => say('drain'),`, 'drain\n'],
      ['', 'SIGURG: nothing is drained, because there is no fleet\n'],
    ] as const) {
      const child = await start('Promise.resolve()', undefined, more);
      child.kill('SIGURG');
      await child.says(said);
      child.kill('SIGTERM');
      assert.equal(await child.exit, 0);
    }
  });

  it('a second one ends the process at once', async () => {
    const child = await start('new Promise(() => {})');
    child.kill('SIGTERM');
    await child.says('quit\n');
    child.kill('SIGINT');
    await child.says('SIGINT again: ending at once\nstop');
    assert.equal(await child.exit, 130);
  });

  it('a graceful shutdown that fails logs why, and ends', async () => {
    const child = await start(`Promise.reject(new Error('no way'))`);
    child.kill('SIGTERM');
    await child.says('the graceful shutdown failed: no way\nstop');
    assert.equal(await child.exit, 1);
  });

  it('SIGHUP reloads, reopens the logs, and continues if the file is invalid', async () => {
    const child = await start('Promise.resolve()', `Promise.reject(new Error('line 3: no such directive'))`);
    for (let i = 0; i < 2; i++) {
      child.kill('SIGHUP');
      await child.says('the configuration is not reloaded, the previous one stays active: line 3: no such directive');
    }
    // nginx reopens its logs on the first of these; Node would open its debugger.
    for (const signal of ['SIGUSR1', 'SIGUSR2'] as const) {
      child.kill(signal);
      await child.says('reopen');
    }
    child.kill('SIGTERM');
    assert.equal(await child.exit, 0);
  });

  it('SIGHUP during a reload causes one more reload', async () => {
    const child = await start(
      'Promise.resolve()',
      `(globalThis.turns = (globalThis.turns ?? 0) + 1) === 1 ? new Promise((resolve) => setTimeout(resolve, 200)) : Promise.resolve()`,
    );
    child.kill('SIGHUP');
    await child.says('reload\n');
    child.kill('SIGHUP');
    const done = 'the configuration is reloaded; it applies to new connections and upstreams';
    await child.says(`${done}\nreopen\nSIGHUP: reloading the configuration\nreload\n${done}\n`);
    child.kill('SIGTERM');
    await child.exit;
  });
});
