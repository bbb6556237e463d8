import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { maskIn, maskKey, maskText, maskUrl } from '../../lib/base/mask.js';

describe('masking', () => {
  it('shows at most three characters of a key, and none of a short one', () => {
    const rows: [string, string][] = [
      ['live_123456789_abcdefABCDEF12345', 'liv***'],
      ['abcdefgh', 'ab***'],
      ['abcd', 'a***'],
      ['abc', '***'],
      ['', ''],
    ];
    for (const [key, shown] of rows) assert.equal(maskKey(key), shown);
  });

  it('masks only stream, query, user and password of a URL', () => {
    const rows: [string, string][] = [
      ['rtmp://live.twitch.tv:1935/app/live_123456789_abc', 'rtmp://live.twitch.tv:1935/app/liv***'],
      ['live.twitch.tv/app/live_123456789_abc', 'live.twitch.tv/app/liv***'],
      ['rtmps://user:pass@host:443/app/secrets/part', 'rtmps://***@host:443/app/sec***'],
      ['rtmp://[::1]:1935/app/secretsecret?token=abc', 'rtmp://[::1]:1935/app/sec***?***'],
      ['rtmp://host/app?token=abc/secretsecret', 'rtmp://host/app?***/sec***'],
      ['rtmp://host/app', 'rtmp://host/app'],
      ['rtmp://host/app/', 'rtmp://host/app/'],
      ['https://hooks.example/services/T00000000/B000/XXXX?x=1', 'https://hooks.example/services/T00***?***'],
      ['http://me:pw@127.0.0.1:8080/notify', 'http://***@127.0.0.1:8080/notify'],
      ['http://127.0.0.1:8080?key=1', 'http://127.0.0.1:8080?***'],
      ['no url at all but a key', 'no ***'],
    ];
    for (const [url, shown] of rows) {
      assert.equal(maskUrl(url), shown);
      assert.equal(maskUrl(shown), shown, 'what is masked stays as it is');
    }
  });

  it('masks all of a password that is not escaped correctly', () => {
    const shown = maskUrl('rtmps://user:very/secret@host/app/streamkey');
    for (const part of ['secret', 'streamkey', 'very']) assert.ok(!shown.includes(part), shown);
  });

  it('finds RTMP URLs, and URLs with a password, in a text', () => {
    assert.equal(
      maskText('cannot publish to "rtmp://h/app/secretsecret" (see https://example.com/docs/rtmp.html)'),
      'cannot publish to "rtmp://h/app/sec***" (see https://example.com/docs/rtmp.html)',
    );
    assert.equal(maskText('GET http://a:b@h/x failed'), 'GET http://***@h/x failed');
  });

  it('masks known secrets anywhere in a text', () => {
    const text = 'Stream key live_1_abc is in use: live_1_abcdef';
    assert.equal(maskIn(text, ['live_1_abc', 'live_1_abcdef']), 'Stream key li*** is in use: liv***');
    assert.equal(maskIn('a b', ['']), 'a b');
  });
});
