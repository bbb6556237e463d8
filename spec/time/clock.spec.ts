import { it, mock } from 'node:test';
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

it("the machine's clock waits longer than a timer of Node can", () => {
  mock.timers.enable({ apis: ['setTimeout'] });
  try {
    const calls: string[] = [];
    const longest = 2 ** 31 - 1;
    systemClock.after(2 * longest + 500, () => calls.push('called'));
    systemClock.after(2 * longest + 500, () => calls.push('cancelled')).cancel();
    const cancelledLate = systemClock.after(longest + 1, () => calls.push('cancelled late'));
    mock.timers.tick(longest);
    cancelledLate.cancel();
    mock.timers.tick(longest);
    assert.deepEqual(calls, []);
    mock.timers.tick(499);
    assert.deepEqual(calls, []);
    mock.timers.tick(1);
    assert.deepEqual(calls, ['called']);
  } finally {
    mock.timers.reset();
  }
});
