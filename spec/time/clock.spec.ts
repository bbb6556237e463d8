import { it } from 'node:test';
import assert from 'node:assert/strict';
import { setImmediate } from 'node:timers/promises';
import { systemClock } from '../../lib/time/clock.js';

it("the machine's clock does not call at once what is months away", async () => {
  const warnings: string[] = [];
  const note = ({ name }: Error): void => void warnings.push(name);
  process.on('warning', note);
  const timer = systemClock.after(2 ** 31 + 10_000, () => {});
  await setImmediate();
  timer.cancel();
  process.off('warning', note);
  assert.deepEqual(warnings, []);
});
