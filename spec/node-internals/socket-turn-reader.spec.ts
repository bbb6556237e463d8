import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, constants, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { before, describe, it } from 'node:test';
import { blockPool, type Block } from '../../lib/media/block.js';
import type { TurnClock } from '../../lib/time/turn-clock.js';
import { TurnScheduler } from '../../lib/time/turn-scheduler.js';
import { systemClock } from '../../lib/time/clock.js';
import { readInTurns, type TurnReaderOptions, type TurnReader } from '../../lib/node-internals/socket-turn-reader.js';
import { testInternals } from '../../lib/node-internals/self-test.js';
import { eventually } from '../support/time/eventually.js';
import { internalsOff } from '../support/node/internals-off.js';
import { gone } from '../support/time/gone.js';

interface Pair {
  readonly client: net.Socket;
  readonly served: net.Socket;
  close(): void;
}

async function pair(allowHalfOpen = false): Promise<Pair> {
  const server = net.createServer({ allowHalfOpen });
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

/** Reads `socket` every `interval` ms; undefined if that is not possible. */
function readEvery(interval: number, socket: net.Socket, options: TurnReaderOptions): TurnReader | undefined {
  const reading = new TurnScheduler(systemClock, interval).nextPhase();
  const turns = readInTurns(socket, { clock: systemClock, reading, turnsPerRead: 1, flushTimeout: 0 }, options);
  turns?.settle();
  return turns;
}

const options: TurnReaderOptions = { blockSize: 65536, idleTimeout: 1e9 };

describe('reading in turns', { skip: internalsOff }, () => {
  before(() => testInternals());

  // The first test: sockets of tests before it would give their blocks back while it runs.
  it('leaves bytes in the kernel while there is no memory to read into', async (t) => {
    const { client, served, close } = await pair();
    t.after(close);
    const free: Block[] = [];
    // Those of the self-test do it within a few turns.
    for (let turns = 0; turns < 50; turns++) {
      for (let block = blockPool.takeFree(1); block !== undefined; block = blockPool.takeFree(1)) free.push(block);
      await new Promise((resolve) => setImmediate(resolve));
    }
    let mayGrow = false;
    let refusals = 0;
    const turns = readEvery(20, served, { ...options, mayGrow: () => (refusals++, mayGrow) });
    assert.ok(turns !== undefined);
    let bytes = 0;
    served.on('data', (chunk: Buffer) => (bytes += chunk.length));
    client.write(Buffer.alloc(300_000));
    await eventually(() => refusals > 3, 'reads without memory');
    assert.deepEqual([bytes, turns.incomplete], [0, true]);
    let complete = 0;
    turns.onComplete = () => complete++;
    mayGrow = true;
    await eventually(() => bytes === 300_000 && complete === 1, 'the bytes');
    for (const block of free) block.release();
  });

  it('brings every byte in order, however many arrive in an interval', async () => {
    const { client, served, close } = await pair();
    const sent = Buffer.alloc(700_000);
    for (let i = 0; i < sent.length; i++) sent[i] = (i * 7 + (i >> 8)) & 255;
    assert.ok(readEvery(40, served, options));
    const got: Buffer[] = [];
    let bytes = 0;
    const all = new Promise<void>((resolve) => {
      served.on('data', (chunk: Buffer) => {
        // The memory is used again once nothing holds it, so bytes that are kept have to be copied.
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

  it('says that a read is incomplete until its last piece is handed over', async () => {
    const { client, served, close } = await pair();
    const turns = readEvery(40, served, { ...options, blockSize: 1024 });
    assert.ok(turns !== undefined);
    const seen: { bytes: number; incomplete: boolean; complete: boolean }[] = [];
    let complete = false;
    let bytes = 0;
    served.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (turns.incomplete) turns.onComplete = () => (complete = true);
      seen.push({ bytes, incomplete: turns.incomplete, complete });
    });
    client.write(Buffer.alloc(20_000));
    await eventually(() => bytes === 20_000 && complete, 'all bytes');
    assert.ok(seen.length > 1);
    const last = seen.pop();
    assert.ok(seen.every((one) => one.incomplete && !one.complete));
    assert.equal(last?.complete, false);
    assert.equal(turns.incomplete, false);
    close();
  });

  it('says that a read is incomplete while the stream takes nothing more', async () => {
    const { client, served, close } = await pair();
    const turns = readEvery(20, served, { ...options, blockSize: 1024 });
    assert.ok(turns !== undefined);
    let bytes = 0;
    let complete = 0;
    served.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      served.pause();
    });
    client.write(Buffer.alloc(400_000));
    await eventually(() => served.readableLength >= served.readableHighWaterMark, 'a full stream');
    assert.equal(turns.incomplete, true);
    turns.onComplete = () => complete++;
    turns.readNow();
    assert.deepEqual([turns.incomplete, complete], [true, 0]);
    served.removeAllListeners('data');
    served.on('data', (chunk: Buffer) => (bytes += chunk.length));
    served.resume();
    await eventually(() => bytes === 400_000 && complete === 1, 'the rest');
    close();
  });

  it('reads the bytes of several writes in one piece', async () => {
    const { client, served, close } = await pair();
    readEvery(200, served, options);
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

  it('lets other sockets have their turn while a sender is never read empty', async () => {
    // Always has more bytes, as a sender on another core that is faster than this process.
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
    readEvery(20, endless as unknown as net.Socket, options);
    await once(endless, 'close');
    closeSync(fd);
    assert.ok(bytesAtTurn <= 2 ** 19, `${bytesAtTurn} bytes in one turn`);
  });

  it('reads more at once from a sender that brings much, but never much more than 1 MiB', async () => {
    const fd = openSync('/dev/zero', 'r');
    const handle = { fd, reading: true, readStart: () => 0, readStop: () => 0 };
    const endless = Object.assign(new Readable({ read() {} }), { _handle: handle, setTimeout() {} });
    const pieces: number[] = [];
    let piece = 0;
    endless.on('data', (chunk: Buffer) => {
      if (piece === 0) {
        setImmediate(() => {
          pieces.push(piece);
          piece = 0;
          if (pieces.length === 8) endless.destroy();
        });
      }
      piece += chunk.length;
    });
    readEvery(20, endless as unknown as net.Socket, options);
    await once(endless, 'close');
    closeSync(fd);
    const [first = 0] = pieces;
    assert.ok(first >= 2 ** 18 && first <= 2 ** 19, `${first} bytes at first`);
    const most = Math.max(...pieces);
    assert.ok(most >= 2 ** 20 && most <= 2 ** 20 + 2 ** 18, `${most} bytes at once`);
  });

  it('notices the end and a reset as Node does', async () => {
    const first = await pair();
    readEvery(20, first.served, options);
    first.served.resume();
    first.client.end('last words');
    await once(first.served, 'end');
    first.close();

    const second = await pair();
    readEvery(20, second.served, options);
    second.served.resume();
    second.client.resetAndDestroy();
    await gone(second.served);
    second.close();
  });

  it('emits timeout for a socket that brings nothing, at first and later', async () => {
    for (const first of [[], ['a word']]) {
      const { client, served, close } = await pair();
      served.resume();
      for (const word of first) client.write(word);
      readEvery(20, served, { ...options, idleTimeout: 150 });
      await once(served, 'timeout');
      close();
    }
  });

  it('emits timeout for one that has ended and is not closed', async () => {
    // As if its last ack could not be sent.
    const { client, served, close } = await pair(true);
    readEvery(20, served, { ...options, idleTimeout: 150 });
    served.resume();
    client.end('last words');
    await once(served, 'end');
    await once(served, 'timeout');
    close();
  });

  it('leaves one that brings nothing to Node, until something arrives', async (test) => {
    const { client, served, close } = await pair();
    const handle = Reflect.get(served, '_handle') as { readStart(): number; readStop(): number };
    const [start, stop] = [test.mock.method(handle, 'readStart'), test.mock.method(handle, 'readStop')];
    const turns = readEvery(20, served, options);
    assert.ok(turns);
    const got: Buffer[] = [];
    let bytes = 0;
    served.on('data', (chunk: Buffer) => {
      got.push(Buffer.from(chunk));
      bytes += chunk.length;
    });
    const sent: Buffer[] = [];
    for (let round = 1; round <= 3; round++) {
      await eventually(() => start.mock.callCount() === round, 'Node to read it');
      const asleep = performance.now();
      const piece = Buffer.alloc(50_000 * round, round);
      sent.push(piece);
      client.write(piece);
      await eventually(() => bytes === Buffer.concat(sent).length, 'the bytes');
      // These bytes arrived after the socket was left to Node.
      assert.ok(turns.emptyAt >= asleep);
      assert.ok(stop.mock.callCount() > round);
    }
    assert.ok(Buffer.concat(got).equals(Buffer.concat(sent)));
    close();
  });

  it('reads one that brings little at every second turn, or when asked', async () => {
    // A byte written to a pipe can be read at once, which is not certain for a socket.
    const folder = mkdtempSync(join(tmpdir(), 'kmp-pipe-'));
    const path = join(folder, 'pipe');
    execFileSync('mkfifo', [path]);
    const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const end = openSync(path, constants.O_WRONLY | constants.O_NONBLOCK);
    const handle = { fd, reading: true, readStart: () => 0, readStop: () => 0 };
    const served = Object.assign(new Readable({ read() {} }), { _handle: handle, setTimeout() {} });
    let turn: (now: number) => void = () => {};
    const reading: TurnClock = {
      ...systemClock,
      period: 100,
      onTurn: (fn) => ((turn = fn), () => {}),
      onEveryPhase: () => () => {},
    };
    const turns = readInTurns(
      served as unknown as net.Socket,
      { clock: systemClock, reading, turnsPerRead: 1, flushTimeout: 0 },
      options,
    );
    assert.ok(turns);
    turns.settle();
    let got = 0;
    served.on('data', (chunk: Buffer) => (got += chunk.length));
    await new Promise((resolve) => setImmediate(resolve));
    const come = (bytes: number): number => writeSync(end, Buffer.alloc(bytes));
    /** The number of bytes that a turn brings. */
    const brings = (): number => {
      const before = got;
      turn(performance.now());
      return got - before;
    };

    come(1000);
    assert.equal(brings(), 1000);
    come(1000);
    assert.equal(brings(), 0);
    assert.equal(turns.unread, true);
    come(1000);
    assert.equal(brings(), 2000);

    come(1000);
    assert.equal(brings(), 0);
    turns.readNow();
    assert.equal(got, 4000);
    assert.equal(turns.unread, false);
    // That was a read, so this turn is left out again.
    assert.equal(brings(), 0);

    // The last read is made although this turn has read already.
    turns.readNow();
    come(1000);
    turns.readNow();
    assert.equal(got, 4000);
    turns.readLast();
    assert.equal(got, 5000);
    assert.equal(brings(), 0);

    // One that brings much is read at each turn.
    come(40_000);
    for (let i = 0; i < 3; i++) {
      assert.equal(brings(), 40_000);
      come(40_000);
    }
    assert.equal(brings(), 40_000);
    served.destroy();
    closeSync(fd);
    closeSync(end);
    rmSync(folder, { recursive: true });
  });

  it('does nothing with a socket that has no handle', () => {
    const socket = new net.Socket();
    assert.equal(readEvery(20, socket, options), undefined);
    socket.destroy();
  });
});
