import { describe, it } from 'node:test';
import assert from 'node:assert/strict';
import type { TrackQueue } from '../../lib/merge/track-queue.js';
import { MergeBench } from '../support/media/merge-bench.js';

const group = (): { queues: TrackQueue[] } => ({ queues: [] });

describe('early release', () => {
  it('lets a frame go as soon as every track of its stream has a later one waiting', () => {
    const bench = new MergeBench({ earlyRelease: true }).read();
    const stream = group();
    const [v, a] = [bench.track('v', stream), bench.track('a', stream)];
    bench.arrive(v, 0, 40, 80);
    assert.deepEqual(bench.order, []);
    bench.arrive(a, 10);
    assert.deepEqual(bench.order, ['v0', 'a10']);
    bench.arrive(a, 90);
    assert.deepEqual(bench.order, ['v0', 'a10', 'v40', 'v80']);
  });

  it('keeps the order of ties', () => {
    const bench = new MergeBench({ earlyRelease: true }).read();
    const stream = group();
    const [v, a] = [bench.track('v', stream), bench.track('a', stream)];
    bench.arrive(a, 40);
    bench.arrive(v, 40, 80);
    // After a40 another audio frame of the same time may come: v40 waits for it.
    assert.deepEqual(bench.order, ['a40']);
  });

  it('does not wait for other streams', () => {
    const bench = new MergeBench({ earlyRelease: true }).read();
    const [one, other] = [group(), group()];
    const [v1, a1] = [bench.track('v', one), bench.track('a', one)];
    bench.track('other', other);
    bench.arrive(v1, 1000);
    bench.arrive(a1, 1010);
    assert.deepEqual(bench.order, ['v1000']);
  });

  it('of a stream with one track, at once', () => {
    const bench = new MergeBench({ earlyRelease: true }).read();
    bench.arrive(bench.track('v'), 0, 40);
    assert.deepEqual(bench.order, ['v0', 'v40']);
  });

  it('does not wait for a track that has ended', () => {
    const bench = new MergeBench({ earlyRelease: true }).read();
    const stream = group();
    const [v, a] = [bench.track('v', stream), bench.track('a', stream)];
    bench.arrive(a, 10);
    a.ended = true;
    bench.arrive(v, 0, 40);
    assert.deepEqual(bench.order, ['v0', 'a10', 'v40']);
    assert.deepEqual(bench.sink.gone, ['a']);
  });

  it('a silent track holds the others back for min_process_delay', () => {
    const bench = new MergeBench({ earlyRelease: true }).read();
    const stream = group();
    const v = bench.track('v', stream);
    bench.track('silent', stream);
    bench.arrive(v, 0);
    assert.deepEqual(bench.pass(600), ['v0@500']);
  });

  it('a track that jumped back does not starve the other', () => {
    const bench = new MergeBench({ earlyRelease: true }).read();
    const stream = group();
    const [v, a] = [bench.track('v', stream), bench.track('a', stream)];
    bench.arrive(a, 90_000);
    for (let t = 0; t < 1200; t += 40) {
      bench.arrive(v, t);
      bench.pass(40);
    }
    const written = bench.sink.written.find(({ what }) => what === 'a90000');
    assert.ok(written !== undefined && written.at <= 2000);
  });

  it('does not let a track go whose stream is not ready', () => {
    const bench = new MergeBench({ earlyRelease: true }).read();
    const v = bench.track('v');
    v.ready = false;
    bench.arrive(v, 0);
    assert.deepEqual(bench.pass(2000), []);
  });

  it('does not let it go when the frame of another stream is looked at either', () => {
    const bench = new MergeBench({ earlyRelease: true }).read();
    const waiting = bench.track('waiting');
    waiting.ready = false;
    bench.arrive(waiting, 0);
    const stream = group();
    const v = bench.track('v', stream);
    bench.track('a', stream);
    bench.arrive(v, 0);
    assert.deepEqual(bench.order, []);
  });

  it('lets frames go when the track that they waited for is taken out', () => {
    const bench = new MergeBench({ earlyRelease: true }).read();
    const stream = group();
    const [v, a] = [bench.track('v', stream), bench.track('a', stream)];
    bench.arrive(v, 0);
    stream.queues.splice(stream.queues.indexOf(a), 1);
    bench.merger.remove(a);
    assert.deepEqual(bench.order, ['v0']);
  });
});
