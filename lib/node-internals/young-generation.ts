import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8';
import { internalsAllowed } from './internals.js';

/** V8 reads this flag each time the young generation could grow. */
export const GROWTH = '--semi-space-growth-factor';

/** The versions of V8 that are known to have the flag (Node 20 to 26). V8 prints an error for an unknown flag. */
const KNOWN = { first: 11, last: 14 } as const;

let keptSmall = false;

/** Bytes of the young generation, both halves; undefined if V8 does not tell. */
export function youngGeneration(): number | undefined {
  return getHeapSpaceStatistics().find(({ space_name }) => space_name === 'new_space')?.space_size;
}

/** Whether the young generation may grow. */
export function letGrow(may: boolean): void {
  setFlagsFromString(`${GROWTH}=${may ? 2 : 1}`);
}

/**
 * Keeps the young generation at its first size while the program is loaded. Loading would let it grow to 16 MiB, which
 * stay resident, although the service needs only a fraction of it.
 */
export function startSmall(): void {
  const version = Number.parseInt(process.versions.v8, 10);
  keptSmall = internalsAllowed() && version >= KNOWN.first && version <= KNOWN.last;
  if (keptSmall) letGrow(false);
}

/** Undoes {@link startSmall}, for a heap that is not tuned. */
export function growAsUsual(): void {
  if (keptSmall) letGrow(true);
}
