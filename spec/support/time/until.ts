/**
 * Asks until the answer is good: what another process does has no event here. It gives up after a minute of real time,
 * so that what never happens fails with its name.
 */
export async function until<T>(what: string, ask: () => Promise<T>, good: (answer: T) => boolean): Promise<T> {
  const giveUp = performance.now() + 60_000;
  while (performance.now() < giveUp) {
    const answer = await ask().catch(() => undefined);
    if (answer !== undefined && good(answer)) return answer;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  throw new Error(`waited in vain for ${what}`);
}
