import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, describe, it } from 'node:test';
import { ascii, concat } from '../support/values/bytes.js';
import { Folder, kmpRtmp, Run } from '../support/process/cli.js';
import { connect, end, frame, packet, videoFields } from '../support/kmp/kmp-bytes.js';

const golden = 'spec/golden/data/av/v.kmp';

describe('kmp-rtmp inspect', () => {
  const folder = new Folder();
  after(() => folder.remove());

  it('prints a line a packet and a summary; exit code 0', async () => {
    const { code, stdout, stderr } = await kmpRtmp(['inspect', golden]);
    assert.equal(code, 0);
    assert.equal(stderr, '');
    const lines = stdout.split('\n');
    assert.equal(
      lines[0],
      '         0  minf  video H.264 320x180 30 fps 200 kbit/s timescale 90000 private data 46 bytes',
    );
    assert.equal(lines.filter((line) => / {2}fram {2}/.test(line)).length, 60);
    assert.match(stdout, /frames {8}60, 2 key/);
    assert.match(stdout, /bit rate {6}168 kbit\/s/);
  });

  it('--json prints one object a line', async () => {
    const { stdout } = await kmpRtmp(['inspect', '--json', golden]);
    const objects = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as { kind: string });
    assert.equal(objects.filter(({ kind }) => kind === 'frame').length, 60);
    assert.equal(objects.at(-1)?.kind, 'summary');
  });

  it('--limit and --summary print less; the summary is of all', async () => {
    const limited = await kmpRtmp(['inspect', '--limit', '3', golden]);
    assert.equal(limited.stdout.split('\n').filter((line) => / {2}(minf|fram) {2}/.test(line)).length, 3);
    assert.match(limited.stdout, /frames {8}60, /);
    const { stdout } = await kmpRtmp(['inspect', '--summary', golden]);
    assert.doesNotMatch(stdout, / {2}fram {2}/);
    assert.match(stdout, /frames {8}60, /);
  });

  it('takes several files, and stdin', async () => {
    const { stdout } = await kmpRtmp(['inspect', '-s', golden, '-'], {}, readFileSync(golden));
    assert.equal(stdout.match(/KMP dump/g)?.length, 2);
    assert.ok(stdout.startsWith(`${golden}:\n`));
  });

  it('a damaged file: says where and why, goes on, and ends with code 1', async () => {
    const before = concat(connect({ upstream_id: 'u', url: 'rtmp://h/a/s' }), packet('minf', videoFields()));
    const file = folder.file('bad.dat', concat(before, packet('what', ascii('?')), frame('abc', 0, 1), end));
    const { code, stdout } = await kmpRtmp(['inspect', file]);
    assert.equal(code, 1);
    assert.match(
      stdout,
      new RegExp(`BROKEN {2}at byte ${before.length}: KMP packet "what": type is .*kmp_unknown_type`),
    );
    assert.match(stdout, /resumed {2}after 17 bytes/);
    assert.match(stdout, / {2}fram {2}key /);
    assert.match(stdout, /1 problem/);
  });

  it('a file that is none: one line, code 1; one that is not there too', async () => {
    const none = await kmpRtmp(['inspect', folder.file('none', 'hello world, this is no dump')]);
    assert.equal(none.code, 1);
    assert.match(none.stderr, /^kmp-rtmp: .*none: neither a KMP nor an RTMP dump.*\n$/);
    const missing = await kmpRtmp(['inspect', `${folder.path}/missing`]);
    assert.equal(missing.code, 1);
    assert.match(missing.stderr, /^kmp-rtmp: .*missing: the file does not exist\n$/);
    const empty = await kmpRtmp(['inspect', '-']);
    assert.match(empty.stderr, /^kmp-rtmp: stdin: neither .* it is empty.*\n$/);
  });

  it('of several files, one that cannot be read does not stop the others; code 1', async () => {
    const none = folder.file('text', 'hello world, this is no dump');
    const { code, stdout, stderr } = await kmpRtmp(['inspect', '-s', folder.path, none, `${folder.path}/gone`, golden]);
    assert.equal(code, 1);
    assert.match(stdout, /KMP dump, .*nothing wrong/);
    const said = stderr.trimEnd().split('\n');
    assert.equal(said.length, 3, stderr);
    assert.ok(said[0]?.startsWith(`kmp-rtmp: ${folder.path}: it is a folder`), stderr);
    assert.ok(said[1]?.startsWith(`kmp-rtmp: ${none}: neither`), stderr);
    assert.ok(said[2]?.startsWith(`kmp-rtmp: ${folder.path}/gone: the file does not exist`), stderr);
  });

  it('lets no escape sequence of the dump out, nor in JSON', async () => {
    const evil = connect({ upstream_id: '\u001b[2J\u009b31m\u202e', url: 'rtmp://h/a/s' }, '\u001b]0;x\u0007', 'v\n1');
    const file = folder.file('evil.dat', concat(evil, end));
    for (const args of [[], ['--json']]) {
      const { stdout } = await kmpRtmp(['inspect', ...args, file]);
      assert.match(stdout, /\\u001b/);
      // eslint-disable-next-line no-control-regex
      assert.doesNotMatch(stdout, /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/);
    }
  });

  it('ends without a message when its reader has gone', async () => {
    const frames = Array.from({ length: 40_000 }, (_, i) => frame('x', i * 3000, 1));
    const file = folder.file('long.dat', concat(packet('minf', videoFields()), ...frames));
    const run = new Run(['inspect', file]);
    await run.says(/fram/);
    run.closeStdout();
    const { code, stderr } = await run.ended;
    assert.deepEqual({ code, stderr }, { code: 0, stderr: '' });
  });
});
