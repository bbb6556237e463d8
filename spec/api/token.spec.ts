import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import express from 'express';
import { bearerToken } from '../../lib/api/token.js';
import { assertHas } from '../support/values/assert-has.js';
import { serve, type TestServer } from '../support/network/http.js';

const basic = (text: string): string => `Basic ${Buffer.from(text).toString('base64')}`;

describe('bearer token', () => {
  let server: TestServer;

  before(async () => {
    const app = express();
    app.use(bearerToken(['s3cret', 'n:xt']), (_req, res) => void res.json('in'));
    server = await serve(app);
  });
  after(() => server.close());

  it('accepts each of the tokens', async () => {
    const good = [
      'Bearer s3cret',
      'bearer s3cret',
      'Bearer   s3cret ',
      'Bearer n:xt',
      basic(':s3cret'),
      basic('me:n:xt'),
    ];
    for (const authorization of good) {
      assert.equal((await server.get('/', { authorization })).status, 200, authorization);
    }
  });

  it('answers 401 without a token, and names the scheme', async () => {
    const { status, headers, json } = await server.get('/');
    assert.equal(status, 401);
    assert.equal(headers['www-authenticate'], 'Bearer realm="kmp-rtmp"');
    assertHas(json, { error: 'unauthorized', message: 'a token is required' });
  });

  it('answers 401 to a wrong token, and does not repeat it', async () => {
    const bad = [
      'Bearer s3cre',
      'Bearer s3crets',
      'Bearer S3CRET',
      basic('s3cret:'),
      basic('me:wrong-one'),
      'Bearer xyz',
    ];
    for (const authorization of bad) {
      const { status, headers, text } = await server.get('/', { authorization });
      assert.equal(status, 401, authorization);
      assert.match(String(headers['www-authenticate']), /^Bearer .*error="invalid_token"$/);
      assert.ok(!text.includes('s3cre') && !text.includes('wrong-one'));
    }
  });

  it('answers 401 to a malformed header', async () => {
    for (const authorization of [
      'Bearer',
      'Bearer ',
      's3cret',
      'Digest s3cret',
      basic('s3cret'),
      'Bearer s3cret s3cret',
    ]) {
      assert.equal((await server.get('/', { authorization })).status, 401, authorization);
    }
    assert.equal((await server.get('/?token=s3cret&access_token=s3cret')).status, 401);
  });

  it('makes a browser ask its user', async () => {
    const { headers } = await server.get('/', { accept: 'text/html,*/*' });
    assert.match(String(headers['www-authenticate']), /^Bearer realm="kmp-rtmp", Basic realm="kmp-rtmp"/);
  });

  it('rejects an empty list of tokens and an empty token', () => {
    assert.throws(() => bearerToken(''), { code: 'token_empty' });
    assert.throws(() => bearerToken([]), { code: 'token_empty' });
    assert.throws(() => bearerToken(['a', '']), { code: 'token_empty' });
  });
});
