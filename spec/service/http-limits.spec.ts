import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { parseConfig } from '../../lib/config/load.js';
import { Service } from '../../lib/service.js';
import { systemClock, type Clock } from '../../lib/time/clock.js';
import { Folder } from '../support/process/cli.js';
import { FakeClock } from '../support/time/fake-clock.js';
import { gone } from '../support/time/gone.js';
import { send } from '../support/network/http.js';
import { LogLines } from '../support/service/log-lines.js';

const LOCATIONS = `location / { kmp_rtmp_status; kmp_rtmp_health; } location /api/ { kmp_rtmp_api write=on; }
  location /control { kmp_rtmp_control; kmp_rtmp_route . rtmp://192.0.2.1/a/b; }`;

describe('limits of the HTTP side', { timeout: 60_000 }, () => {
  let service: Service;
  let log: LogLines;
  let folder: Folder;
  const sockets: net.Socket[] = [];

  beforeEach(() => (folder = new Folder()));
  afterEach(() => {
    for (const socket of sockets.splice(0)) socket.destroy();
    service.kill();
    folder.remove();
  });

  async function start(http: string, listen = '127.0.0.1:0', clock: Clock = systemClock): Promise<void> {
    log = new LogLines();
    const kmp = 'stream { server { listen 127.0.0.1:0; kmp_rtmp; } }';
    service = new Service(parseConfig(`${kmp} http { server { listen ${listen}; ${http} ${LOCATIONS} } }`), {
      log,
      clock,
    });
    await service.start();
  }
  const port = (): number => service.httpAddresses[0]?.port ?? 0;
  const healthy = async (): Promise<number> => (await send(port(), 'GET', '/healthz')).status;
  async function open(localAddress = '127.0.0.1'): Promise<net.Socket> {
    const socket = net.connect({ port: port(), host: '127.0.0.1', localAddress });
    socket.on('error', () => {});
    sockets.push(socket);
    await once(socket, 'connect');
    return socket;
  }
  /** A connection with a request in progress: its body does not come. */
  async function busy(localAddress?: string): Promise<net.Socket> {
    const socket = await open(localAddress);
    socket.write('POST /control HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n');
    // The request has begun when the server asks for the body.
    await once(socket, 'data');
    return socket;
  }
  const closed = (socket: net.Socket): boolean => socket.destroyed || socket.readableEnded;

  it('a new connection takes the place of the one that has been idle longest', async () => {
    await start('kmp_rtmp_http_max_connections 4;');
    const idle = [];
    for (let n = 0; n < 4; n++) idle.push(await open());
    assert.equal(await healthy(), 200);
    await gone(idle[0] as net.Socket);
    assert.deepEqual(idle.map(closed), [true, false, false, false]);
  });

  it('health is answered while all connections are busy; other requests get 503', async () => {
    await start('kmp_rtmp_http_max_connections 3;');
    const working = [await busy(), await busy(), await busy()];
    for (let n = 0; n < 50; n++) assert.equal(await healthy(), 200);
    const { status, json, headers } = await send(port(), 'GET', '/api/');
    assert.equal(status, 503);
    assert.deepEqual((json as { error: string }).error, 'too_many_connections');
    assert.equal(headers.connection, 'close');
    assert.deepEqual(working.map(closed), [false, false, false]);
    // Even if the connections for health checks are taken as well.
    for (let n = 0; n < 40; n++) await open();
    assert.equal(await healthy(), 200);
    // A connection that becomes free serves everything.
    working[0]?.destroy();
    for (let tries = 0; (await send(port(), 'GET', '/api/')).status !== 200; tries++) assert.ok(tries < 100);
  });

  it('a request that never gets complete holds the end of the service for a second', async () => {
    const clock = new FakeClock();
    await start('', '127.0.0.1:0', clock);
    const working = await busy();
    let ended = false;
    void service.stop().then(() => (ended = true));
    clock.advance(999);
    for (let n = 0; n < 20; n++) await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual([ended, closed(working)], [false, false]);
    while (!ended) {
      clock.advance(1);
      await new Promise((resolve) => setImmediate(resolve));
      assert.ok(clock.now() < 60_000);
    }
    await gone(working);
  });

  it('one address has a limit of its own', async () => {
    await start('kmp_rtmp_http_max_connections_per_address 2;');
    const working = [await busy('127.0.0.2'), await busy('127.0.0.2')];
    const third = await open('127.0.0.2');
    await gone(third);
    assert.match(log.text, /warn HTTP connection refused: 2 connections of this address are busy .*127\.0\.0\.2:/);
    assert.equal(await healthy(), 200);
    assert.deepEqual(working.map(closed), [false, false]);
  });

  it('names of other hosts are refused on every address, except for health checks', async () => {
    const path = join(folder.path, 'http.sock');
    await start('server_name status.example.com *.internal.example;', `unix:${path}`);
    assert.ok(existsSync(path));
    const get = (target: string, host: string): Promise<number | undefined> =>
      new Promise((resolve, reject) => {
        const sent = http.get({ socketPath: path, path: target, headers: { host }, agent: false }, (res) => {
          res.resume();
          resolve(res.statusCode);
        });
        sent.on('error', reject);
      });
    for (const host of [
      'status.example.com',
      'a.b.internal.example:80',
      'localhost',
      '192.0.2.1:8001',
      '[2001:db8::1]',
    ]) {
      assert.equal(await get('/api/', host), 200, host);
    }
    for (const host of ['evil.example', 'internal.example', 'status.example.com.evil.example']) {
      assert.equal(await get('/api/', host), 421, host);
      assert.equal(await get('/healthz', host), 200, host);
    }
  });

  it('a request with two hosts is refused: a proxy may have checked the other one', async () => {
    await start('');
    const answer = async (...hosts: readonly string[]): Promise<string> => {
      const socket = await open();
      const lines = hosts.map((host) => `Host: ${host}\r\n`).join('');
      socket.write(`GET /api/ HTTP/1.1\r\n${lines}Connection: close\r\n\r\n`);
      return (await text(socket)).slice(0, 12);
    };
    assert.equal(await answer('localhost'), 'HTTP/1.1 200');
    assert.equal(await answer('localhost', 'evil.example'), 'HTTP/1.1 400');
    assert.equal(await answer('evil.example', 'localhost'), 'HTTP/1.1 400');
  });
});
