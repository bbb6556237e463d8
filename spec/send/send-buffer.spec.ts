import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { SendBuffer } from '../../lib/send/send-buffer.js';
import { audioInfo } from '../support/media/made-source.js';

describe('the frames that a sender keeps', () => {
  const bufferOf = (keys: readonly number[], count: number): SendBuffer => {
    const buffer = new SendBuffer();
    for (let id = 0; id < count; id++) {
      const [header, payload] = [Buffer.alloc(4), Buffer.alloc(10)];
      buffer.push({ header, payload, info: audioInfo, at: id, key: keys.includes(id) });
    }
    return buffer;
  };

  it('knows the key frame at or before each frame', () => {
    const buffer = bufferOf([2, 3, 7], 10);
    const starts = Array.from({ length: 12 }, (_, id) => buffer.groupStart(id));
    // Before the first key frame, a frame begins for itself.
    assert.deepEqual(starts, [0, 1, 2, 3, 3, 3, 3, 7, 7, 7, 7, 7]);
  });

  it('forgets the key frames of released frames', () => {
    const buffer = bufferOf([0, 4, 8], 10);
    buffer.release(5);
    assert.deepEqual(
      [5, 7, 8, 9].map((id) => buffer.groupStart(id)),
      [5, 7, 8, 8],
    );
    buffer.release(100);
    assert.deepEqual([buffer.first, buffer.end, buffer.bytes, buffer.groupStart(10)], [10, 10, 0, 10]);
  });

  it('finds the key frame in a long backlog in which each frame is one, without a look at all of them', (t) => {
    const buffer = bufferOf([], 0);
    const [header, payload] = [Buffer.alloc(4), Buffer.alloc(10)];
    for (let id = 0; id < 100_000; id++) buffer.push({ header, payload, info: audioInfo, at: id, key: true });
    // Reads of the list are counted: at most 17 steps halve a hundred thousand entries to one.
    const keys = Reflect.get(buffer, 'keys') as readonly number[];
    let reads = 0;
    const counted = new Proxy(keys, {
      get(target, name, receiver) {
        if (typeof name === 'string' && /^\d+$/.test(name)) reads++;
        return Reflect.get(target, name, receiver) as unknown;
      },
    });
    Reflect.set(buffer, 'keys', counted);
    t.after(() => Reflect.set(buffer, 'keys', keys));
    assert.equal(buffer.groupStart(10), 10);
    assert.equal(buffer.groupStart(99_990), 99_990);
    assert.ok(reads <= 40, `${reads} reads`);
  });
});
