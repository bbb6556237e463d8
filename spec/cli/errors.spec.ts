import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { kmpRtmp } from '../support/process/cli.js';

describe('errors of the command line', () => {
  const rows: [string[], RegExp][] = [
    [['--helpp'], /^kmp-rtmp: unknown option '--helpp'\n\(Did you mean --help\?\)\n/],
    [['send', '--helpp'], /^kmp-rtmp: unknown option '--helpp'\n\(Did you mean --help\?\)\n/],
    [['send'], /^kmp-rtmp: missing required argument 'file'\n/],
    [['foo'], /^kmp-rtmp: there is no command "foo"; did you mean top\?\n/],
    [['help', 'foo'], /^kmp-rtmp: there is no command "foo"; did you mean top\?\n/],
    [['help', 'something'], /^kmp-rtmp: there is no command "something"; see kmp-rtmp --help\n/],
    [['completion', 'tcsh'], /^kmp-rtmp: .*'tcsh' is invalid/],
    [['top', '-i', '0'], /^kmp-rtmp: .*'0' is invalid\. It must be at least 100ms\.\n/],
    [['top', '-i', 'x'], /^kmp-rtmp: .*'x' is invalid\. It must be a time/],
    [['check'], /^kmp-rtmp: check: no file given/],
    [['-c', '/nowhere'], /^kmp-rtmp: \/nowhere: cannot read the file/],
  ];
  for (const [args, expected] of rows) {
    it(`begin with the name of the program: ${args.join(' ')}`, async () => {
      const { code, stdout, stderr } = await kmpRtmp(args);
      assert.deepEqual([code, stdout], [1, '']);
      assert.match(stderr, expected);
    });
  }

  it('do not show the header of a request, which may be a token', async () => {
    const { code, stderr } = await kmpRtmp(['ingest', '--control-header', 'Authorization s3cret']);
    assert.equal(code, 1);
    assert.match(stderr, /^kmp-rtmp: a header \(--control-header, .*must be "Name: value"/);
    assert.doesNotMatch(stderr, /s3cret/);
  });

  it('do not concern help', async () => {
    const [general, own] = await Promise.all([kmpRtmp(['help']), kmpRtmp(['help', 'restream'])]);
    assert.deepEqual([general.code, own.code, general.stderr, own.stderr], [0, 0, '', '']);
    assert.match(general.stdout, /^ {2}restream .*OBS/m);
    assert.match(own.stdout, /^Usage: kmp-rtmp restream \[options\] <url\.\.\.>/);
  });
});
