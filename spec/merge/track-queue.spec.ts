import { describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { Frame } from '../../lib/media/frame.js';
import { TrackQueue } from '../../lib/merge/track-queue.js';

function frame(seq: number): Frame {
  const made = new Frame(0, 0, 0, 0, 1, [Buffer.alloc(1)]);
  made.seq = seq;
  return made;
}

const contents = (queue: TrackQueue): (number | undefined)[] =>
  Array.from({ length: queue.length }, (_, i) => queue.at(i)?.seq);

describe('TrackQueue', () => {
  it('is first in, first out, far beyond its first size and all the way round', () => {
    const queue = new TrackQueue({ queues: [] });
    let next = 0;
    let expected = 0;
    for (let round = 0; round < 50; round++) {
      for (let i = 0; i < 7; i++) queue.push(frame(next++));
      for (let i = 0; i < 5; i++) assert.equal(queue.shift()?.seq, expected++);
      assert.equal(queue.head?.seq, expected);
    }
    assert.equal(queue.length, 100);
    assert.deepEqual(
      contents(queue),
      Array.from({ length: 100 }, (_, i) => 250 + i),
    );
    while (queue.length > 0) assert.equal(queue.shift()?.seq, expected++);
    assert.equal(queue.shift(), undefined);
    assert.equal(queue.head, undefined);
    assert.equal(queue.at(0), undefined);
  });

  it('takes frames back in front, when full, too', () => {
    const queue = new TrackQueue({ queues: [] });
    for (let i = 16; i < 32; i++) queue.push(frame(i));
    for (let i = 15; i >= 0; i--) queue.unshift(frame(i));
    assert.deepEqual(
      contents(queue),
      Array.from({ length: 32 }, (_, i) => i),
    );
  });

  it('has nothing behind its last frame, when full, too', () => {
    const queue = new TrackQueue({ queues: [] });
    for (let i = 0; i < 16; i++) queue.push(frame(i));
    assert.equal(queue.at(15)?.seq, 15);
    assert.equal(queue.at(16), undefined);
  });

  it('takes some out and keeps the order of the others', () => {
    const queue = new TrackQueue({ queues: [] });
    for (let i = 0; i < 40; i++) queue.push(frame(i));
    for (let i = 0; i < 10; i++) queue.shift();
    const out = queue.removeUnless(({ seq }) => seq % 3 === 0);
    assert.deepEqual(
      out.map(({ seq }) => seq),
      Array.from({ length: 30 }, (_, i) => i + 10).filter((seq) => seq % 3 !== 0),
    );
    assert.deepEqual(
      contents(queue),
      Array.from({ length: 30 }, (_, i) => i + 10).filter((seq) => seq % 3 === 0),
    );
  });
});
