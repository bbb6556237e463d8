import { execFile } from 'node:child_process';
import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8';
import { promisify } from 'node:util';
import { messageOf } from '../base/errors.js';
import { readPackageFile } from '../base/package-files.js';
import { systemClock, type Clock } from '../time/clock.js';
import { internalsAllowed } from './internals.js';

/** The limit for V8's young generation (both halves), bytes. V8 alone lets it grow to 32 MiB. */
const ENOUGH = 16 * 1024 * 1024;

/** ms between two checks of its size. */
const INTERVAL = 250;

/** Collections of a heap this small end before helper threads are awake, but these threads still cost CPU time. */
const WITHOUT_THREADS = [
  '--no-parallel-scavenge',
  '--no-parallel-compaction',
  '--no-parallel-pointer-update',
  '--no-concurrent-sweeping',
];

/** V8 reads this flag each time the young generation could grow. */
const GROWTH = '--semi-space-growth-factor';

/** The list of V8's flags in a single executable, which does not print it as Node does. */
const EMBEDDED_LIST = 'v8-options.txt';

/** The longest that Node may take to print its list of flags, ms. */
const LIST_TIMEOUT = 10_000;

/**
 * Configures V8's heap for live media, as far as V8 allows that at run time. Node documents the call, but not the
 * flags. V8 prints an error for an unknown flag, so the same Node is first asked for its flags (`node --v8-options`).
 * Resolves when the flags are set, or with a line for the log if they cannot be set.
 */
export async function tuneHeap(clock: Clock = systemClock): Promise<string | undefined> {
  if (!internalsAllowed()) return undefined;
  const known = await knownFlags().catch((error: unknown) => messageOf(error));
  const usable = typeof known === 'string' ? [] : [...WITHOUT_THREADS, GROWTH].filter((flag) => known(flag));
  const none = typeof known === 'string' ? `the flags could not be listed: ${known}` : 'this V8 has none of them';
  if (usable.length === 0) return `Node internals: heap flags not in use: ${none}`;
  for (const flag of usable) if (flag !== GROWTH) setFlagsFromString(flag);
  if (usable.includes(GROWTH) && youngGeneration() !== undefined) limitYoungGeneration(clock);
  return undefined;
}

/** Returns a test for the flags that V8 knows. @throws if Node does not list them */
async function knownFlags(): Promise<(flag: string) => boolean> {
  const embedded = readPackageFile(EMBEDDED_LIST)?.toString('utf8');
  const list = embedded ?? (await askNode());
  return (flag) => list.includes(nameIn(flag));
}

async function askNode(): Promise<string> {
  const { stdout } = await promisify(execFile)(process.execPath, ['--v8-options'], {
    maxBuffer: 2 ** 24,
    timeout: LIST_TIMEOUT,
    env: {},
  });
  return stdout;
}

/** A flag's name in the list: always the positive form, followed by its description. */
function nameIn(flag: string): string {
  return ` ${flag.replace(/^--no-/, '--')} (`;
}

function youngGeneration(): number | undefined {
  return getHeapSpaceStatistics().find(({ space_name }) => space_name === 'new_space')?.space_size;
}

/**
 * Limits V8's young generation to what this service needs. Short-lived objects of this service die within a second.
 * Collecting 8 MiB of them costs no more than collecting 16 MiB, so the rest would only be 16 MB of resident memory
 * (docs/performance.md).
 */
function limitYoungGeneration(clock: Clock): void {
  let limited = false;
  const look = (): void => {
    clock.after(INTERVAL, look, false);
    const enough = (youngGeneration() ?? 0) >= ENOUGH;
    if (enough === limited) return;
    limited = enough;
    setFlagsFromString(`${GROWTH}=${limited ? 1 : 2}`);
  };
  look();
}
