import assert from 'node:assert/strict';
import { once } from 'node:events';
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import https from 'node:https';
import net from 'node:net';
import { join } from 'node:path';
import tls from 'node:tls';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { parseConfig } from '../../lib/config/load.js';
import { Service } from '../../lib/service.js';
import { Folder } from '../support/process/cli.js';
import { gone } from '../support/time/gone.js';
import { send } from '../support/network/http.js';
import { ca } from '../support/network/tls-fixture.js';

const LOCATIONS = 'location / { kmp_rtmp_health; kmp_rtmp_status; } location /api/ { kmp_rtmp_api; }';

describe('listen ... ssl', { timeout: 60_000 }, () => {
  let folder: Folder;
  let service: Service;

  beforeEach(() => {
    folder = new Folder();
    for (const name of ['server.key', 'server.pem']) copyFileSync(`spec/fixtures/tls/${name}`, join(folder.path, name));
  });
  afterEach(() => {
    service.kill();
    folder.remove();
  });

  const configuration = (listen: string): ReturnType<typeof parseConfig> =>
    parseConfig(
      `stream { server { listen 127.0.0.1:0; kmp_rtmp; } }
       http { ssl_certificate server.pem; ssl_certificate_key server.key;
              server { listen ${listen}; ${LOCATIONS} } }`,
      join(folder.path, 'kmp-rtmp.conf'),
    );
  const start = async (listen = '127.0.0.1:0 ssl'): Promise<number> => {
    service = new Service(configuration(listen));
    await service.start();
    return service.httpAddresses[0]?.port ?? 0;
  };
  /** A request over TLS, with the certificate verified; answers status and body. */
  const request = (port: number, path: string): Promise<[number | undefined, string]> =>
    new Promise((resolve, reject) => {
      const sent = https.get({ host: '127.0.0.1', port, path, ca, agent: false }, (res) => {
        let text = '';
        res.on('data', (part: Buffer) => (text += part.toString()));
        res.on('end', () => resolve([res.statusCode, text]));
      });
      sent.on('error', reject);
    });
  /** The certificate's fingerprint that a new connection sees. */
  const fingerprint = async (port: number): Promise<string> => {
    const socket = tls.connect({ host: '127.0.0.1', port, rejectUnauthorized: false });
    await once(socket, 'secureConnect');
    const { fingerprint256 } = socket.getPeerCertificate();
    socket.destroy();
    return fingerprint256;
  };

  it('serves HTTPS with the certificate and key of the configuration', async () => {
    const port = await start();
    assert.deepEqual(await request(port, '/healthz'), [200, '{"status":"ok"}']);
    assert.match((await request(port, '/'))[1], /<title>kmp-rtmp status/);
    assert.equal(service.httpAddresses[0]?.ssl, true);
  });

  it('does not answer plain HTTP there, nor TLS before 1.2', async () => {
    const port = await start();
    await assert.rejects(send(port, 'GET', '/healthz'), /ECONNRESET|socket hang up/);
    const old = tls.connect({ host: '127.0.0.1', port, rejectUnauthorized: false, maxVersion: 'TLSv1.1' });
    await assert.rejects(once(old, 'secureConnect'));
  });

  it('reads certificate and key again on a reload, for new connections', async () => {
    const port = await start();
    const before = await fingerprint(port);
    const kept = tls.connect({ host: '127.0.0.1', port, ca, servername: 'localhost' });
    await once(kept, 'secureConnect');
    copyFileSync('spec/fixtures/tls/other.key', join(folder.path, 'server.key'));
    copyFileSync('spec/fixtures/tls/other.pem', join(folder.path, 'server.pem'));
    await service.reload(configuration('127.0.0.1:0 ssl'));
    assert.notEqual(await fingerprint(port), before);
    // A connection that exists stays open.
    kept.write('GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n');
    assert.match(String(((await once(kept, 'data')) as [Buffer])[0]), /^HTTP\/1\.1 200 /);
    kept.destroy();
  });

  it('keeps the old ones if the new ones cannot be used, and says why', async () => {
    const port = await start();
    const before = await fingerprint(port);
    const key = readFileSync('spec/fixtures/tls/other.key');
    const cases: [string, string | Buffer, RegExp][] = [
      ['server.key', key, /server\.pem and .*server\.key cannot be used together: the key belongs to another cert/],
      ['server.key', 'nothing', /ssl_certificate_key: .*server\.key is not in PEM form/],
      ['server.pem', '', /ssl_certificate: .*server\.pem is not in PEM form/],
    ];
    for (const [name, content, message] of cases) {
      writeFileSync(join(folder.path, name), content);
      await assert.rejects(service.reload(configuration('127.0.0.1:0 ssl')), message);
    }
    assert.equal(await fingerprint(port), before);
  });

  it('can be turned on and off by a reload, at the same address', async () => {
    const port = await start('127.0.0.1:0');
    assert.equal((await send(port, 'GET', '/healthz')).status, 200);
    await service.reload(configuration('127.0.0.1:0 ssl'));
    assert.equal((await request(port, '/healthz'))[0], 200);
    await service.reload(configuration('127.0.0.1:0'));
    assert.equal((await send(port, 'GET', '/healthz')).status, 200);
  });

  it('ends connections in the middle of a handshake when the service ends', async () => {
    const port = await start();
    const socket = net.connect(port, '127.0.0.1');
    socket.on('error', () => {});
    await once(socket, 'connect');
    // The connection is served before the next one.
    await request(port, '/healthz');
    service.kill();
    await gone(socket);
  });
});
