import { execFile } from 'node:child_process';
import { getHeapStatistics, setFlagsFromString } from 'node:v8';
import { promisify } from 'node:util';
import { runInNewContext } from 'node:vm';
import { messageOf } from '../base/errors.js';
import { readPackageFile } from '../base/package-files.js';
import { systemClock, type Clock } from '../time/clock.js';
import { internalsAllowed } from './internals.js';
import { GROWTH, growAsUsual, letGrow, youngGeneration } from './young-generation.js';

/** The limit for V8's young generation (both halves), bytes. V8 alone lets it grow to 32 MiB. */
const ENOUGH = 8 * 1024 * 1024;

/** ms between two checks of the sizes. */
const INTERVAL = 250;

/** Collections of a heap this small end before helper threads are awake, but these threads still cost CPU time. */
const WITHOUT_THREADS = [
  '--no-parallel-scavenge',
  '--no-parallel-compaction',
  '--no-parallel-pointer-update',
  '--no-concurrent-sweeping',
];

/**
 * V8 marks a large heap in small steps, with a helper thread. That takes more than twice the CPU of marking in one go.
 * A small heap needs some 20 ms in one go. Without the steps, V8 also does not collect a small heap two or three times
 * in a row, seconds after the start, only to make it smaller.
 */
const STEPS = { on: '--incremental-marking', off: '--no-incremental-marking' } as const;

/** Bytes of a heap from which on V8 marks in steps. */
const LARGE = 48 * 1024 * 1024;

/** Gives a new context the function `gc`. */
const COLLECT = '--expose-gc';

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
  if (!internalsAllowed()) {
    growAsUsual();
    return undefined;
  }
  const known = await knownFlags().catch((error: unknown) => messageOf(error));
  const usable =
    typeof known === 'string' ? [] : [...WITHOUT_THREADS, STEPS.off, COLLECT, GROWTH].filter((flag) => known(flag));
  const none = typeof known === 'string' ? `the flags could not be listed: ${known}` : 'this V8 has none of them';
  if (!usable.includes(GROWTH)) growAsUsual();
  if (usable.length === 0) return `Node internals: heap flags not in use: ${none}`;
  for (const flag of usable) if (flag !== GROWTH) setFlagsFromString(flag);
  if (usable.includes(COLLECT)) collect();
  watch(usable.includes(GROWTH) && youngGeneration() !== undefined, usable.includes(STEPS.off), clock);
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

/**
 * Limits V8's young generation to what this service needs. Short-lived objects of this service die within a second.
 * Collecting a few MiB of them costs no more than collecting 16 MiB, so the rest would only be resident memory
 * (docs/performance.md). A heap that has become large is marked in steps from then on.
 */
function watch(young: boolean, small: boolean, clock: Clock): void {
  let mayGrow: boolean | undefined;
  let isSmall = small;
  const look = (): void => {
    clock.after(INTERVAL, look, false);
    const grows = (youngGeneration() ?? 0) < ENOUGH;
    if (young && grows !== mayGrow) letGrow((mayGrow = grows));
    if (!isSmall || getHeapStatistics().used_heap_size < LARGE) return;
    isSmall = false;
    setFlagsFromString(STEPS.on);
  };
  look();
}

/** Collects what loading the program has left over. It would stay resident for long. */
function collect(): void {
  const gc: unknown = runInNewContext('gc');
  if (typeof gc === 'function') gc();
}
