import { describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { checkSignature, MAX_SIGNED, signConnectData } from '../../lib/kmp/signature.js';

const SECRET = 'a-secret-of-32-characters-in-all';
const SECRETS = [
  { name: 'old', secret: 'another-secret-that-is-not-used' },
  { name: 'studio', secret: SECRET },
];
const EXPIRES = 1_800_000_000;
const NOW = EXPIRES - 1;

// The digests are those of: printf %s "$TEXT" | openssl dgst -sha256 -hmac "$SECRET"
const TEXT = '{"upstream_id":"u1","url":"rtmp://192.0.2.1/app/key","expires":1800000000';
const DIGEST = 'f175ffbf39834def0eea4a12cf4124247b3bfea4a44aa70b011bcd4c0a0eff79';
const OF_TRACK =
  '{"upstream_id":"u1","url":"rtmp://192.0.2.1/app/k\\u00e9y","channel_id":"ch1","track_id":"v1","expires":1800000000';
const OF_TRACK_DIGEST = '458961420c9a195ced03f61313991c91f37fbf9af6217ae908ae071d1213f601';
const SPACED = '{ "upstream_id": "ü", "url": "rtmp://192.0.2.1/app/key", "expires": 1800000000';
const SPACED_DIGEST = 'ee28307d7c45c3b16d60c235167cca66f072e7ff1931c4a7dc5e365a9565693b';
const ENDLESS = '{"upstream_id":"u1","url":"rtmp://192.0.2.1/app/key"';
const ENDLESS_DIGEST = '59d92c21f03c1cae2ce9118bc9c931c38eb9306854ae5ada805276fa7ba3f41c';
const BROKEN = '{"upstream_id":"u1","url":broken,"expires":1800000000';
const BROKEN_DIGEST = 'f00f3ecd948ce9c8976bca17df071b8ba7eb56cae67d2f3f9458b75d6dcda790';

const signed = (text: string, digest: string): string => `${text},"signature":"${digest}"}`;

function check(text: string, now = NOW, ids = { channelId: 'ch1', trackId: 'v1' }, secrets = SECRETS): string {
  const found = checkSignature({ data: Buffer.from(text), ...ids }, secrets, now);
  return 'signer' in found ? `signed by ${found.signer}` : found.refusal;
}

describe('the signature of connect data', () => {
  it('is written as openssl makes it', () => {
    const fields = { upstream_id: 'u1', url: 'rtmp://192.0.2.1/app/key' };
    assert.equal(signConnectData(fields, SECRET, EXPIRES), signed(TEXT, DIGEST));
    // What was signed before is signed again.
    assert.equal(signConnectData({ ...fields, expires: 1, signature: 'x' }, SECRET, EXPIRES), signed(TEXT, DIGEST));
  });

  it('is accepted until it expires, in any spelling of JSON, with the name of the secret', () => {
    assert.equal(check(signed(TEXT, DIGEST)), 'signed by studio');
    assert.equal(check(signed(TEXT, DIGEST), EXPIRES), 'signed by studio');
    assert.equal(check(signed(TEXT, DIGEST.toUpperCase())), 'signed by studio');
    assert.equal(check(signed(OF_TRACK, OF_TRACK_DIGEST)), 'signed by studio');
    assert.equal(check(`${SPACED}, "signature": "${SPACED_DIGEST}" }\n`), 'signed by studio');
    assert.equal(check(signed(TEXT, DIGEST), EXPIRES + 0.5), 'its signature expired 1 s ago');
  });

  it('is refused for anything else than what was signed', () => {
    const others = /^its signature fits to none of the secrets/;
    assert.match(check(signed(TEXT.replace('u1', 'u2'), DIGEST)), others);
    assert.match(check(signed(TEXT.replace('192.0.2.1', '192.0.2.9'), DIGEST)), others);
    assert.match(check(signed(TEXT.replace('18000', '18001'), DIGEST)), others);
    assert.match(check(signed(TEXT.replace('"url"', '"header":"x","url"'), DIGEST)), others);
    assert.match(check(signed(TEXT, DIGEST.replace('f1', 'f2'))), others);
    assert.match(check(signed(TEXT, DIGEST), NOW, undefined, SECRETS.slice(0, 1)), others);
  });

  it('is the last member, so that nothing can be added behind it', () => {
    const none = /^it is not signed/;
    assert.match(check(`${TEXT}}`), none);
    assert.match(check(`${TEXT},"signature":"${DIGEST}","url":"rtmp://192.0.2.9/app/key"}`), none);
    assert.match(check(`${TEXT},"signature":"${DIGEST}"}{}`), none);
    assert.match(check(`${TEXT},"signature":"${DIGEST.slice(2)}"}`), none);
    assert.match(check(`{"upstream_id":"u1","url":"x,\\"signature\\":\\"${DIGEST}\\"}`), none);
    assert.match(check(''), none);
  });

  it('holds for the channel and the track that are signed with it', () => {
    const data = signed(OF_TRACK, OF_TRACK_DIGEST);
    assert.match(check(data, NOW, { channelId: 'ch2', trackId: 'v1' }), /for another channel_id/);
    assert.match(check(data, NOW, { channelId: 'ch1', trackId: 'a1' }), /for another track_id/);
  });

  it('needs an expiry, JSON, and data of a sensible size', () => {
    assert.match(check(signed(ENDLESS, ENDLESS_DIGEST)), /^"expires" .* is missing/);
    assert.match(check(signed(BROKEN, BROKEN_DIGEST)), /^it is not a JSON object$/);
    assert.match(check(`{"opaque":"${'x'.repeat(MAX_SIGNED)}"}`), /^it has 32781 bytes/);
  });
});
