import assert from 'node:assert/strict';
import { once } from 'node:events';
import net, { type AddressInfo } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { writeBuffers } from '../../lib/node-internals/direct-write.js';
import { testInternals } from '../../lib/node-internals/self-test.js';

/** Pieces of many sizes, each byte of which depends on its place. */
function pieces(sizes: readonly number[], start: number): Buffer[] {
  let at = start;
  return sizes.map((size) => Buffer.from(Array.from({ length: size }, () => (at++ * 31) & 255)));
}

describe('a batch that the kernel takes in part', { timeout: 30_000 }, () => {
  let server: net.Server;
  let client: net.Socket;
  let accepted: net.Socket;

  before(async () => {
    await testInternals();
    server = net.createServer({ pauseOnConnect: true }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    client = net.connect((server.address() as AddressInfo).port, '127.0.0.1');
    [[accepted]] = (await Promise.all([once(server, 'connection'), once(client, 'connect')])) as [
      [net.Socket],
      unknown,
    ];
  });
  after(() => {
    client.destroy();
    accepted.destroy();
    server.close();
  });

  it('arrives whole and in order, whatever it is cut into', async () => {
    const sizes = [1, 12, 70_000, 3, 300_000, 0, 200_000, 5, 1, 90_000];
    const sent: Buffer[] = [];
    let at = 0;
    let isHeld = false;
    // The kernel takes some megabytes before it takes only a part.
    for (let i = 0; !isHeld || i % 8 !== 0; i++) {
      const batch = pieces([...sizes.slice(i % sizes.length), ...sizes.slice(0, i % sizes.length)], at);
      at += batch.reduce((sum, { length }) => sum + length, 0);
      sent.push(...batch);
      const done = new Promise<void>((resolve, reject) => {
        writeBuffers(client, batch, (error) => (error ? reject(error) : resolve()));
      });
      if (!isHeld && client.writableLength + queueOf(client) > 0) {
        isHeld = true;
        accepted.resume();
      }
      await done;
    }
    assert.ok(isHeld);
    const expected = Buffer.concat(sent);
    assert.ok(expected.equals(await received(expected.length)));
  });

  const got: Buffer[] = [];
  before(() => accepted.on('data', (bytes: Buffer) => got.push(bytes)).pause());

  async function received(length: number): Promise<Buffer> {
    while (got.reduce((sum, bytes) => sum + bytes.length, 0) < length) await once(accepted, 'data');
    return Buffer.concat(got);
  }
});

/** Bytes that the kernel has not taken. */
function queueOf(socket: net.Socket): number {
  return (Reflect.get(socket, '_handle') as { writeQueueSize: number }).writeQueueSize;
}
