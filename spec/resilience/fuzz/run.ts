import { Worker } from 'node:worker_threads';
import type { Budget, Tried } from './fuzz-target.js';
import { LONGEST_INPUT } from './mutate.js';
import type { Target } from './target.js';
import type { WorkerData } from './worker.js';

/** Without a new case for so long, a target hangs; ms. */
const HUNG = 20_000;
/** MB of JavaScript heap: what a parser holds has its limits far below. */
const HEAP = 256;

/**
 * Tries a target in a thread of its own. Hangs, memory without end and rejections that no one handles are crashers too.
 */
export function runTarget(target: Target, budget: Budget): Promise<Tried> {
  const shared = new SharedArrayBuffer(8 + LONGEST_INPUT * 2);
  const numbers = new Uint32Array(shared, 0, 2);
  const workerData: WorkerData = { target: target.name, budget, shared };
  const worker = new Worker(new URL('./worker.js', import.meta.url), {
    workerData,
    resourceLimits: { maxOldGenerationSizeMb: HEAP },
  });
  return new Promise((resolve) => {
    let tried: Tried | undefined;
    const lost = (error: string): Tried => ({
      target: target.name,
      cases: Atomics.load(numbers, 0),
      refused: 0,
      seconds: 0,
      slowest: 0,
      outcomes: new Map(),
      crashers: [{ input: Buffer.from(new Uint8Array(shared, 8, Atomics.load(numbers, 1))), error }],
    });
    let before = -1;
    const watch = setInterval(() => {
      const now = Atomics.load(numbers, 0);
      if (now === before) {
        tried ??= lost(`no end within ${HUNG} ms`);
        void worker.terminate();
      }
      before = now;
    }, HUNG);
    worker.on('message', (message: Tried) => {
      // Buffers come through the channel as plain arrays.
      const crashers = message.crashers.map(({ input, error }) => ({ input: Buffer.from(input), error }));
      const outcomes = new Map([...message.outcomes].map(([outcome, input]) => [outcome, Buffer.from(input)]));
      tried = { ...message, crashers, outcomes };
    });
    worker.on('error', (error) => (tried = lost(error.stack ?? error.message)));
    worker.on('exit', (code) => {
      clearInterval(watch);
      resolve(tried ?? lost(`the thread ended with ${code}`));
    });
  });
}

/** Cases of each target, by its share, so that they come to `cases` in all. */
export function shareOut(targets: readonly Target[], cases: number): Map<Target, number> {
  const shares = targets.map(({ share = 1 }) => 1 / share);
  const sum = shares.reduce((all, one) => all + one, 0);
  return new Map(targets.map((target, i) => [target, Math.ceil((cases * (shares[i] ?? 0)) / sum)]));
}
