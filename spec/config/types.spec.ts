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
    ['2147483648ms', 2_147_483_648],
    ['25d', 2_160_000_000],
    ['52w', 31_449_600_000],
    ['9007199254740991ms', 9_007_199_254_740_991],
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
    '9007199254740992ms',
    '99999999999999d',
  ]) {
    it(`"${text}" is invalid`, () => assert.equal(types.parseTime(text), undefined));
  }
  it('reads a hostile text quickly', () => {
    assert.equal(types.parseTime(`${'1'.repeat(50_000)}x`), undefined);
    assert.equal(types.parseTime(`${'1s '.repeat(50_000)}x`), undefined);
  });
});

describe('bounds of a time', () => {
  it('are one time, which may be 0, or a shortest and a longest one', () => {
    assert.equal(read(types.msecBounds, '0'), 0);
    assert.equal(read(types.msecBounds, '230ms'), 230);
    assert.equal(read(types.msecBounds, '1s', '1000ms'), 1000);
    assert.deepEqual(read(types.msecBounds, '60ms', '230ms'), { shortest: 60, longest: 230 });
  });
  it('are refused in the wrong order, with 0 as the shortest, and if one is no time', () => {
    for (const args of [['230ms', '60ms'], ['0', '230ms'], ['60ms', '0'], ['60ms', 'auto'], ['x']]) {
      assert.throws(() => read(types.msecBounds, ...args), /is not (two times|a time)/);
    }
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
    it(`"${text}" is invalid`, () => assert.equal(types.parseSize(text), undefined));
  }
  it('accepts the range including both ends', () => {
    const chunk = types.size(128, 16_777_215);
    assert.equal(read(chunk, '128'), 128);
    assert.equal(read(chunk, '16777215'), 16_777_215);
    assert.throws(() => read(chunk, '127'), /"127" is not a size .* in the range 128 \.\. 16777215/);
    assert.throws(() => read(chunk, '16m'), /16777215/);
  });
});

describe('words and numbers', () => {
  it('accepts numbers in a range', () => {
    assert.equal(read(types.num(0, 10), '10'), 10);
    for (const text of ['11', '-1', '1e1', '', ' 1']) assert.throws(() => read(types.num(0, 10), text), /0 \.\. 10/);
  });
  it('reads unlimited as Infinity', () => {
    assert.equal(read(types.numOrUnlimited(100), 'unlimited'), Infinity);
    assert.equal(read(types.numOrUnlimited(100), '7'), 7);
    assert.throws(() => read(types.numOrUnlimited(100), '101'), /"unlimited"/);
  });
  it('accepts on and off only', () => {
    assert.equal(read(types.flag, 'on'), true);
    assert.equal(read(types.flag, 'off'), false);
    assert.throws(() => read(types.flag, 'true'), /"true" is not "on" or "off"/);
  });
  it('accepts the words of a choice and lists them in the error', () => {
    const type = types.choice('assume', 'negotiate');
    assert.equal(read(type, 'assume'), 'assume');
    assert.throws(() => read(type, 'Assume'), /one of assume, negotiate/);
  });
  it('accepts several words and removes duplicates', () => {
    assert.deepEqual(read(types.choices('a', 'b'), 'b', 'a', 'b'), ['b', 'a']);
    assert.throws(() => read(types.choices('a', 'b'), 'c'), /one of a, b/);
  });
  it('reads parameters with their defaults', () => {
    const type = types.parameters({ write: false });
    assert.deepEqual(read(type), { write: false });
    assert.deepEqual(read(type, 'write=on'), { write: true });
    for (const text of ['write', 'write=yes', 'read=on']) assert.throws(() => read(type, text), /write=on\|off/);
  });
  it('accepts a token that is valid in a header', () => {
    assert.equal(read(types.token, 'aZ0-._~+/=='), 'aZ0-._~+/==');
    for (const text of ['', 'two words', 'a=b', 'ü']) assert.throws(() => read(types.token, text), /token/);
  });
});

describe('URLs, headers and routes', () => {
  it('adds http:// to a URL without a scheme, as the module does', () => {
    for (const text of ['192.0.2.1:8080/events', 'hooks.example.com', '[2001:db8::1]:80/a?b=c', 'localhost:1/x']) {
      assert.equal(read(types.url, text), `http://${text}`);
    }
    for (const text of ['/events', ':80/x', 'ftp://h/x', 'a b/c', 'h:port/x']) {
      assert.throws(() => read(types.url, text), /is not a URL/, text);
    }
  });
  it('accepts http and https URLs, and the empty text', () => {
    for (const text of ['', 'http://127.0.0.1:8080/x', 'https://example.com'])
      assert.equal(read(types.url, text), text);
    for (const text of ['http:/h/x', 'https:h', 'ftp://x/', 'http://', 'http:///x', 'http://a b/', 'http://x/\n']) {
      assert.throws(() => read(types.url, text), /http:\/\/ or https:\/\//);
    }
  });
  it('does not repeat a secret that is not valid', () => {
    const rows: [ValueType<unknown>, ...string[]][] = [
      [types.token, 's3cret token'],
      [types.secret, 's3cret\n'],
      [types.url, 'htp://user:s3cret@host/'],
      [types.url, 'https://host/hook/s3cret token'],
      [types.url, 'http:host?key=s3cret'],
      [header, 'Authorization: Bearer s3cret', ''],
      [header, 'X-Key', 's3cret\n'],
    ];
    for (const [type, ...args] of rows) {
      assert.throws(
        () => read(type, ...args),
        (error: Error) => error.message !== '' && !error.message.includes('s3cret'),
        args.join(' '),
      );
    }
  });
  it('warns of a secret that can be guessed', () => {
    const warnings: string[] = [];
    const parse = (type: ValueType<unknown>, text: string): unknown =>
      type.parse([text], (text) => warnings.push(text));
    for (const type of [types.token, types.secret]) parse(type, '12345678');
    assert.equal(parse(types.secret, ''), '');
    assert.deepEqual(warnings, []);
    for (const type of [types.token, types.secret]) parse(type, '1234567');
    const warning = 'a secret of 7 characters can be guessed; use at least 8';
    assert.deepEqual(warnings, [warning, warning]);
  });
  it('accepts a header, and rejects header injection', () => {
    assert.deepEqual(read(header, 'X-Key', 'a b'), { name: 'X-Key', value: 'a b' });
    for (const [name, value] of [
      ['X Key', 'a'],
      ['', 'a'],
      ['X-Key', 'a\r\nX-Other: b'],
      ['X-Key', '\u4e2d'],
      ['Content-Length', '1'],
    ] as const) {
      assert.throws(() => read(header, name, value), /header|printable|cannot be set/);
    }
  });
  it('accepts a route only if its pattern has the groups that its URLs use', () => {
    const { pattern, urls } = read(route, '^(live)_(.+)$', 'rtmp://a/app/$1-$2', 'rtmps://b/app/$&');
    assert.equal(pattern.exec('live_x')?.[2], 'x');
    assert.deepEqual(urls, ['rtmp://a/app/$1-$2', 'rtmps://b/app/$&']);
  });
  it('reads "required" and "optional" after the URL that they are about', () => {
    const { urls, required } = read(route, 'a', 'rtmp://a/b/c', 'rtmp://d/e/f', 'required', 'rtmp://g/h/i', 'optional');
    assert.deepEqual(urls, ['rtmp://a/b/c', 'rtmp://d/e/f', 'rtmp://g/h/i']);
    assert.deepEqual(required, [undefined, true, false]);
  });
  for (const [args, error] of [
    [['(', 'rtmp://a/b/c'], /"\(" is not a regular expression/],
    [['a(?=b)', 'rtmp://a/b/c'], /lookahead, lookbehind and backreferences are not supported/],
    [['(?<!a)b', 'rtmp://a/b/c'], /lookahead, lookbehind and backreferences are not supported/],
    [['(.)\\1', 'rtmp://a/b/c'], /lookahead, lookbehind and backreferences are not supported/],
    [['(a)', 'rtmp://a/b/$2'], /"\$2" in "rtmp:\/\/a\/b\/\*\*\*": the pattern "\(a\)" has 1 group/],
    [['a', 'http://a/b'], /"http:\/\/a\/b" is not a URL such as rtmp/],
    [['a', 'rtmp://a'], /is not a URL/],
    [['a', 'rtmp://a/b/s3cret|x.example.com/live/s3cret'], /a "\|" in .* is not followed by the URL of a backup/],
    [['a', 'rtmp://a/b/s3cret|rtp://a/b/s3cret'], /"rtp:\/\/a\/b\/s\*\*\*" is not a URL/],
    [['a', 'rtmp://a/b/s3cret|'], /a "\|" in .* is not followed by/],
    [['a', 'rtmp://a/b/s3cret||rtmp://c/d/e'], /a "\|" in .* is not followed by/],
    [['a', 'rtmp://a/b/s3cret|rtmp://a/b/s3cret'], /"rtmp:\/\/a\/b\/s\*\*\*" is given twice in one route/],
    [['a', 'rtmp://a/b/s3cret', 'rtmp://a/b/s3cret'], /is given twice in one route/],
    [['a', 's3cret', 'rtmp://a/b/s3cret'], /is not a URL/],
    [['a', 'required', 'rtmp://a/b/c'], /"required" must follow a URL/],
    [['a', 'rtmp://a/b/c', 'required', 'optional'], /"optional" must follow a URL/],
  ] as const) {
    it(`rejects the route ${args.join(' ')}`, () =>
      assert.throws(
        () => read(route, ...args),
        (thrown: Error) => error.test(thrown.message) && !thrown.message.includes('s3cret'),
      ));
  }
});
