import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, truncateSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { promisify } from 'node:util';
import { readPidFile, signalProcess, writePidFile } from '../../lib/process/pid-file.js';
import { startChild, type Child } from '../support/process/child.js';

const folder = mkdtempSync(join(tmpdir(), 'kmp-rtmp-pid-'));
after(() => rmSync(folder, { recursive: true, force: true }));

let files = 0;
const fresh = (): string => join(folder, `${++files}.pid`);

/** A process that lives until it is signalled, and prints each signal it gets; its command line reads like ours. */
async function start(name = 'kmp-rtmp'): Promise<Child> {
  const code = `
    let ends = 0;
    for (const name of ['SIGHUP', 'SIGUSR2', 'SIGTERM', 'SIGINT', 'SIGURG']) process.on(name, () => {
      process.stdout.write(name + '\\n');
      if (/TERM|INT/.test(name) && ++ends === 3) process.exit(0);
    });
    process.stdout.write('ready\\n');
    setInterval(() => {}, 1000);`;
  const child = startChild(['-e', code, name]);
  await child.says('ready\n');
  return child;
}

/** An id that no process has: of one that has ended. */
async function goneId(): Promise<number> {
  const child = startChild(['-e', '']);
  await child.exit;
  return child.pid;
}

describe('pid file', () => {
  it('contains the id of this process, and is removed at its end', () => {
    const path = fresh();
    const remove = writePidFile(path);
    assert.equal(readFileSync(path, 'utf8'), `${process.pid}\n`);
    assert.equal(readPidFile(path), process.pid);
    remove();
    assert.equal(existsSync(path), false);
  });

  it('is not removed if it names another process', () => {
    const path = fresh();
    const remove = writePidFile(path);
    writeFileSync(path, '999999\n');
    remove();
    assert.equal(readFileSync(path, 'utf8'), '999999\n');
  });

  it('replaces a stale file', async () => {
    for (const content of [`${await goneId()}\n`, '', `${process.pid}\n`]) {
      const path = fresh();
      writeFileSync(path, content);
      writePidFile(path);
      assert.equal(readFileSync(path, 'utf8'), `${process.pid}\n`);
    }
  });

  it('prevents a second kmp-rtmp, but ignores another program with the same id', async () => {
    const [ours, stranger] = [await start(), await start('something-else')];
    try {
      const path = fresh();
      writeFileSync(path, `${ours.pid}\n`);
      assert.throws(() => writePidFile(path), {
        code: 'pid_running',
        message: new RegExp(`process ${ours.pid} .*${path}`),
      });
      assert.equal(readFileSync(path, 'utf8'), `${ours.pid}\n`);
      if (!existsSync('/proc/self/cmdline')) return;
      writeFileSync(path, `${stranger.pid}\n`);
      await assert.rejects(signalProcess(path, 'stop'), { code: 'pid_stale' });
      assert.equal(stranger.process.exitCode, null, 'a stranger is left alone');
      writePidFile(path);
      assert.equal(readFileSync(path, 'utf8'), `${process.pid}\n`);
    } finally {
      ours.kill('SIGKILL');
      stranger.kill('SIGKILL');
    }
  });

  it('does not trust a process that began after the file was written, whatever its name is', async () => {
    if (!existsSync('/proc/self/stat')) return;
    const other = await start();
    try {
      const path = fresh();
      writeFileSync(path, `${other.pid}\n`);
      assert.equal(readPidFile(path), other.pid);
      const earlier = new Date(Date.now() - 60_000);
      utimesSync(path, earlier, earlier);
      await assert.rejects(signalProcess(path, 'stop'), { code: 'pid_stale' });
      assert.equal(other.process.exitCode, null);
      writePidFile(path);
      assert.equal(readFileSync(path, 'utf8'), `${process.pid}\n`);
    } finally {
      other.kill('SIGKILL');
    }
  });

  it('trusts a process that wrote the file, and no other, after the clock was set forward or back', async (t) => {
    if (!existsSync('/proc/self/stat')) return t.skip('there is no /proc here');
    for (const hours of [-1, 1]) {
      const path = fresh();
      const module = new URL('../../lib/process/pid-file.js', import.meta.url).href;
      const writer = startChild([
        '-e',
        `import(${JSON.stringify(module)}).then(({ writePidFile }) => {
          writePidFile(${JSON.stringify(path)});
          process.stdout.write('written\\n');
          setInterval(() => {}, 1000);
        });`,
        'kmp-rtmp',
      ]);
      const other = await start();
      try {
        await writer.says('written\n');
        // Seen from a clock that was set forward, the file is old; from one that was set back, it is of the future.
        const then = new Date(Date.now() + hours * 3_600_000);
        utimesSync(path, then, then);
        assert.equal(readPidFile(path), writer.pid, `${hours} h`);
        assert.throws(() => writePidFile(path), { code: 'pid_running' });
        writeFileSync(path, `${other.pid}\n`);
        utimesSync(path, then, then);
        assert.throws(() => readPidFile(path), { code: 'pid_stale' }, `${hours} h`);
      } finally {
        writer.kill('SIGKILL');
        other.kill('SIGKILL');
      }
    }
  });

  it('does not overwrite other files, and reports a file that cannot be written', () => {
    const path = fresh();
    writeFileSync(path, 'precious\n');
    assert.throws(() => writePidFile(path), { code: 'pid_file', message: /is not a pid file; it was not overwritten/ });
    assert.equal(readFileSync(path, 'utf8'), 'precious\n');
    const nowhere = join(folder, 'no', 'such.pid');
    assert.throws(() => writePidFile(nowhere), {
      code: 'pid_file',
      message: /such\.pid cannot be written: its folder does not exist; create it.*"pid"/,
    });
  });

  // Another user may be able to write to the folder. A read of a pipe would wait for ever: here, for this writer.
  it('does not wait for a pipe, and does not read a huge file', async () => {
    const pipe = fresh();
    execFileSync('mkfifo', [pipe]);
    const huge = fresh();
    writeFileSync(huge, '');
    truncateSync(huge, 3 * 2 ** 30);
    for (const path of [pipe, huge]) {
      const script = `
        import(${JSON.stringify(new URL('../../lib/process/pid-file.js', import.meta.url).href)}).then((pid) => {
          for (const use of [pid.writePidFile, pid.readPidFile]) {
            try { use(${JSON.stringify(path)}); } catch (error) { process.stdout.write(error.message + '\\n'); }
          }
        });`;
      const { stdout } = await promisify(execFile)(process.execPath, ['-e', script], { timeout: 20_000 });
      const found = stdout.trimEnd().split('\n');
      assert.equal(found.length, 2, stdout);
      for (const line of found) assert.match(line, /not a pid file|cannot be .*: it is not a regular file/);
    }
  });

  it('sends each command to the process as its signal', async () => {
    const path = fresh();
    const child = await start();
    try {
      writeFileSync(path, `${child.pid}\n`);
      for (const [command, said] of [
        ['reload', 'SIGHUP'],
        ['reopen', 'SIGUSR2'],
        ['drain', 'SIGURG'],
        ['quit', 'SIGTERM'],
      ] as const) {
        await signalProcess(path, command);
        await child.says(`${said}\n`);
      }
      await signalProcess(path, 'stop');
      assert.equal(await child.exit, 0);
    } finally {
      child.kill('SIGKILL');
    }
  });

  it('reports what is wrong if there is no process', async () => {
    const path = fresh();
    await assert.rejects(signalProcess(path, 'quit'), {
      code: 'pid_file',
      message: /does not exist: is kmp-rtmp running/,
    });
    for (const text of ['', '0', '-1', '1 2', 'abc', '99999999999', '4294967295']) {
      writeFileSync(path, text);
      await assert.rejects(signalProcess(path, 'stop'), { code: 'pid_file', message: /does not contain a process id/ });
    }
    writeFileSync(path, `${await goneId()}`);
    await assert.rejects(signalProcess(path, 'reload'), { code: 'pid_stale', message: /is stale/ });
  });
});
