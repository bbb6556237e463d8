// A sender that collects frames and flushes them once a second, each track by itself (docs/protocol/servers.md, KMP
// sender).
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { TrackQueue } from '../../lib/merge/track-queue.js';
import { MergeBench, type NamedQueue } from '../support/media/merge-bench.js';

/** ms between two flushes of a track. */
const PERIOD = 1000;
/** ms between two frames. */
const VIDEO_STEP = 40;
const AUDIO_STEP = 23;

interface Flushed {
  readonly queue: NamedQueue;
  readonly step: number;
  /** When the track's flushes happen, ms after the start; the next ones every {@link PERIOD}. */
  readonly first: number;
  /** Time of the next frame. */
  next: number;
  /** Arrival of the last frame, as it was estimated. */
  lastAt: number;
}

/**
 * The time of the first frame of a track whose first flush is at `first`: it has collected frames for a period by then.
 */
function firstTime(first: number, step: number): number {
  return Math.ceil(Math.max(0, first - PERIOD) / step) * step;
}

interface Options {
  /** ms by which the arrival of a frame is estimated too early at most, as with reading in intervals. */
  readonly early?: number;
  /** The audio track is attached with its first flush, not at the start. */
  readonly joinsLate?: boolean;
  /** ms from which on the video is sent as it is made, not flushed. */
  readonly smoothVideo?: boolean;
}

interface Result {
  /** Times of all frames as they were written. */
  readonly times: readonly number[];
  /** The farthest that a frame goes back behind the latest one before it, ms. */
  readonly stepBack: number;
  /** The same, had the frames been written by the rule of the module. */
  readonly module: number;
  /** The longest that a frame waited from its arrival, ms. */
  readonly longestWait: number;
}

/** Sends 12 s of two tracks whose flushes are `videoAt` and `audioAt` ms into each second. */
function play(
  videoAt: number,
  audioAt: number,
  { early = 0, joinsLate = false, smoothVideo = false }: Options = {},
): Result {
  const bench = new MergeBench().read();
  const group: { queues: TrackQueue[] } = { queues: [] };
  const arrived = new Map<string, number>();
  const arrivals: Arrival[] = [];
  const video: Flushed = {
    queue: bench.track('v', group),
    step: VIDEO_STEP,
    first: videoAt,
    next: firstTime(videoAt, VIDEO_STEP),
    lastAt: NaN,
  };
  const audio: Flushed | undefined = joinsLate
    ? undefined
    : {
        queue: bench.track('a', group),
        step: AUDIO_STEP,
        first: audioAt,
        next: firstTime(audioAt, AUDIO_STEP),
        lastAt: NaN,
      };
  if (joinsLate) video.queue.ready = false;
  const tracks = audio === undefined ? [video] : [video, audio];

  for (let now = 0; now < 12_000; now++) {
    if (joinsLate && now === audioAt) {
      // The media info arrives ahead of the frames, in the same read: the stream is complete, and has no audio yet.
      const late: Flushed = {
        queue: bench.track('a', group),
        step: AUDIO_STEP,
        first: audioAt,
        next: firstTime(audioAt, AUDIO_STEP),
        lastAt: NaN,
      };
      tracks.push(late);
      video.queue.ready = true;
      bench.merger.changed();
    }
    for (const track of tracks) {
      const smooth = smoothVideo && track === video;
      if (!smooth && (now < track.first || (now - track.first) % PERIOD !== 0)) continue;
      const frames = [];
      for (; track.next <= now; track.next += track.step) {
        const frame = bench.frame(track.next);
        // The first flush has nothing before it to be estimated from.
        const expected = track.lastAt + track.step;
        if (expected <= frame.arrivedAt) frame.arrivedAt = Math.max(expected, frame.arrivedAt - early);
        track.lastAt = frame.arrivedAt;
        arrived.set(`${track.queue.name}${track.next}`, frame.arrivedAt);
        frames.push(frame);
        arrivals.push({ track: track.queue.name, ms: track.next, at: now });
      }
      if (frames.length > 0) bench.merger.write({ queue: track.queue, frames });
    }
    bench.pass(1);
  }
  bench.pass(3000);

  const times = bench.sink.written.map(({ what }) => Number(what.slice(1)));
  const stepBack = farthestBack(times);
  const waits = bench.sink.written.map(({ what, at }) => at - (arrived.get(what) ?? NaN));
  return {
    times,
    stepBack,
    module: farthestBack(byModule(arrivals, joinsLate ? audioAt : 0)),
    longestWait: Math.max(...waits),
  };
}

interface Arrival {
  readonly track: string;
  /** Time of the frame, ms. */
  readonly ms: number;
  /** When it arrives, ms after the start. */
  readonly at: number;
}

/**
 * The times of the frames in the order that docs/protocol/behaviour.md, Merging gives for the module: the lowest head
 * once it has waited 500 ms, those within 50 ms of that along with it, else the oldest of those that have waited 1 s.
 *
 * @param from when the metadata is written, ms after the start
 */
function byModule(arrivals: readonly Arrival[], from: number): number[] {
  const queues = [...new Set(arrivals.map(({ track }) => track))].map((track) =>
    arrivals.filter((one) => one.track === track),
  );
  const times: number[] = [];
  for (let now = from; now < 20_000; now++) {
    for (let least = 500; ; least = 450) {
      const heads = queues.filter(([head]) => head !== undefined && head.at <= now);
      const by = (key: 'ms' | 'at'): Arrival[] | undefined =>
        heads.toSorted(([a], [b]) => (a?.[key] ?? 0) - (b?.[key] ?? 0))[0];
      const [lowest, oldest] = [by('ms'), by('at')];
      const waited = (queue: Arrival[] | undefined): number => now - (queue?.[0]?.at ?? Infinity);
      const next = waited(lowest) >= least ? lowest : waited(oldest) >= 1000 ? oldest : undefined;
      const frame = next?.shift();
      if (frame === undefined) break;
      times.push(frame.ms);
    }
  }
  return times;
}

function farthestBack(times: readonly number[]): number {
  let latest = -Infinity;
  let stepBack = 0;
  for (const time of times) {
    stepBack = Math.max(stepBack, latest - time);
    latest = Math.max(latest, time);
  }
  return stepBack;
}

/**
 * Checks that a result is as good as the delays permit.
 *
 * @param inexact ms by which arrivals are estimated too early
 * @param known time of the frames, ms, from which on it is known that the tracks are flushed: one of them has been
 * flushed twice
 */
function checkOrder(result: Result, { inexact = 0, known = 1510 } = {}): void {
  const { times, stepBack, module } = result;
  assert.ok(times.length > 700);
  assert.equal(farthestBack(times.filter((time) => time < 1000)), 0, 'the first frames');
  const later = farthestBack(times.filter((time) => time > known));
  assert.ok(later <= inexact, `${later} ms in later frames`);
  assert.ok(stepBack <= module, `${stepBack} ms, and ${module} ms by the rule of the module`);
}

const PHASES = [0, 107, 307, 493, 507, 703, 907, 993];

describe('tracks that are flushed once a second, each by itself', () => {
  for (const phase of PHASES) {
    it(`audio ${phase} ms after video: in order, and no frame waits longer than permitted`, () => {
      const result = play(1000, 1000 + phase);
      checkOrder(result);
      assert.ok(result.longestWait <= 1000, `${result.longestWait} ms`);
    });

    it(`video ${phase} ms after audio, arrivals estimated for a read interval of 230 ms`, () => {
      const result = play(1000 + phase, 1000, { early: 230 });
      checkOrder(result, { inexact: 230 });
      assert.ok(result.longestWait <= 1000, `${result.longestWait} ms`);
    });

    it(`the audio track joins with its first flush, ${phase} ms after that of the video`, () => {
      checkOrder(play(1000, 1000 + phase, { joinsLate: true }));
    });

    it(`flushed audio, ${phase} ms late, beside video that is sent as it is made`, () => {
      checkOrder(play(0, 1000 + phase, { smoothVideo: true, joinsLate: true }), { known: 3000 });
    });
  }
});

describe('tracks that are not flushed', () => {
  /** Two tracks of a stream, a frame each every 40 ms; what was written in each step is handed to `look`. */
  function live(bench: MergeBench, ms: number, look: (written: readonly string[]) => void, silent = false): void {
    const group: { queues: TrackQueue[] } = { queues: [] };
    const [v, a] = [bench.track('v', group), bench.track('a', group)];
    for (let now = 0; now < ms; now += 40) {
      bench.arrive(v, now);
      if (!silent || now < 2000) bench.arrive(a, now);
      look(bench.pass(40));
    }
  }

  it('wait no longer than min_process_delay', () => {
    const bench = new MergeBench().read();
    live(bench, 4000, () => {});
    for (const { what, at } of bench.sink.written) assert.ok(at - 1000 - Number(what.slice(1)) <= 500, what);
  });

  it('nor does a track whose neighbour falls silent', () => {
    const bench = new MergeBench().read();
    live(bench, 6000, () => {}, true);
    assert.ok(bench.order.includes('v5400'));
    for (const { what, at } of bench.sink.written) assert.ok(at - 1000 - Number(what.slice(1)) <= 500, what);
  });

  it('nor, after a while, one whose flushed neighbour falls silent', () => {
    const bench = new MergeBench().read();
    const group: { queues: TrackQueue[] } = { queues: [] };
    const [v, a] = [bench.track('v', group), bench.track('a', group)];
    for (let now = 0; now < 10_000; now += 40) {
      bench.arrive(v, now);
      if (now <= 4000 && now % 1000 === 0) bench.arrive(a, ...Array.from({ length: 25 }, (_, i) => now - 960 + i * 40));
      bench.pass(40);
    }
    const late = bench.sink.written.filter(({ what }) => what.startsWith('v') && Number(what.slice(1)) > 6000);
    assert.ok(late.length > 70);
    for (const { what, at } of late) assert.ok(at - 1000 - Number(what.slice(1)) <= 500, what);
  });

  it('nor the streams beside one that is flushed, and waits', () => {
    const bench = new MergeBench().read();
    const group: { queues: TrackQueue[] } = { queues: [] };
    const [v, a, other] = [bench.track('v', group), bench.track('a', group), bench.track('o')];
    const flush = (queue: NamedQueue, until: number): void =>
      bench.arrive(queue, ...Array.from({ length: 25 }, (_, i) => until - 960 + i * 40));
    for (let now = 1000; now <= 3000; now += 1000) {
      bench.pass(1000);
      flush(v, now);
      flush(a, now);
    }
    bench.pass(1000);
    flush(v, 4000);
    bench.pass(100);
    bench.arrive(other, 4100);
    // Due at 4600, and up to 50 ms before that along with another frame.
    assert.match(
      bench
        .pass(600)
        .filter((what) => what.startsWith('o'))
        .join(),
      /^o4100@4(5[5-9]|60)\d$/,
    );
    // Its own stream waits for the audio, which may still bring something that is earlier.
    assert.ok(!bench.order.includes('v3960'));
  });
});
