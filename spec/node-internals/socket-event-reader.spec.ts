import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import { after, before, describe, it, type TestContext } from 'node:test';
import type { Block } from '../../lib/media/block.js';
import { allowInternals, internalsAllowed } from '../../lib/node-internals/internals.js';
import { testInternals } from '../../lib/node-internals/self-test.js';
import { readAtOnce } from '../../lib/node-internals/socket-event-reader.js';
import { eventually } from '../support/time/eventually.js';

interface Ends {
  readonly client: net.Socket;
  readonly served: net.Socket;
}

async function pair(t: TestContext): Promise<Ends> {
  const server = net.createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = net.connect((server.address() as net.AddressInfo).port, '127.0.0.1');
  const [served] = (await once(server, 'connection')) as [net.Socket];
  client.on('error', () => {});
  served.on('error', () => {});
  t.after(() => {
    client.destroy();
    served.destroy();
    server.close();
  });
  return { client, served };
}

/** What one stage behind a socket gets: from the socket's stream, and past it. */
class Taker {
  /** Whether it takes bytes past the stream. */
  takes = true;
  direct = '';
  streamed = '';
  /** All bytes, in the order in which they came. */
  readonly all: Buffer[] = [];
  /** Those that came past the stream, where they are in memory, and what they were. */
  readonly blocks: { readonly block: Block; readonly start: number; readonly end: number; readonly was: Buffer }[] = [];
  bytes = 0;
  /** Where in memory the bytes of each read were offered. */
  readonly starts: number[] = [];

  constructor(socket: net.Socket, mayGrow = true) {
    socket.on('data', (chunk: Buffer) => {
      this.streamed += chunk.toString('latin1');
      // Later stages keep it, without a copy.
      this.add(chunk);
    });
    readAtOnce(socket, {
      mayGrow: () => mayGrow,
      takeNow: (block, start, end) => {
        this.starts.push(start);
        if (!this.takes) return false;
        const was = Buffer.from(block.memory.subarray(start, end));
        this.direct += was.toString('latin1');
        this.blocks.push({ block, start, end, was });
        this.add(was);
        return true;
      },
    });
  }

  private add(bytes: Buffer): void {
    this.all.push(bytes);
    this.bytes += bytes.length;
  }

  release(): void {
    for (const { block } of this.blocks.splice(0)) block.release();
  }
}

for (const internals of [true, false]) {
  const skip = internals && !internalsAllowed() ? 'the internals of Node are turned off' : false;
  describe(`reading at once, ${internals ? 'with' : 'without'} internals of Node`, { skip, timeout: 60_000 }, () => {
    const allowed = internalsAllowed();
    before(async () => {
      await testInternals();
      allowInternals(internals);
    });
    after(() => allowInternals(allowed));

    it('passes bytes on past the stream of the socket, as soon as they arrive', async (t) => {
      const { client, served } = await pair(t);
      const taker = new Taker(served);
      client.write('one');
      await eventually(() => taker.direct === 'one', 'the first bytes');
      client.write('two');
      await eventually(() => taker.direct === 'onetwo', 'the next bytes');
      assert.equal(taker.streamed, '');
      assert.equal(served.bytesRead, 6);
      taker.release();
    });

    it('keeps what it has passed on, whatever arrives later on this socket and on others', async (t) => {
      const [one, other] = [await pair(t), await pair(t)];
      const takers = [new Taker(one.served), new Taker(other.served)];
      const sent = [Buffer.alloc(400_000), Buffer.alloc(400_000)];
      for (let i = 0; i < 400_000; i++) {
        sent[0]?.writeUInt8((i * 7 + (i >> 8)) & 255, i);
        sent[1]?.writeUInt8((i * 13 + (i >> 7)) & 255, i);
      }
      // Of all sizes: smaller and larger than a page, and than what Node reads at once.
      for (let at = 0, size = 1; at < 400_000; at += size, size = (size * 3 + 1) % 90_000) {
        one.client.write(sent[0]?.subarray(at, at + size) ?? '');
        other.client.write(sent[1]?.subarray(at, at + size) ?? '');
        await new Promise((resolve) => setImmediate(resolve));
      }
      for (const [i, taker] of takers.entries()) {
        await eventually(() => taker.bytes === 400_000, 'all bytes');
        assert.ok(Buffer.concat(taker.all).equals(sent[i] ?? Buffer.alloc(0)));
        assert.equal(taker.streamed, '');
        for (const { block, start, end, was } of taker.blocks) {
          assert.ok(block.memory.subarray(start, end).equals(was), `bytes ${start} to ${end} have changed`);
        }
        taker.release();
      }
    });

    it('leaves to the stream what the next stage cannot take, and what comes behind it', async (t) => {
      const { client, served } = await pair(t);
      const taker = new Taker(served);
      taker.takes = false;
      client.write('one');
      await eventually(() => taker.streamed === 'one', 'the bytes that were not taken');
      taker.takes = true;
      client.write('two');
      await eventually(() => taker.direct === 'two', 'the bytes that were taken');
      // What the stream has got needs no room in the block.
      assert.equal(taker.starts[1], taker.starts[0]);
      // A stage that pauses the stream must get nothing past it.
      served.pause();
      client.write('three');
      await new Promise((resolve) => setImmediate(resolve));
      assert.equal(taker.bytes, 6);
      served.resume();
      await eventually(() => taker.bytes === 11, 'the bytes of the pause');
      client.write('four');
      await eventually(() => taker.bytes === 15, 'the bytes behind the pause');
      assert.equal(Buffer.concat(taker.all).toString(), 'onetwothreefour');
      taker.release();
    });

    it('gives a stream that was paused all bytes in order, however many arrive', async (t) => {
      const { client, served } = await pair(t);
      const taker = new Taker(served);
      taker.takes = false;
      const sent = Buffer.alloc(1_000_000);
      for (let i = 0; i < sent.length; i++) sent[i] = (i * 11 + (i >> 9)) & 255;
      served.pause();
      client.write(sent);
      for (let i = 0; taker.bytes < sent.length && i < 5000; i++) {
        served.resume();
        await new Promise((resolve) => setImmediate(resolve));
        // Some of it past the stream, some through it.
        taker.takes = i % 3 === 0;
        if (i % 2 === 0) served.pause();
        else served.resume();
      }
      served.resume();
      await eventually(() => taker.bytes === sent.length, 'all bytes');
      assert.ok(Buffer.concat(taker.all).equals(sent));
      taker.release();
    });

    // With internals, Node calls no method of the socket that a test could call.
    if (!internals) {
      it('lets nothing overtake what waits in the stream', async (t) => {
        const { client, served } = await pair(t);
        const taker = new Taker(served);
        served.pause();
        served.push(Buffer.from('one'));
        assert.equal(served.readableLength, 3);
        served.resume();
        // The stream is flowing, but it will pass on its bytes only after this turn.
        served.push(Buffer.from('two'));
        client.end();
        await once(served, 'end');
        assert.equal(Buffer.concat(taker.all).toString(), 'onetwo');
        taker.release();
      });
    }

    it('leaves bytes to the stream while the process may not take more memory', async (t) => {
      const { client, served } = await pair(t);
      const taker = new Taker(served, false);
      // More than all free memory that earlier sockets have left.
      const sent = Buffer.alloc(20_000_000, 'x');
      client.end(sent);
      await eventually(() => taker.bytes === sent.length, 'all bytes');
      assert.ok(taker.streamed.length > 0);
      taker.release();
    });

    it('reports the end of the data, and releases its memory', async (t) => {
      const { client, served } = await pair(t);
      const taker = new Taker(served);
      client.end('one');
      await once(served, 'end');
      assert.equal(taker.direct, 'one');
      const [read] = taker.blocks;
      assert.ok(read !== undefined);
      client.destroy();
      if (!served.closed) await once(served, 'close');
      // The holder of the bytes is the last one.
      assert.equal(read.block.memory.toString('latin1', read.start, read.end), 'one');
      read.block.release();
      assert.equal(read.block.size, 0);
    });
  });
}
