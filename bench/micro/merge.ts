import { Frame } from '../../lib/media/frame.js';
import { MergeRule } from '../../lib/merge/rule.js';
import { TrackQueue, type QueueGroup } from '../../lib/merge/track-queue.js';
import type { MicroBench } from './timing.js';

const FRAME_MS = 33;
const SLACK_MS = 50;
const TICKS = 100;
const DELAYS = { minDelay: 500, maxDelay: 1000, earlyRelease: false };

/** The merge of an upstream in its steady state: half a second of frames waits in each track's queue. */
export function mergeBench(streams: number): MicroBench {
  const rule = new MergeRule(DELAYS);
  const queues: TrackQueue[] = [];
  for (let stream = 0; stream < streams; stream++) {
    const group: QueueGroup = { queues: [] };
    for (let track = 0; track < 2; track++) {
      const queue = new TrackQueue(group);
      queue.ready = true;
      group.queues.push(queue);
      queues.push(queue);
      rule.add(queue, 0);
    }
  }
  const tracks = queues.length;
  let now = 0;
  const tick = (): void => {
    now += FRAME_MS;
    queues.forEach((queue, i) => {
      const frame = new Frame(now * 90, now * 90, 0, 0, 0, []);
      frame.ms = now + (i % 7);
      frame.arrivedAt = now;
      queue.push(frame);
      if (queue.length === 1) rule.newHead(queue);
    });
    for (let next = rule.next(now, SLACK_MS); next !== undefined; next = rule.next(now, SLACK_MS)) {
      next.shift();
      if (next.length > 0) rule.newHead(next);
    }
  };
  return {
    name: `merge rule, ${tracks} tracks of one upstream`,
    frames: TICKS * tracks,
    run(): void {
      for (let i = 0; i < TICKS; i++) tick();
      const waiting = queues[0]?.length ?? 0;
      if (waiting > DELAYS.minDelay / FRAME_MS + 1) throw new Error(`${waiting} frames wait: the merge falls behind`);
    },
  };
}
