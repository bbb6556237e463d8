import { describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { parseRtmpUrl } from '../../lib/rtmp/rtmp-url.js';
import { assertHas } from '../support/values/assert-has.js';

describe('an RTMP url', () => {
  const rows: readonly [url: string, parts: Record<string, unknown>][] = [
    [
      'rtmp://live.example:1936/app/stream',
      {
        secure: false,
        host: 'live.example',
        port: 1936,
        app: 'app',
        stream: 'stream',
        tcUrl: 'rtmp://live.example:1936/app',
      },
    ],
    ['rtmp://live.example/app/s', { host: 'live.example', port: 1935, tcUrl: 'rtmp://live.example/app' }],
    ['live.example/app/s', { secure: false, host: 'live.example', port: 1935, tcUrl: 'live.example/app' }],
    ['live.example:1936/app/s', { secure: false, host: 'live.example', port: 1936, tcUrl: 'live.example:1936/app' }],
    ['rtmps://live.example/app/s', { secure: true, port: 443, tcUrl: 'rtmps://live.example/app' }],
    ['rtmps://live.example:8443/app/s', { secure: true, port: 8443 }],
    ['RTMP://h/app/s', { secure: false, host: 'h', app: 'app' }],
    ['rtmp://192.0.2.7/app/s', { host: '192.0.2.7', port: 1935 }],
    ['rtmp://[2001:db8::1]/app/s', { host: '2001:db8::1', port: 1935, tcUrl: 'rtmp://[2001:db8::1]/app' }],
    ['rtmp://[::1]:1936/app/s', { host: '::1', port: 1936 }],
    ['rtmp://h/app/s/', { app: 'app', stream: 's' }],
    ['rtmp://h/app/s/more/still', { app: 'app', stream: 's' }],
    ['rtmp://h/app//s', { app: 'app', stream: '' }],
    ['rtmp://h/app/s/more?key=a/b', { app: 'app', stream: 's/more?key=a/b' }],
    ['rtmp://h/app/s?key=a/b&x=1', { app: 'app', stream: 's?key=a/b&x=1' }],
    ['rtmp://h/app?x=1/s', { app: 'app?x=1', stream: 's', tcUrl: 'rtmp://h/app?x=1' }],
    ['rtmp://h/my app/my stream', { app: 'my app', stream: 'my stream', tcUrl: 'rtmp://h/my app' }],
    ['rtmp://h/app', { app: 'app', stream: '' }],
    ['rtmp://h/app/', { app: 'app', stream: '' }],
    ['rtmp://h/app/%20é', { stream: '%20é' }],
    ['rtmp://h/app/s', { user: undefined, password: undefined }],
    ['rtmp://joe:secret@h/app/s', { host: 'h', user: 'joe', password: 'secret', tcUrl: 'rtmp://h/app' }],
    ['rtmp://joe@h:1/app/s', { host: 'h', port: 1, user: 'joe', password: '' }],
    ['rtmp://j%40e:a%3Ab%2Fc@h/app/s', { user: 'j@e', password: 'a:b/c' }],
    ['rtmp://joe:p@ss:word@h/app/s', { host: 'h', user: 'joe', password: 'p@ss:word' }],
    ['rtmp://joe:100%@h/app/s', { user: 'joe', password: '100%' }],
  ];
  for (const [url, parts] of rows) {
    it(`${url} is taken apart`, () => assertHas(parseRtmpUrl(url), parts));
  }

  for (const [url, problem] of [
    ['', /has no app behind the host/],
    ['rtmp://', /has no app behind the host/],
    ['rtmp://host', /has no app behind the host/],
    ['rtmp://host/', /has an empty app/],
    ['rtmp://host//s', /has an empty app/],
    ['rtmp:///app/s', /has no host/],
    ['rtmp://:1935/app/s', /has no host/],
    ['rtmp://[]/app/s', /has no host/],
    ['/app/s', /has no host/],
    ['http://host/app/s', /has the scheme "http", not rtmp or rtmps/],
    ['rtmpt://host/app/s', /has the scheme "rtmpt"/],
    ['rtmp://host:/app/s', /has a port that is not a number/],
    ['rtmp://host:0/app/s', /has a port that is not a number/],
    ['rtmp://host:65536/app/s', /has a port that is not a number/],
    ['rtmp://host:1e3/app/s', /has a port that is not a number/],
    ['rtmp://host:-1/app/s', /has a port that is not a number/],
    ['rtmp://2001:db8::1/app/s', /has a port that is not a number|has no host/],
    ['rtmp://[::1/app/s', /has a port that is not a number|has no host/],
  ] as const) {
    it(`"${url}" is refused`, () => {
      assert.throws(() => parseRtmpUrl(url), { name: 'RtmpUrlError', code: 'rtmp_bad_url', message: problem });
    });
  }

  it('may be without an app if the caller has one', () => {
    for (const url of ['rtmp://h', 'rtmp://h/', 'h:1935']) {
      assertHas(parseRtmpUrl(url, { appRequired: false }), {
        host: 'h',
        app: '',
        stream: '',
        tcUrl: url.replace(/\/$/, ''),
      });
    }
    assertHas(parseRtmpUrl('rtmp://h//s', { appRequired: false }), { app: '', stream: 's' });
    assert.throws(() => parseRtmpUrl('', { appRequired: false }), /has no host/);
  });

  it('that is refused does not show what it holds', () => {
    assert.throws(
      () => parseRtmpUrl('rtmp://user:hidden@host:99999/app/topsecret'),
      (error: Error) => !/hidden|topsecret|user/.test(error.message),
    );
  });
});
