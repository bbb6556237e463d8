import assert from 'node:assert/strict';
import { once } from 'node:events';
import http, { type IncomingMessage } from 'node:http';
import { describe, it } from 'node:test';
import { defaultConfigText, parseConfig } from '../../lib/config/load.js';
import { Service } from '../../lib/service.js';

describe('HTTP of a service', () => {
  it('serves all locations of the built-in configuration', async () => {
    const service = new Service(parseConfig(defaultConfigText.replace(/(listen 127\.0\.0\.1:)\d+/g, '$10')));
    await service.start();
    try {
      const base = `http://127.0.0.1:${service.httpAddresses[0]?.port}`;
      const types = async (path: string): Promise<string> => {
        const { status, headers, body } = await fetch(base + path);
        await body?.cancel();
        return `${status} ${headers.get('content-type')?.split(';', 1)[0]}`;
      };
      assert.equal(await types('/'), '200 text/html');
      assert.equal(await types('/main.js'), '200 text/javascript');
      assert.equal(await types('/events'), '200 text/event-stream');
      assert.equal(await types('/kmp_rtmp_api/'), '200 application/json');
      assert.equal(await types('/metrics'), '200 text/plain');
      assert.equal(await types('/healthz'), '200 application/json');
      assert.equal(await types('/readyz'), '200 application/json');
      assert.equal(await types('/nothing'), '404 application/json');
      const events = await fetch(`${base}/events`);
      const { value } = (await events.body?.getReader().read()) ?? {};
      assert.match(new TextDecoder().decode(value as Uint8Array), /"api":"\.\/kmp_rtmp_api"/, 'the page may drop');
    } finally {
      service.kill();
    }
  });

  it('accepts only the names of server_name over loopback', async () => {
    const config = parseConfig(
      'http { server { listen 127.0.0.1:0; server_name kmp.test _ *.kmp.test ~^re$; server_name live.test; location / { kmp_rtmp_api; } } }',
      'a.conf',
    );
    assert.match(config.warnings.join('\n'), /a\.conf:1: .*"~\^re\$" has no effect: only names and/);
    const service = new Service(config);
    await service.start();
    try {
      const statusFor = async (host: string): Promise<number | undefined> => {
        const request = http.get({ port: service.httpAddresses[0]?.port, host: '127.0.0.1', headers: { host } });
        const [response] = (await once(request, 'response')) as [IncomingMessage];
        response.resume();
        return response.statusCode;
      };
      assert.deepEqual(
        await Promise.all(
          ['kmp.test', 'live.test:80', 'localhost', '127.0.0.1', 'evil.test', 'a.kmp.test', 're'].map(statusFor),
        ),
        [200, 200, 200, 200, 421, 200, 421],
      );
    } finally {
      service.kill();
    }
  });
});
