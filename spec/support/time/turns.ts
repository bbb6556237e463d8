/**
 * Waits for further turns of the event loop. What one end of a loopback connection has written lies at the other end at
 * once, and the next turn reads it; a callback of a write comes in the turn after. So ten turns show what a manual
 * clock has set off, and that nothing more follows, without any real time.
 */
export async function turns(count = 10): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise((resolve) => setImmediate(resolve));
}
