import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { decodeTimes, reorderDepth } from '../../lib/source/decode-order.js';

async function dts(pts: readonly number[], depth: number): Promise<number[]> {
  async function* packets(): AsyncGenerator<{ pts: number }> {
    for (const time of pts) yield await Promise.resolve({ pts: time });
  }
  const times: number[] = [];
  const order: number[] = [];
  for await (const { packet, dts: time } of decodeTimes(packets(), depth)) {
    times.push(time);
    order.push(packet.pts);
  }
  assert.deepEqual(order, pts, 'packets keep their order');
  return times;
}

// ffmpeg's own times for such streams are checked in media.spec.ts; these are the corners.
describe('decode times', () => {
  it('how far decoding runs ahead', () => {
    assert.equal(reorderDepth([]), 0);
    assert.equal(reorderDepth([0, 1, 2, 3]), 0);
    assert.equal(reorderDepth([0, 3, 1, 2, 6, 4, 5]), 1);
    assert.equal(reorderDepth([0, 4, 2, 1, 3]), 2);
    assert.equal(reorderDepth([8, 7, 6, 5, 4, 3, 2, 1, 0]), 8);
    assert.equal(reorderDepth(Array.from({ length: 100 }, (_, n) => 100 - n)), 16);
  });

  it('without reordering they are the presentation times', async () => {
    assert.deepEqual(await dts([0, 40, 80], 0), [0, 40, 80]);
    assert.deepEqual(await dts([], 2), []);
  });

  it('they begin as much earlier as the reordering takes, and are never later than the presentation', async () => {
    assert.deepEqual(await dts([0, 120, 40, 80, 240, 160, 200], 1), [-40, 0, 40, 80, 120, 160, 200]);
    assert.deepEqual(await dts([0, 160, 80, 40, 120], 2), [-80, -40, 0, 40, 80]);
    assert.deepEqual(await dts([10, 100, 25], 2), [-80, -65, 10]);
  });

  it('a track shorter than the depth', async () => {
    assert.deepEqual(await dts([0, 40], 4), [-40, 0]);
    assert.deepEqual(await dts([7], 3), [7]);
  });

  it('never go back, even where the file reorders by more than was seen', async () => {
    const times = await dts([0, 40, 400, 80, 120, 160, 200, 30, 440], 1);
    assert.deepEqual(
      times,
      [...times].sort((a, b) => a - b),
    );
  });
});
