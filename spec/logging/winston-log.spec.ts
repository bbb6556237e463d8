import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  closeSync,
  constants,
  existsSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, it } from 'node:test';
import { Logging } from '../../lib/logging/winston-log.js';
import { LogFile } from '../../lib/logging/log-file.js';
import { eventually } from '../support/time/eventually.js';
import { FakeClock } from '../support/time/fake-clock.js';
import { turns } from '../support/time/turns.js';

const notHere = existsSync('/dev/full') ? false : 'there is no /dev/full here';

const folder = mkdtempSync(join(tmpdir(), 'kmp-rtmp-log-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));

/** What the process writes to stderr. */
class Text {
  text = '';
  write(text: string): void {
    this.text += text;
  }
  get lines(): string[] {
    return this.text.split('\n').filter((line) => line !== '');
  }
}

function linesOf(path: string): string[] {
  return readFileSync(path, 'utf8')
    .split('\n')
    .filter((line) => line !== '');
}

describe('logging', () => {
  let files = 0;
  const open: Logging[] = [];
  const fresh = (): string => join(folder, `${++files}.log`);

  function logging(...args: ConstructorParameters<typeof Logging>): Logging {
    const made = new Logging(...args);
    open.push(made);
    return made;
  }

  afterEach(async () => {
    for (const one of open.splice(0)) await one.close();
  });

  it('writes lines in the format of nginx, with the fields of all parents', () => {
    const stderr = new Text();
    const clock = new FakeClock(new Date(2026, 0, 31, 9, 5, 7).getTime());
    const { log } = logging([{ target: 'stderr', level: 'info', format: 'text' }], { stderr, clock });
    log
      .child({ peer: '10.0.0.1:4000', connection: 5 })
      .child({ upstream: 'ch 1', track: 'v1' })
      .warn('frames are lost', { lost: 3n, none: undefined });
    assert.equal(
      stderr.text,
      `2026/01/31 09:05:07 [warn] ${process.pid}#0: *5 frames are lost, peer: 10.0.0.1:4000, upstream: "ch 1", track: v1, lost: 3\n`,
    );
  });

  it('writes one JSON object for each line, with any fields', () => {
    const stderr = new Text();
    const { log } = logging([{ target: 'stderr', level: 'debug', format: 'json' }], {
      stderr,
      clock: new FakeClock(0),
    });
    const circle: Record<string, unknown> = {};
    circle['circle'] = circle;
    log.child({ upstream: 'u1' }).info('one\ntwo', {
      id: 18446744073709551615n,
      nan: NaN,
      circle,
      stack: 'mine',
      exception: true,
      level: 'mine',
      error: new Error('boom'),
      list: [1],
    });
    const [line] = stderr.lines;
    const { error, ...others } = JSON.parse(line ?? '') as Record<string, unknown>;
    assert.match(String(error), /^Error: boom\n +at /);
    assert.deepEqual(others, {
      time: '1970-01-01T00:00:00.000Z',
      level: 'info',
      pid: process.pid,
      message: 'one\ntwo',
      upstream: 'u1',
      id: '18446744073709551615',
      nan: 'NaN',
      circle: '[object Object]',
      stack: 'mine',
      exception: true,
      list: '[1]',
    });
    assert.equal(stderr.lines.length, 1);
  });

  it('escapes texts that would end the line or look like a field, and limits their length', () => {
    const stderr = new Text();
    const { log } = logging([{ target: 'stderr', level: 'info', format: 'text' }], { stderr });
    log.info('a\r\n2026/01/31 09:05:07 [error] b\u2028c\u202ed', {
      upstream: 'x, peer: 1.2.3.4',
      long: 'y'.repeat(99_999),
    });
    assert.equal(stderr.lines.length, 1);
    assert.ok(
      stderr.text.includes(
        'a\\u000d\\u000a2026/01/31 09:05:07 [error] b\\u2028c\\u202ed, upstream: "x, peer: 1.2.3.4"',
      ),
    );
    assert.ok(stderr.text.length < 1000);
  });

  it('escapes the same in JSON, whose value stays', () => {
    const stderr = new Text();
    const { log } = logging([{ target: 'stderr', level: 'info', format: 'json' }], { stderr });
    const id = 'a\u0085b\u009b2Jc\u2028d\u2029e\u202ef\u2066g\u200fh\u061ci\u007f';
    log.info('x', { id });
    assert.doesNotMatch(stderr.text, /[^\n\x20-\x7e]/);
    assert.equal((JSON.parse(stderr.text) as { id: string }).id, id);
  });

  it('loses and counts lines, instead of keeping them, while nobody reads stderr', () => {
    const stderr = Object.assign(new Text(), { writableLength: 5 * 2 ** 20 });
    const { log } = logging([{ target: 'stderr', level: 'info', format: 'text' }], { stderr });
    for (let n = 0; n < 3; n++) log.info('lost');
    assert.equal(stderr.text, '');
    stderr.writableLength = 0;
    log.info('read');
    assert.match(stderr.text, /^3 log lines were lost here, because nobody read stderr\n.* read\n$/);
  });

  it('masks URLs of RTMP servers in any text', () => {
    const stderr = new Text();
    const formats = ['text', 'json'] as const;
    const { log } = logging(
      formats.map((format) => ({ target: 'stderr', level: 'info', format })),
      { stderr },
    );
    const url = 'rtmps://me:password@live.example/app/live_secretsecret?key=alsosecret';
    log.error(`cannot reach ${url}`, { url, error: new Error(url), nested: { url } });
    assert.equal(stderr.lines.length, 2);
    assert.doesNotMatch(stderr.text, /password|secret/);
    assert.match(stderr.text, /rtmps:\/\/\*\*\*@live\.example\/app\/liv\*\*\*\?\*\*\*/);
  });

  it('applies the level of each target, and skips lines that no target writes', async () => {
    const stderr = new Text();
    const path = fresh();
    const made = logging(
      [
        { target: 'stderr', level: 'error', format: 'text' },
        { target: { file: path }, level: 'info', format: 'text' },
      ],
      { stderr },
    );
    const { log } = made;
    const unread = {
      get dear(): string {
        throw new Error('a field of a line that goes nowhere was read');
      },
    };
    log.debug('debug line', unread);
    log.info('info line');
    log.error('error line');
    assert.equal(log.isEnabled?.('debug'), false);
    assert.equal(log.isEnabled?.('info'), true);
    await made.close();
    assert.deepEqual(
      linesOf(path).map((line) => line.slice(-10)),
      [' info line', 'error line'],
    );
    assert.equal(stderr.lines.length, 1);
  });

  it('continues in a new file after the old one was renamed', async () => {
    const path = fresh();
    const made = logging([{ target: { file: path }, level: 'info', format: 'text' }]);
    made.log.info('before');
    renameSync(path, `${path}.1`);
    made.log.info('still before');
    made.reopen();
    made.log.info('after');
    await made.close();
    assert.match(linesOf(`${path}.1`).join(), /: before,.*: still before$/);
    assert.match(linesOf(path).join(), /: after$/);
  });

  it('replaces the targets on a reload, and keeps the old ones if a file cannot be opened', async () => {
    const [first, second] = [fresh(), fresh()];
    const made = logging([{ target: { file: first }, level: 'error', format: 'text' }]);
    const { log } = made;
    const child = log.child({ upstream: 'u' });
    child.info('not yet');
    assert.throws(
      () =>
        made.configure([
          { target: { file: second }, level: 'debug', format: 'text' },
          { target: { file: join(folder, 'no', 'such', 'folder.log') }, level: 'debug', format: 'text' },
        ]),
      { code: 'log_file', message: /folder\.log cannot be opened: its folder does not exist; create it.*error_log/ },
    );
    child.error('to the first');
    made.configure([{ target: { file: second }, level: 'debug', format: 'text' }]);
    child.debug('to the second');
    await made.close();
    assert.match(linesOf(first).join(), /: to the first, upstream: u$/);
    assert.equal(linesOf(first).length, 1);
    assert.match(linesOf(second).join(), /: to the second, upstream: u$/);
  });

  it('survives a full disk, and reports it once', { skip: notHere }, async () => {
    const stderr = new Text();
    const made = logging([{ target: { file: '/dev/full' }, level: 'info', format: 'text' }], { stderr });
    for (let i = 0; i < 5; i++) {
      made.log.info(`line ${i}`);
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    await made.close();
    assert.equal(stderr.lines.length, 1);
    assert.match(stderr.text, /\[error\].* log lines for \/dev\/full are lost: ENOSPC/);
  });

  it('does not wait for a reader of a pipe in the place of a file', { skip: notHere }, () => {
    const path = fresh();
    execFileSync('mkfifo', [path]);
    assert.throws(() => new LogFile(path), {
      code: 'log_file',
      message: /it is a pipe that no program reads, or a socket/,
    });
  });

  it('keeps lines for a pipe that is read slowly, and nothing waits for it', { skip: notHere }, async () => {
    const path = fresh();
    execFileSync('mkfifo', [path]);
    const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const file = new LogFile(path);
    const lines = Array.from({ length: 2000 }, (_, n) => `${n} ${'x'.repeat(100)}`);
    for (const line of lines) file.write(line);
    const piece = Buffer.alloc(10_000);
    let text = '';
    await eventually(() => {
      try {
        text += piece.toString('latin1', 0, readSync(reader, piece));
      } catch {
        // The pipe is empty at the moment.
      }
      return text.length >= `${lines.join('\n')}\n`.length;
    }, 'all lines');
    assert.equal(text, `${lines.join('\n')}\n`);
    // Now nobody reads: the lines are lost, and neither a new file nor the end waits for them.
    for (const line of lines) file.write(line);
    await turns();
    file.reopen();
    for (const line of lines) file.write(line);
    file.flushSync();
    await file.close();
    closeSync(reader);
  });

  it('a full pipe that was replaced does not hold up the new file', { skip: notHere }, async () => {
    const path = fresh();
    execFileSync('mkfifo', [path]);
    const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const file = new LogFile(path);
    for (let n = 0; n < 2000; n++) file.write('x'.repeat(100));
    await turns();
    rmSync(path);
    file.reopen();
    file.write('to the new file');
    await eventually(() => linesOf(path).includes('to the new file'), 'the line');
    await file.close();
    closeSync(reader);
  });

  it('limits the lines that wait for a slow disk, and reports how many were lost', async () => {
    const path = fresh();
    const told: string[] = [];
    const file = new LogFile(path, {
      maxQueuedBytes: 1000,
      onLoss: (why) => told.push(why),
      onRecovered: (lost) => told.push(`${lost} lost`),
    });
    for (let i = 0; i < 100; i++) file.write('x'.repeat(99));
    await file.close();
    assert.deepEqual(told, ['the disk is too slow', '90 lost']);
    assert.equal(linesOf(path).length, 10);
    file.write('after the end');
    await file.close();
  });
});
