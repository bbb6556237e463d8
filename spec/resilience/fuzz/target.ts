import type { Random } from '../random.js';

/** One parser under test. */
export interface Target {
  /** Also the name of its file in spec/fixtures/fuzz. */
  readonly name: string;
  /** Whole, right inputs: what is tried are changes of them. */
  readonly seeds: () => readonly Buffer[];
  /** Keywords, keys and markers of the format. */
  readonly words?: readonly string[];
  /** Of how many cases of the fastest target this one gets one; default 1. For those that open sockets or files. */
  readonly share?: number;
  /** Made once before the first case. */
  readonly open?: () => Promise<void>;
  readonly close?: () => Promise<void>;
  /**
   * Tries one input and says in a few words what came of it: an input with a new outcome is changed further. A clear
   * refusal is an outcome.
   *
   * @throws whatever must not happen
   */
  readonly run: (input: Buffer, random: Random) => string | Promise<string>;
}

/** Cuts bytes in up to `most` pieces at random places. */
export function cut(bytes: Buffer, random: Random, most = 5): Buffer[] {
  const places = Array.from({ length: random.below(most) }, () => random.below(bytes.length + 1)).sort((a, b) => a - b);
  const ends = [...places, bytes.length];
  return ends.map((end, i) => bytes.subarray(i === 0 ? 0 : ends[i - 1], end));
}

/** An error that is an answer: of the class that the parser promises, with a code and with words. */
export function refusal(error: unknown, ...classes: readonly (new (...args: never[]) => Error)[]): string {
  const known = classes.find((one) => error instanceof one);
  if (known === undefined || !(error instanceof Error)) throw error;
  const code = 'code' in error ? String(error.code) : error.name;
  if (error.message.length < 10) throw new Error(`says too little: ${error.message}`, { cause: error });
  if (error.message.length > 2000) throw new Error(`a message of ${error.message.length} characters`, { cause: error });
  return `refused ${code} ${error.message.replaceAll(/"[^"]*"|\d+/g, '#').slice(0, 60)}`;
}

/** Throws unless it holds. */
export function holds(condition: boolean, what: string): void {
  if (!condition) throw new Error(`does not hold: ${what}`);
}
