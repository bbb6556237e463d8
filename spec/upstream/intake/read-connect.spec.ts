import assert from 'node:assert/strict';
import { Socket } from 'node:net';
import { describe, it } from 'node:test';
import { readConnect } from '../../../lib/upstream/intake/read-connect.js';
import { FakeClock } from '../../support/time/fake-clock.js';
import { heldBufferBytes } from '../../support/node/collect-garbage.js';
import { connect } from '../../support/kmp/kmp-bytes.js';

/** Bytes in use after a collection. */
function held(): number {
  const buffers = heldBufferBytes();
  return buffers + process.memoryUsage().heapUsed;
}

describe('a connect packet that is read to find its worker', () => {
  it('costs only its bytes if it comes byte by byte, and is passed on unchanged', () => {
    const padding = 'x'.repeat(200_000);
    const bytes = connect({ upstream_id: 'u1', url: 'rtmp://a/b/c', opaque: padding });
    const socket = new Socket();
    const found: { id: string | undefined; head: Buffer }[] = [];
    readConnect(socket, 2 ** 20, 60_000, new FakeClock(), ({ connect: read, bytes: head }) =>
      found.push({ id: read?.data.upstreamId, head }),
    );
    const before = held();
    for (const byte of bytes.subarray(0, -1)) socket.emit('data', Buffer.of(byte));
    const grown = held() - before;
    assert.equal(found.length, 0, 'one byte is missing');
    assert.ok(grown < 2 ** 21, `${grown} bytes more for ${bytes.length}`);
    socket.emit('data', bytes.subarray(-1));
    const [whole] = found;
    assert.equal(whole?.id, 'u1');
    assert.ok(whole.head.equals(bytes));
    socket.destroy();
  });

  it('has a time limit in all, however slowly its bytes come', () => {
    const clock = new FakeClock();
    const socket = new Socket();
    const found: (string | undefined)[] = [];
    readConnect(socket, 2 ** 20, 20_000, clock, ({ connect: read }) => found.push(read?.data.upstreamId));
    const bytes = connect({ upstream_id: 'u1', url: 'rtmp://a/b/c' });
    for (let at = 0; at < 19; at++) {
      clock.advance(1000);
      socket.emit('data', bytes.subarray(at, at + 1));
    }
    assert.deepEqual(found, []);
    clock.advance(1000);
    assert.deepEqual(found, [undefined]);
    assert.equal(clock.pending, 0);
    socket.destroy();
  });
});
