import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import fc from 'fast-check';
import { createApp } from '../../lib/api/app.js';
import { serve, type TestServer } from '../support/network/http.js';
import { MemoryManagement, sampleUpstream } from '../support/management/memory-management.js';

/** What Node's client lets out of a path: anything printable, so that escapes may be broken in any way. */
const piece = fc.oneof(
  fc.constantFrom(
    'upstreams',
    'streams',
    'tracks',
    '__proto__',
    'constructor',
    'u1',
    'name',
    '8',
    '..',
    '.',
    '',
    'openapi.json',
  ),
  fc.string({ unit: fc.constantFrom(...'%%%/25aFf0:*(){}[]?&=#;,+~@!$|\\"\'<>^`') }),
  fc.string({ unit: 'binary' }).map((text) => encodeURIComponent(text.replace(/\p{Surrogate}/gu, ''))),
);
const method = fc.constantFrom('GET', 'HEAD', 'OPTIONS', 'DELETE', 'POST', 'PUT', 'PATCH', 'TRACE', 'PROPFIND');
const query = fc.constantFrom('', '?list=1', '?list=1&list=2', '?list[__proto__]=1', '?%', '?'.repeat(50));

describe('any request', () => {
  let server: TestServer;

  before(async () => {
    const management = new MemoryManagement([['u1', sampleUpstream()]]);
    const paths = ['/', '/api', '/api/v2'];
    const locations = paths.map((path) => ({ path, access: [], api: { write: true }, health: true }));
    server = await serve(createApp({ locations, management, health: { ready: () => true } }));
  });
  after(() => server.close());

  it('is rejected with a JSON body if its URL is invalid', async () => {
    for (const path of ['/%@%#', '//%@#', '/api/%@%#x']) {
      const { status, headers, text } = await server.request('GET', path);
      assert.equal(status, 400);
      assert.equal(headers['content-type'], 'application/json');
      assert.match(text, /bad_request/);
    }
  });

  it('never causes a server error, and any body is JSON', async () => {
    await fc.assert(
      fc.asyncProperty(method, fc.array(piece, { maxLength: 7 }), query, async (verb, pieces, search) => {
        const { status, headers, text } = await server.request(verb, `/${pieces.join('/')}${search}`);
        assert.ok(status >= 200 && status < 500, `${status}`);
        if (text !== '') {
          assert.equal(headers['content-type'], 'application/json');
          JSON.parse(text);
        }
        assert.equal(headers['x-content-type-options'], 'nosniff');
      }),
      { numRuns: 400 },
    );
  });
});
