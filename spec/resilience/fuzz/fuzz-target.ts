import { Random, seedOf } from '../random.js';
import { mutate } from './mutate.js';
import type { Target } from './target.js';

/** How long one target is tried: until either is reached. */
export interface Budget {
  readonly cases: number;
  readonly seconds: number;
  readonly seed: number;
}

/** An input that did what no input may do. */
export interface Crasher {
  readonly input: Buffer;
  readonly error: string;
}

/** What came of a target. */
export interface Tried {
  readonly target: string;
  cases: number;
  /** Cases in which the parser said no. */
  refused: number;
  seconds: number;
  /** ms of the slowest case. */
  slowest: number;
  /** A first input of each outcome. */
  readonly outcomes: Map<string, Buffer>;
  readonly crashers: Crasher[];
}

/** A case that takes longer is a crasher; the machine may be busy. */
const TOO_SLOW = 3000;
const MAX_CORPUS = 600;
const MAX_CRASHERS = 20;

/** Tries one input as it is replayed: what is drawn by chance comes from the input itself. */
export async function tryInput(target: Target, input: Buffer): Promise<string> {
  return target.run(input, new Random(seedOf(input)));
}

/**
 * Tries changed inputs until the budget is used up. Inputs with an outcome that was not seen before are changed
 * further.
 *
 * @param onCase told each input before it is tried, for those from which there is no coming back
 */
export async function fuzzTarget(
  target: Target,
  { cases, seconds, seed }: Budget,
  onCase: (input: Buffer) => void = () => {},
): Promise<Tried> {
  const random = new Random(seed);
  const seeds = target.seeds();
  const corpus = [...seeds];
  const words = (target.words ?? []).map((word) => Buffer.from(word, 'utf8'));
  const outcomes = new Map<string, Buffer>();
  const tried: Tried = { target: target.name, cases: 0, refused: 0, seconds: 0, slowest: 0, outcomes, crashers: [] };
  const began = performance.now();
  const end = began + seconds * 1000;
  await target.open?.();
  for (let at = began; at < end && tried.cases < cases && tried.crashers.length < MAX_CRASHERS; tried.cases++) {
    const input = seeds[tried.cases] ?? mutate(random.pick(corpus), random, corpus, words);
    onCase(input);
    try {
      const result = tryInput(target, input);
      const outcome = await result;
      if (outcome.includes('refused')) tried.refused++;
      if (!outcomes.has(outcome)) {
        outcomes.set(outcome, input);
        if (corpus.length < MAX_CORPUS) corpus.push(input);
      }
    } catch (error) {
      tried.crashers.push({ input, error: error instanceof Error ? (error.stack ?? error.message) : String(error) });
    }
    const now = performance.now();
    tried.slowest = Math.max(tried.slowest, now - at);
    if (now - at > TOO_SLOW) tried.crashers.push({ input, error: `took ${Math.round(now - at)} ms` });
    at = now;
  }
  tried.seconds = (performance.now() - began) / 1000;
  await target.close?.();
  return tried;
}
