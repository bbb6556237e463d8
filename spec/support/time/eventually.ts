/**
 * Waits for something that needs further turns of the event loop, such as bytes on a loopback socket. It gives up after
 * thirty seconds of real time, so that what never happens fails with its name.
 */
export async function eventually(condition: () => boolean, what: string): Promise<void> {
  const giveUp = performance.now() + 30_000;
  while (!condition()) {
    if (performance.now() > giveUp) throw new Error(`waited in vain for ${what}`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}
