import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8';

/** Bytes that V8's young generation may grow to (both of its halves); by itself it goes up to 32 MiB. */
const ENOUGH = 16 * 1024 * 1024;

/** ms between two looks at it. */
const INTERVAL = 250;

/**
 * Collections of a heap this small are over sooner than helper threads are awake; what these cost is CPU of the service all the
 * same.
 */
const ALONE = [
  '--no-parallel-scavenge',
  '--no-parallel-compaction',
  '--no-parallel-pointer-update',
  '--no-concurrent-sweeping',
];

/**
 * Sets V8's heap up for live media, as far as it lets us while it runs. Node takes some of this on its command line, which is not
 * ours to write; a V8 that does not know one of these flags goes on as always.
 */
export function tuneHeap(): void {
  for (const flag of ALONE) setFlagsFromString(flag);
  limitYoungGeneration();
}

/**
 * Keeps V8's young generation from growing past what this service has use for. What dies young here dies within a second, and 8
 * MiB for that are collected as cheaply as 16: the rest would be 16 MB more that stay resident (docs/performance.md). How fast it
 * grows is a flag that V8 reads each time.
 */
function limitYoungGeneration(): void {
  let limited = false;
  const look = (): void => {
    const young = getHeapSpaceStatistics().find(({ space_name }) => space_name === 'new_space');
    const enough = young !== undefined && young.space_size >= ENOUGH;
    if (enough === limited) return;
    limited = enough;
    setFlagsFromString(`--semi-space-growth-factor=${limited ? 1 : 2}`);
  };
  look();
  setInterval(look, INTERVAL).unref();
}
