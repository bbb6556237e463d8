import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8';

/** Bytes that V8's young generation may grow to (both of its halves); by itself it goes up to 32 MiB. */
const ENOUGH = 16 * 1024 * 1024;

/** ms between two looks at it. */
const INTERVAL = 250;

/**
 * Keeps V8's young generation from growing past what this service has use for. What dies young here dies within a second, and 8
 * MiB for that are collected as cheaply as 16: the rest would be 16 MB more that stay resident (docs/performance.md).
 *
 * Node takes the limit itself only on its command line (`--max-semi-space-size`), which is not ours to write. How fast it
 * grows is a flag that V8 reads each time; a V8 that does not know it goes on as always.
 */
export function limitYoungGeneration(): void {
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
