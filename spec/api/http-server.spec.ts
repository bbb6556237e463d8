import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { RequestListener } from 'node:http';
import net, { type AddressInfo } from 'node:net';
import { describe, it } from 'node:test';
import { createHttpServer, type HttpLimits } from '../../lib/api/server/http-server.js';
import { gone } from '../support/time/gone.js';

const ok: RequestListener = (_req, res) => void res.end('ok');

/** A server with these limits, and a way to open plain TCP connections to it; all is closed at the end. */
async function withServer(
  limits: Partial<HttpLimits>,
  listener: RequestListener,
  run: (open: () => Promise<net.Socket>) => Promise<void>,
): Promise<void> {
  const server = createHttpServer(listener, limits).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const sockets: net.Socket[] = [];
  try {
    await run(async () => {
      const socket = net.connect((server.address() as AddressInfo).port, '127.0.0.1');
      socket.on('error', () => {});
      sockets.push(socket);
      await once(socket, 'connect');
      return socket;
    });
  } finally {
    for (const socket of sockets) socket.destroy();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
}

function withResolvers<T>(): { promise: Promise<T>; resolve: (value: T) => void } {
  let resolve: (value: T) => void = () => {};
  const promise = new Promise<T>((done) => (resolve = done));
  return { promise, resolve };
}

/** All that the server sends until it closes the connection. */
async function untilClosed(socket: net.Socket): Promise<string> {
  let text = '';
  socket.on('data', (data) => (text += data.toString()));
  await gone(socket);
  return text;
}

describe('HTTP server', () => {
  it('answers a request, and the next one on the same connection', async () => {
    await withServer({}, ok, async (open) => {
      const socket = await open();
      for (let n = 0; n < 2; n++) {
        socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
        const [data] = (await once(socket, 'data')) as [Buffer];
        assert.match(data.toString(), /^HTTP\/1\.1 200 /);
      }
    });
  });

  it('closes a connection whose headers never end', async () => {
    await withServer({ headersTimeout: 150 }, ok, async (open) => {
      const socket = await open();
      socket.write('GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ');
      const drip = setInterval(() => socket.write('a'), 20);
      assert.match(await untilClosed(socket), /^HTTP\/1\.1 408 /);
      clearInterval(drip);
    });
  });

  it('closes a connection whose body never ends', async () => {
    const answerAfterBody: RequestListener = (req, res) => void req.resume().on('end', () => res.end('ok'));
    await withServer({ headersTimeout: 100, requestTimeout: 150 }, answerAfterBody, async (open) => {
      const socket = await open();
      socket.write('DELETE / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n');
      const drip = setInterval(() => socket.write('a'), 20);
      assert.match(await untilClosed(socket), /^HTTP\/1\.1 408 /);
      clearInterval(drip);
    });
  });

  it('rejects headers above the limit', async () => {
    await withServer({ maxHeaderSize: 2000 }, ok, async (open) => {
      const socket = await open();
      socket.write(`GET / HTTP/1.1\r\nHost: x\r\nX-Big: ${'a'.repeat(3000)}\r\n\r\n`);
      assert.match(await untilClosed(socket), /^HTTP\/1\.1 431 /);
    });
  });

  it('closes a connection whose client stops reading a response', async () => {
    const body = Buffer.alloc(32 * 1024 * 1024);
    const { promise: closed, resolve } = withResolvers<void>();
    const listener: RequestListener = (_req, res) => {
      res.on('close', resolve);
      res.end(body);
    };
    await withServer({ idleTimeout: 150 }, listener, async (open) => {
      const socket = await open();
      socket.pause();
      socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
      await closed;
      // What the kernel had taken by then is still there.
      let received = 0;
      socket.on('data', (data) => (received += data.length)).resume();
      await gone(socket);
      assert.ok(received < body.length, `${received} bytes`);
    });
  });

  it('closes connections above the limit, and accepts new ones when others have closed', async () => {
    await withServer({ maxConnections: 2 }, ok, async (open) => {
      const first = await open();
      await open();
      const third = await open();
      assert.equal(await untilClosed(third), '');
      first.end();
      await once(first.resume(), 'close');
      const fourth = await open();
      fourth.write('GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
      assert.match(await untilClosed(fourth), /^HTTP\/1\.1 200 /);
    });
  });

  it('handles pipelined requests one by one, in order', async () => {
    let busy = 0;
    let most = 0;
    const slow: RequestListener = (req, res) => {
      most = Math.max(most, ++busy);
      setImmediate(() => {
        busy--;
        res.end(req.url);
      });
    };
    await withServer({}, slow, async (open) => {
      const socket = await open();
      const paths = Array.from({ length: 10 }, (_, i) => `/${i}`);
      const last = (path: string): string => (path === '/9' ? 'Connection: close\r\n' : '');
      socket.write(paths.map((path) => `GET ${path} HTTP/1.1\r\nHost: x\r\n${last(path)}\r\n`).join(''));
      const text = await untilClosed(socket);
      assert.deepEqual(text.match(/(?<=\r\n\r\n)\/\d/g), paths);
      assert.equal(most, 1);
    });
  });

  it('closes a connection with thousands of pipelined requests', async () => {
    let begun = 0;
    const big: RequestListener = (_req, res) => {
      begun++;
      res.end(Buffer.alloc(10_000_000));
    };
    await withServer({}, big, async (open) => {
      const socket = await open();
      socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(5000));
      await untilClosed(socket);
      assert.equal(begun, 1);
    });
  });

  it('answers garbage with 400', async () => {
    await withServer({}, ok, async (open) => {
      const socket = await open();
      socket.write(Buffer.from('cnct\x10\x00\x00\x00garbage\r\n\r\n', 'latin1'));
      assert.match(await untilClosed(socket), /^HTTP\/1\.1 400 /);
    });
  });

  it('answers a pipelined request without Host in its turn, and runs nothing behind it', async () => {
    const run: unknown[] = [];
    const slow: RequestListener = (req, res) => {
      run.push(req.url);
      setImmediate(() => res.end(req.url));
    };
    await withServer({}, slow, async (open) => {
      const socket = await open();
      socket.write(
        'GET /one HTTP/1.1\r\nHost: x\r\n\r\n' +
          'GET /two HTTP/1.1\r\n\r\n' +
          'DELETE /three HTTP/1.1\r\nHost: x\r\n\r\n',
      );
      const text = await untilClosed(socket);
      assert.deepEqual(text.match(/HTTP\/1\.1 \d+/g), ['HTTP/1.1 200', 'HTTP/1.1 400']);
      assert.match(
        text,
        /\/oneHTTP\/1\.1 400 [^]*\r\nConnection: close\r\n[^]*\{"error":"bad_request",[^{}]*Host[^{}]*\}$/,
      );
      assert.deepEqual(run, ['/one']);
    });
  });

  it('answers a pipelined request with an unknown Expect in its turn', async () => {
    const slow: RequestListener = (req, res) => void setImmediate(() => res.end(req.url));
    await withServer({}, slow, async (open) => {
      const socket = await open();
      socket.write('GET /one HTTP/1.1\r\nHost: x\r\n\r\nGET /two HTTP/1.1\r\nHost: x\r\nExpect: a-miracle\r\n\r\n');
      const text = await untilClosed(socket);
      assert.deepEqual(text.match(/HTTP\/1\.1 \d+/g), ['HTTP/1.1 200', 'HTTP/1.1 400']);
      assert.match(
        text,
        /\/oneHTTP\/1\.1 400 [^]*\r\nConnection: close\r\n[^]*\{"error":"bad_request",[^{}]*Expect[^{}]*\}$/,
      );
    });
  });

  it('writes nothing into an answer that it is sending when garbage follows waiting requests', async () => {
    const endless: RequestListener = (_req, res) => {
      res.writeHead(200, { 'content-length': 100 });
      res.write('part');
    };
    await withServer({}, endless, async (open) => {
      const socket = await open();
      socket.write('GET /one HTTP/1.1\r\nHost: x\r\n\r\nGET /two HTTP/1.1\r\nHost: x\r\n\r\n');
      let text = '';
      await new Promise<void>((resolve) => {
        socket.on('data', (data) => {
          text += data.toString();
          if (text.endsWith('part')) resolve();
        });
      });
      socket.write('garbage\r\n\r\n');
      await gone(socket);
      assert.match(text, /\r\n\r\npart$/);
    });
  });
});
