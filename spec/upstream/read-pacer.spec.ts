import assert from 'node:assert/strict';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import net from 'node:net';
import { Readable } from 'node:stream';
import { describe, it } from 'node:test';
import { ReadPacer, type PacedOptions } from '../../lib/upstream/read-pacer.js';
import { gone } from '../support/gone.js';

interface Pair {
  readonly client: net.Socket;
  readonly served: net.Socket;
  close(): void;
}

async function pair(): Promise<Pair> {
  const server = net.createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  const client = net.connect(address.port, '127.0.0.1');
  const [served] = (await once(server, 'connection')) as [net.Socket];
  client.on('error', () => {});
  served.on('error', () => {});
  return {
    client,
    served,
    close() {
      client.destroy();
      served.destroy();
      server.close();
    },
  };
}

const options: PacedOptions = { blockSize: 65536, idleTimeout: 1e9, onIdle: () => {} };

describe('ReadPacer', () => {
  it('brings every byte in order, however much comes in an interval', async () => {
    const { client, served, close } = await pair();
    const sent = Buffer.alloc(700_000);
    for (let i = 0; i < sent.length; i++) sent[i] = (i * 7 + (i >> 8)) & 255;
    assert.equal(new ReadPacer(40).add(served, options), true);
    const got: Buffer[] = [];
    let bytes = 0;
    const all = new Promise<void>((resolve) => {
      served.on('data', (chunk: Buffer) => {
        // The memory is used again once all have let go of it: what is to be kept is copied.
        got.push(Buffer.from(chunk));
        bytes += chunk.length;
        if (bytes === sent.length) resolve();
      });
    });
    for (let at = 0; at < sent.length; at += 7000) client.write(sent.subarray(at, at + 7000));
    await all;
    assert.ok(Buffer.concat(got).equals(sent));
    close();
  });

  it('reads what several writes brought in one piece', async () => {
    const { client, served, close } = await pair();
    new ReadPacer(200).add(served, options);
    const sizes: number[] = [];
    const done = new Promise<void>((resolve) => {
      served.on('data', (chunk: Buffer) => {
        sizes.push(chunk.length);
        if (sizes.reduce((a, b) => a + b, 0) === 50) resolve();
      });
    });
    for (let i = 0; i < 50; i++) await new Promise((resolve) => client.write('x', resolve));
    await done;
    assert.ok(sizes.length <= 3, `${sizes.length} reads for 50 writes`);
    close();
  });

  it('lets others have their turn while a sender is never read empty', async () => {
    // There is always more in this one: a sender on another core, faster than we are.
    const fd = openSync('/dev/zero', 'r');
    const handle = { fd, reading: true, readStart: () => 0, readStop: () => 0 };
    const endless = Object.assign(new Readable({ read() {} }), { _handle: handle, setTimeout() {} });
    let bytes = 0;
    let bytesAtTurn = Infinity;
    endless.on('data', (chunk: Buffer) => {
      if (bytes === 0) setImmediate(() => (bytesAtTurn = bytes));
      bytes += chunk.length;
      if (bytes > 8 * 2 ** 20) endless.destroy();
    });
    new ReadPacer(20).add(endless as unknown as net.Socket, options);
    await once(endless, 'close');
    closeSync(fd);
    assert.ok(bytesAtTurn <= 2 ** 19, `${bytesAtTurn} bytes in one turn`);
  });

  it('notices the end and a reset as Node does', async () => {
    const first = await pair();
    new ReadPacer(20).add(first.served, options);
    first.served.resume();
    first.client.end('last words');
    await once(first.served, 'end');
    first.close();

    const second = await pair();
    new ReadPacer(20).add(second.served, options);
    second.served.resume();
    second.client.resetAndDestroy();
    await gone(second.served);
    second.close();
  });

  it('tells of a socket that brings nothing', async () => {
    const { served, close } = await pair();
    served.resume();
    await new Promise<void>((resolve) => {
      new ReadPacer(20).add(served, { ...options, idleTimeout: 60, onIdle: resolve });
    });
    close();
  });

  it('leaves a socket alone that has no handle to be told', () => {
    const socket = new net.Socket();
    assert.equal(new ReadPacer(20).add(socket, options), false);
    socket.destroy();
  });
});
