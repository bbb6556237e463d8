import { readSync } from 'node:fs';
import type { Socket } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { messageOf } from '../base/errors.js';
import { systemClock, type Clock } from '../time/clock.js';
import { nativeCopy } from './buffer-copy.js';
import { writeToDescriptor } from './direct-ack.js';
import { directWriter, writeDirectly } from './direct-write.js';
import { internalsAllowed, setTested, type Internal } from './internals.js';
import { queuedBytes, socketHandle, stoppableHandle } from './socket-handle.js';
import { readIntoSharedBuffer } from './shared-buffer.js';
import { SocketPairs, type SocketPair, type Until } from './socket-pair.js';
import { stopHandleForGood } from './stop-reading.js';

/** The longest that a test may take, ms. A test takes about 1 ms; the limit allows for a very busy machine. */
const TIMEOUT = 5000;

/**
 * Tests an internal on a pair of real sockets. A round trip on the other pair shows that bytes of the first pair had
 * time to arrive.
 */
type Test = (pair: SocketPair, other: SocketPair, until: Until) => Promise<void>;

const TESTS: Readonly<Record<Internal, Test>> = {
  'turn reads': async ({ client, accepted }, other, until) => {
    const handle = socketHandle(accepted);
    if (handle === undefined) throw new Error('the handle of a socket shows no descriptor');
    const got = collect(accepted);
    handle.readStop();
    client.write('one');
    // The bytes of the first pair have arrived by now.
    await roundTrip(other, until);
    if (accepted.bytesRead > 0) throw new Error('Node goes on reading after readStop');
    const buffer = Buffer.alloc(8);
    let n = 0;
    await until(() => (n = readDescriptor(handle.fd, buffer)) !== 0, 'bytes on the descriptor');
    if (buffer.toString('latin1', 0, n) !== 'one')
      throw new Error('other bytes were read from the descriptor than were sent');
    if (readDescriptor(handle.fd, buffer) !== 0) throw new Error('the descriptor brought bytes that were not sent');
    accepted.push('one');
    handle.readStart();
    client.write('two');
    await until(() => got.text === 'onetwo', 'bytes after readStart');
  },

  'shared reads': async ({ client, accepted }, _other, until) => {
    const got = collect(accepted);
    client.write('one');
    await until(() => got.text === 'one', 'the first bytes');
    let text = '';
    const takes = readIntoSharedBuffer(accepted, (bytes, n) => {
      text += bytes.toString('latin1', 0, n);
      return true;
    });
    if (!takes) throw new Error('the handle of a socket has no useUserBuffer');
    client.write('two');
    await until(() => text === 'two', 'bytes in the shared buffer');
    let ended = false;
    accepted.once('end', () => (ended = true));
    client.end();
    await until(() => ended, 'the end of a socket that is read into the shared buffer');
    if (got.text !== 'one') throw new Error('the stream gets the bytes of the shared buffer as well');
  },

  handover: async ({ client, accepted }, other, until) => {
    if (stoppableHandle(accepted) === undefined) throw new Error('the handle of a socket has no readStop');
    const got = collect(accepted);
    client.write('one');
    await until(() => got.text === 'one', 'the first bytes');
    accepted.pause();
    stopHandleForGood(accepted);
    client.write('two');
    // The bytes of the first pair have arrived by now.
    await roundTrip(other, until);
    if (accepted.bytesRead !== 3) throw new Error('Node goes on reading after readStop');
    stoppableHandle(accepted)?.readStart();
    await until(() => accepted.bytesRead === 6, 'bytes after readStart');
  },

  'direct writes': async ({ client, accepted }, _other, until) => {
    const got = collect(accepted);
    const writev = directWriter(client);
    if (writev === undefined) throw new Error('sockets have no _writev');
    let done = false;
    let problem: Error | null | undefined;
    writeDirectly(client, writev, [Buffer.from('one'), Buffer.from('two')], (error) => {
      done = true;
      problem = error;
    });
    await until(() => done, 'the callback of _writev');
    if (problem) throw problem;
    await until(() => got.text === 'onetwo', 'the bytes of _writev');
  },

  'direct acks': async ({ client, accepted }, _other, until) => {
    const got = collect(accepted);
    if (writeToDescriptor(client, Buffer.from('one')) !== 3) throw new Error('the descriptor takes no bytes');
    client.write('two');
    await until(() => got.text === 'onetwo', 'the bytes of the descriptor');
  },

  'buffer copies': () => {
    const copy = nativeCopy();
    if (copy === undefined) throw new Error('there is no copyArrayBuffer');
    const to = new Uint8Array(8);
    copy(to.buffer, 3, Uint8Array.of(0, 1, 2, 3, 4).buffer, 1, 3);
    if (to.join() !== '0,0,0,1,2,3,0,0') throw new Error(`copyArrayBuffer has made ${to.join()}`);
    return Promise.resolve();
  },

  // This tests only that the count exists. To see it above 0, the test would have to fill a kernel buffer of megabytes.
  'write progress': async ({ client }, _other, until) => {
    let done = false;
    client.write('one', () => (done = true));
    await until(() => done, 'the callback of a write');
    if (queuedBytes(client) !== 0) throw new Error('the handle of a socket does not show its writeQueueSize');
  },
};

let tested: Promise<void> | undefined;

/**
 * Tests the internals on real sockets, once per process; {@link inUse} returns the results. Until it resolves, the
 * documented ways are used. Does nothing while internals are turned off. Never rejects.
 */
export function testInternals(clock: Clock = systemClock): Promise<void> {
  if (!internalsAllowed()) return Promise.resolve();
  tested ??= runTests(clock);
  return tested;
}

/** For a worker: uses the results of the primary, which runs on the same Node, instead of its own tests. */
export function takeTestResults(passed: readonly Internal[]): void {
  tested = Promise.resolve();
  for (const name of passed) setTested(name, undefined);
}

async function runTests(clock: Clock): Promise<void> {
  const pairs = new SocketPairs();
  try {
    await pairs.open();
    await Promise.all(Object.entries(TESTS).map(([name, test]) => runTest(name as Internal, test, pairs, clock)));
  } catch (error) {
    for (const name of Object.keys(TESTS)) setTested(name as Internal, `there is no loopback: ${messageOf(error)}`);
  } finally {
    pairs.close();
  }
}

async function runTest(name: Internal, test: Test, pairs: SocketPairs, clock: Clock): Promise<void> {
  const end = clock.now() + TIMEOUT;
  const until: Until = async (done, what) => {
    while (!done()) {
      if (clock.now() > end) throw new Error(`waited ${TIMEOUT} ms for ${what}`);
      await nextTurn();
    }
  };
  try {
    await test(await pairs.pair(until), await pairs.pair(until), until);
    setTested(name, undefined);
  } catch (error) {
    setTested(name, messageOf(error));
  }
}

/** Collects the text that a socket receives. */
function collect(socket: Socket): { readonly text: string } {
  const got = { text: '' };
  socket.on('data', (bytes: Buffer) => (got.text += bytes.toString('latin1')));
  return got;
}

/** The number of bytes read; 0 if there are none yet. */
function readDescriptor(fd: number, buffer: Buffer): number {
  try {
    const n = readSync(fd, buffer, 0, buffer.length, null);
    if (n === 0) throw new Error('the descriptor is at its end');
    return n;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EAGAIN') return 0;
    throw error;
  }
}

async function roundTrip({ client, accepted }: SocketPair, until: Until): Promise<void> {
  accepted.on('data', () => accepted.write('back'));
  const got = collect(client);
  client.write('out');
  await until(() => got.text === 'back', 'a round trip');
  await nextTurn();
}
