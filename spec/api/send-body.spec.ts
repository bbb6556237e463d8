import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import { afterEach, describe, it } from 'node:test';
import express from 'express';
import { BodySender } from '../../lib/api/send-body.js';
import { eventually } from '../support/time/eventually.js';
import { FakeClock } from '../support/time/fake-clock.js';
import { gone } from '../support/time/gone.js';
import { serve, type TestServer } from '../support/network/http.js';

const MB = 2 ** 20;
// More than the buffers of the kernel for a connection.
const SIZE = 12 * MB;

describe('large answers', { timeout: 60_000 }, () => {
  let server: TestServer;
  const sockets: net.Socket[] = [];
  afterEach(async () => {
    for (const socket of sockets.splice(0)) socket.destroy();
    await server.close();
  });

  const listen = async (sender: BodySender, bodies: readonly Buffer[]): Promise<void> => {
    const app = express().get('/:n', (req, res) => {
      const body = bodies[Number(req.params['n'])] ?? Buffer.alloc(0);
      if (!sender.hasRoom(body)) {
        res.status(503).end();
        return;
      }
      res.setHeader('Content-Length', body.length);
      sender.send(res, body);
    });
    server = await serve(app);
  };
  /** A client that asks for a body, and reads nothing more than its headers. */
  const slow = async (n: number): Promise<net.Socket> => {
    const socket = net.connect(server.port, '127.0.0.1');
    socket.on('error', () => {});
    sockets.push(socket);
    socket.write(`GET /${n} HTTP/1.1\r\nHost: x\r\n\r\n`);
    await once(socket, 'readable');
    return socket;
  };

  it('arrive whole', async () => {
    const body = Buffer.alloc(SIZE, 'abcdefg');
    await listen(new BodySender(), [body]);
    const { text } = await server.get('/0');
    assert.ok(text === body.toString());
  });

  it('are shared by the clients that get the same one', async () => {
    const sender = new BodySender(new FakeClock());
    await listen(sender, [Buffer.alloc(SIZE)]);
    for (let n = 0; n < 20; n++) await slow(0);
    assert.equal(sender.heldBytes, SIZE);
  });

  it('end after 20 s for a client that does not read, and free the memory', async () => {
    const clock = new FakeClock();
    const sender = new BodySender(clock);
    await listen(sender, [Buffer.alloc(SIZE)]);
    const socket = await slow(0);
    clock.advance(19_000);
    assert.equal(sender.heldBytes, SIZE);
    clock.advance(1_000);
    socket.resume();
    await gone(socket);
    await eventually(() => sender.heldBytes === 0, 'memory to be freed');
  });

  it('have a limit together: the slowest client makes room for the next one', async () => {
    const clock = new FakeClock();
    const sender = new BodySender(clock, 2 * SIZE);
    await listen(
      sender,
      [0, 1, 2, 3].map(() => Buffer.alloc(SIZE)),
    );
    const first = await slow(0);
    clock.advance(1000);
    await slow(1);
    // The second one is too young to be cut, the first one is not.
    await slow(2);
    first.resume();
    await gone(first);
    assert.equal(sender.heldBytes, 2 * SIZE);
    // None can be cut: the service says so.
    assert.equal((await server.get('/3')).status, 503);
  });
});
