import assert from 'node:assert/strict';
import http from 'node:http';
import { after, before, describe, it } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { createApp } from '../../../lib/api/app.js';
import { statusRouter } from '../../../lib/api/status/router.js';
import { appWith, eventsUntil, serve, type TestServer } from '../../support/network/http.js';
import { MemoryManagement, sampleUpstream } from '../../support/management/memory-management.js';

describe('status page, over HTTP', () => {
  const management = new MemoryManagement([['u1', sampleUpstream()]]);
  let server: TestServer;

  before(async () => {
    server = await serve(appWith('/a/status', statusRouter(management, { api: '/kmp rtmp/api/', maxViewers: 2 })));
  });
  after(() => server.close());

  it('is one page with its own files only', async () => {
    const page = await server.get('/a/status/');
    assert.equal(page.status, 200);
    assert.equal(page.headers['content-type'], 'text/html; charset=utf-8');
    const links = [...page.text.matchAll(/(?:href|src)="([^"#]+)"/g)].map(([, link]) => link ?? '');
    const files = [...new Set(links)];
    assert.ok(files.includes('main.js') && files.includes('uplot.css'));
    const seen = new Set<string>();
    while (files.length > 0) {
      const file = files.pop() ?? '';
      if (seen.has(file)) continue;
      seen.add(file);
      assert.match(file, /^((data|orders|panel|sections|styles|table)\/)?[\w-]+\.(js|css|svg)$/);
      const { status, headers, text } = await server.get(`/a/status/${file}`);
      assert.equal(status, 200, file);
      assert.match(headers['content-type'] ?? '', /^(text\/(javascript|css)|image\/svg)/);
      assert.equal(headers['x-content-type-options'], 'nosniff');
      for (const [, name] of text.matchAll(/(?:from|import) '(\.{1,2}\/[^']+)'/g)) {
        files.push(new URL(name ?? '', `http://page/${file}`).pathname.slice(1));
      }
      if (!file.startsWith('uplot')) assert.doesNotMatch(text, /https?:\/\/(?!www\.w3\.org)/, file);
    }
    assert.ok(seen.has('uplot.js') && seen.has('table/table.js') && seen.has('data/wire.js'));
  });

  it('forbids foreign and inline scripts and styles', async () => {
    const policy = String((await server.get('/a/status/')).headers['content-security-policy']);
    assert.match(policy, /default-src 'none'; script-src 'self'; style-src 'self';/);
    assert.match(policy, /frame-ancestors 'none'/);
    assert.match(policy, /require-trusted-types-for 'script'/);
    assert.doesNotMatch(policy, /unsafe|\*|http|data:/);
    assert.doesNotMatch((await server.get('/a/status/')).text, /<script(?![^>]* src=)|<style| style=| on\w+=/);
  });

  it('redirects a path without the trailing slash', async () => {
    const { status, headers } = await server.get('/a/status?x=1');
    assert.equal(status, 308);
    assert.equal(headers.location, './status/');
  });

  it('answers 304 for a cached file, and compresses if the client accepts it', async () => {
    const { headers, text } = await server.get('/a/status/main.js');
    assert.equal(headers['cache-control'], 'no-cache');
    assert.equal((await server.get('/a/status/main.js', { 'if-none-match': headers.etag })).status, 304);
    assert.equal((await server.get('/a/status/main.js', { 'if-none-match': '"other"' })).status, 200);
    const packed = await new Promise<Buffer>((resolve, reject) => {
      const url = `http://127.0.0.1:${server.port}/a/status/main.js`;
      http
        .get(url, { agent: false, headers: { 'accept-encoding': 'gzip, br' } }, (res) => {
          assert.equal(res.headers['content-encoding'], 'gzip');
          assert.equal(res.headers.vary, 'Accept-Encoding');
          const parts: Buffer[] = [];
          res.on('data', (part: Buffer) => parts.push(part)).on('end', () => resolve(Buffer.concat(parts)));
        })
        .on('error', reject);
    });
    assert.equal(gunzipSync(packed).toString(), text);
  });

  it('serves its own files only, for GET and HEAD', async () => {
    for (const path of [
      '/main.js.map',
      '/wire.d.ts',
      '/tsconfig.json',
      '/..%2frouter.js',
      '/index.html',
      '/none',
      '/x/main.js',
    ]) {
      assert.equal((await server.get(`/a/status${path}`)).status, 404, path);
    }
    const { status, headers } = await server.request('POST', '/a/status/events');
    assert.equal(status, 405);
    assert.equal(headers.allow, 'GET, HEAD, OPTIONS');
    assert.equal((await server.request('OPTIONS', '/a/status/')).status, 204);
    assert.equal((await server.request('HEAD', '/a/status/events')).status, 200);
  });

  it('streams events, and sends the path of the API relative to the page', async () => {
    const text = await eventsUntil(server.port, '/a/status/events', 'event: full');
    assert.match(text, /^200 text\/event-stream\n/);
    assert.match(text, /event: hello\ndata: \{"feed":"[\w-]{36}","api":"\.\.\/\.\.\/kmp%20rtmp\/api"\}\n\n/);
    assert.match(text, /event: full\ndata: \{"t":.*"id":"u1"/);
    assert.doesNotMatch(text, /live\/name/);
  });

  it('limits the number of viewers', async () => {
    const open = (): http.ClientRequest =>
      http.get({ host: '127.0.0.1', port: server.port, path: '/a/status/events', agent: false });
    const viewers = [open(), open()];
    await Promise.all(viewers.map((viewer) => new Promise((resolve) => viewer.once('response', resolve))));
    const { status, json } = await server.get('/a/status/events');
    assert.equal(status, 503);
    assert.deepEqual(json, { error: 'too_many_viewers', message: 'there are already 2 viewers' });
    for (const viewer of viewers) {
      viewer.on('error', () => {});
      viewer.destroy();
    }
  });
});

describe('status page in a location with a token', () => {
  it('accepts the token as a Basic password, also for events', async () => {
    const management = new MemoryManagement([['u1', sampleUpstream()]]);
    const app = createApp({
      locations: [{ path: '/', status: true, token: 's3cret', access: [] }],
      management,
      health: { ready: () => true },
      status: () => statusRouter(management),
    });
    const server = await serve(app);
    try {
      // The page itself asks for the token. All else under its path needs one.
      assert.equal((await server.get('/', { accept: 'text/html' })).status, 200);
      const asked = await server.get('/nothing', { accept: 'text/html' });
      assert.equal(asked.status, 401);
      assert.match(String(asked.headers['www-authenticate']), /Basic realm/);
      assert.equal((await server.get('/events')).status, 401);
      const authorization = `Basic ${Buffer.from('anyone:s3cret').toString('base64')}`;
      assert.equal((await server.get('/', { authorization })).status, 200);
      assert.match(await eventsUntil(server.port, '/events', 'event: full', { authorization }), /"api":null/);
    } finally {
      await server.close();
    }
  });
});
