import { processTree, type ProcessUse } from './processes.js';
import type { Run } from './result.js';
import { machineMs, sleep } from './time.js';

const MB = 2 ** 20;

/** About 60 samples over the run, one a second at most. */
export async function sampled(
  pid: number,
  tree0: readonly ProcessUse[],
  began: number,
  seconds: number,
): Promise<Run['samples']> {
  const samples: { second: number; cpuPercent: number; rssMb: number }[] = [];
  const step = Math.max(1, seconds / 60);
  let before = { tree: tree0, at: began };
  for (let second = step; second <= seconds; second += step) {
    await sleep(began + second * 1000 - machineMs());
    const now = { tree: processTree(pid), at: machineMs() };
    const cpu = cpuPercents(before.tree, now.tree, (now.at - before.at) / 1000);
    samples.push({ second, cpuPercent: sum(cpu), rssMb: rssMb(now.tree) });
    before = now;
  }
  await sleep(began + seconds * 1000 - machineMs());
  return samples;
}

export const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

export const rssMb = (tree: readonly ProcessUse[]): number => sum(tree.map((one) => one.rssBytes)) / MB;

/** CPU of each process between two looks, % of a core. */
export function cpuPercents(before: readonly ProcessUse[], after: readonly ProcessUse[], seconds: number): number[] {
  const then = new Map(before.map((one) => [one.pid, one.cpuSeconds]));
  return after.map((one) => (100 * (one.cpuSeconds - (then.get(one.pid) ?? 0))) / seconds);
}
