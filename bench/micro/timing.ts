/** One part of the service, run alone and as fast as it goes. */
export interface MicroBench {
  readonly name: string;
  /** Frames that one call of `run` handles. */
  readonly frames: number;
  run(): void;
}

export interface MicroResult {
  readonly name: string;
  /** The median of the rounds. */
  readonly framesPerSecond: number;
  readonly lowest: number;
  readonly highest: number;
}

const ROUNDS = 9;
const ROUND_MS = 200;

/**
 * Runs a part for {@link ROUNDS} rounds of {@link ROUND_MS}; the first third warms up the compiler and is not counted.
 */
export function timed({ name, frames, run }: MicroBench): MicroResult {
  const speeds: number[] = [];
  for (let round = -ROUNDS / 3; round < ROUNDS; round++) {
    const began = performance.now();
    let done = 0;
    let ms = 0;
    while (ms < ROUND_MS) {
      run();
      done += frames;
      ms = performance.now() - began;
    }
    if (round >= 0) speeds.push((done * 1000) / ms);
  }
  speeds.sort((a, b) => a - b);
  const at = (share: number): number => speeds[Math.floor((speeds.length - 1) * share)] ?? 0;
  return { name, framesPerSecond: at(0.5), lowest: at(0), highest: at(1) };
}
