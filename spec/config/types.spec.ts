import { describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { header } from '../../lib/config/header.js';
import { route } from '../../lib/config/route.js';
import * as types from '../../lib/config/types.js';
import type { ValueType } from '../../lib/config/types.js';

const read = <V>(type: ValueType<V>, ...args: string[]): V => type.parse(args, () => {});

describe('times', () => {
  const rows: readonly [string, number][] = [
    ['0', 0],
    ['500ms', 500],
    ['10s', 10_000],
    ['1m', 60_000],
    ['1h', 3_600_000],
    ['1d', 86_400_000],
    ['1w', 604_800_000],
    ['1m30s', 90_000],
    ['1m 30s', 90_000],
    ['1h 30m 5s 250ms', 5_405_250],
    // nginx's ngx_parse_time: no unit is seconds, in millisecond directives too (`proxy_read_timeout 300`).
    ['300', 300_000],
    ['1m 30', 90_000],
    ['2147483647ms', 2_147_483_647],
  ];
  for (const [text, ms] of rows) {
    it(`${text} is ${ms} ms`, () => assert.equal(types.parseTime(text), ms));
  }
  for (const text of [
    '',
    ' ',
    's',
    '-1s',
    '1.5s',
    '10 seconds',
    '1s 1m',
    '1s1s',
    '5 10',
    '1M',
    '1y',
    '2147483648ms',
    '25d',
  ]) {
    it(`"${text}" is none`, () => assert.equal(types.parseTime(text), undefined));
  }
  it('reads a hostile text at once', () => {
    assert.equal(types.parseTime(`${'1'.repeat(50_000)}x`), undefined);
    assert.equal(types.parseTime(`${'1s '.repeat(50_000)}x`), undefined);
  });
});

describe('sizes', () => {
  const rows: readonly [string, number][] = [
    ['4096', 4096],
    ['64k', 65_536],
    ['64K', 65_536],
    ['16m', 16_777_216],
    ['1g', 1_073_741_824],
  ];
  for (const [text, bytes] of rows) {
    it(`${text} is ${bytes} bytes`, () => assert.equal(types.parseSize(text), bytes));
  }
  for (const text of ['', 'k', '1.5m', '-1', '64kb', '64 k', '0x10', '9999999999999999g']) {
    it(`"${text}" is none`, () => assert.equal(types.parseSize(text), undefined));
  }
  it('holds to its range, both ends included', () => {
    const chunk = types.size(128, 16_777_215);
    assert.equal(read(chunk, '128'), 128);
    assert.equal(read(chunk, '16777215'), 16_777_215);
    assert.throws(() => read(chunk, '127'), /"127" is not a size .* in the range 128 \.\. 16777215/);
    assert.throws(() => read(chunk, '16m'), /16777215/);
  });
});

describe('words and numbers', () => {
  it('takes numbers within a range', () => {
    assert.equal(read(types.num(0, 10), '10'), 10);
    for (const text of ['11', '-1', '1e1', '', ' 1']) assert.throws(() => read(types.num(0, 10), text), /0 \.\. 10/);
  });
  it('takes unlimited as a number without end', () => {
    assert.equal(read(types.numOrUnlimited(100), 'unlimited'), Infinity);
    assert.equal(read(types.numOrUnlimited(100), '7'), 7);
    assert.throws(() => read(types.numOrUnlimited(100), '101'), /"unlimited"/);
  });
  it('takes on and off, and nothing like it', () => {
    assert.equal(read(types.flag, 'on'), true);
    assert.equal(read(types.flag, 'off'), false);
    assert.throws(() => read(types.flag, 'true'), /"true" is not "on" or "off"/);
  });
  it('takes the words of a choice, and says which', () => {
    const type = types.choice('assume', 'negotiate');
    assert.equal(read(type, 'assume'), 'assume');
    assert.throws(() => read(type, 'Assume'), /one of assume, negotiate/);
  });
  it('takes several words, each once', () => {
    assert.deepEqual(read(types.choices('a', 'b'), 'b', 'a', 'b'), ['b', 'a']);
    assert.throws(() => read(types.choices('a', 'b'), 'c'), /one of a, b/);
  });
  it('takes parameters with their defaults', () => {
    const type = types.parameters({ write: false });
    assert.deepEqual(read(type), { write: false });
    assert.deepEqual(read(type, 'write=on'), { write: true });
    for (const text of ['write', 'write=yes', 'read=on']) assert.throws(() => read(type, text), /write=on\|off/);
  });
  it('takes a token that fits a header', () => {
    assert.equal(read(types.token, 'aZ0-._~+/=='), 'aZ0-._~+/==');
    for (const text of ['', 'two words', 'a=b', 'ü']) assert.throws(() => read(types.token, text), /token/);
  });
});

describe('URLs, headers and routes', () => {
  it('takes http and https URLs, and nothing for none', () => {
    for (const text of ['', 'http://127.0.0.1:8080/x', 'https://example.com'])
      assert.equal(read(types.url, text), text);
    for (const text of ['example.com', 'ftp://x/', 'http://', 'http:///x', 'http://a b/', 'http://x/\n']) {
      assert.throws(() => read(types.url, text), /http:\/\/ or https:\/\//);
    }
  });
  it('takes a header, and none that would break out of it', () => {
    assert.deepEqual(read(header, 'X-Key', 'a b'), { name: 'X-Key', value: 'a b' });
    for (const [name, value] of [
      ['X Key', 'a'],
      ['', 'a'],
      ['X-Key', 'a\r\nX-Other: b'],
      ['X-Key', '\u4e2d'],
      ['Content-Length', '1'],
    ] as const) {
      assert.throws(() => read(header, name, value), /header|visible|cannot be set/);
    }
  });
  it('takes a route whose URLs ask for groups that the pattern has', () => {
    const { pattern, urls } = read(route, '^(live)_(.+)$', 'rtmp://a/app/$1-$2', 'rtmps://b/app/$&');
    assert.equal(pattern.exec('live_x')?.[2], 'x');
    assert.deepEqual(urls, ['rtmp://a/app/$1-$2', 'rtmps://b/app/$&']);
  });
  for (const [args, error] of [
    [['(', 'rtmp://a/b/c'], /"\(" is not a regular expression/],
    [['(a)', 'rtmp://a/b/$2'], /"\$2" in "rtmp:\/\/a\/b\/\$2": the pattern "\(a\)" has 1 group/],
    [['a', 'http://a/b'], /"http:\/\/a\/b" is not a URL such as rtmp/],
    [['a', 'rtmp://a'], /is not a URL/],
  ] as const) {
    it(`refuses the route ${args.join(' ')}`, () => assert.throws(() => read(route, ...args), error));
  }
});
