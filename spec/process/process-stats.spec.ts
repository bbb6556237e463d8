import assert from 'node:assert/strict';
import { openSync, closeSync } from 'node:fs';
import { describe, it } from 'node:test';
import { ProcessMonitor } from '../../lib/process/process-stats.js';

describe('what a process uses', () => {
  it('is below its limits', async () => {
    const { resident, memory_limit, heap_used, heap_limit, open_fds, max_fds } = await new ProcessMonitor().read();
    assert.ok(resident > 0 && resident < memory_limit);
    assert.ok(heap_used > 0 && heap_used < heap_limit);
    if (open_fds !== null && max_fds !== null) assert.ok(open_fds > 0 && open_fds < max_fds);
  });

  it('counts open files', { skip: process.platform === 'linux' ? false : 'Linux only' }, async () => {
    const monitor = new ProcessMonitor();
    const { open_fds: before } = await monitor.read();
    const files = Array.from({ length: 50 }, () => openSync('package.json', 'r'));
    const { open_fds: after } = await monitor.read();
    for (const file of files) closeSync(file);
    assert.ok(before !== null && after !== null);
    // Others may come and go meanwhile.
    assert.ok(after > before + 30, `${before}, then ${after}`);
  });

  it('includes how long the event loop was blocked', async () => {
    const monitor = new ProcessMonitor();
    try {
      await monitor.read();
      // The measurement begins with the first of its timers, 20 ms apart, after each reading.
      for (let i = 0; i < 3; i++) await new Promise((resolve) => setTimeout(resolve, 25));
      const end = performance.now() + 200;
      while (performance.now() < end);
      for (let i = 0; i < 2; i++) await new Promise((resolve) => setTimeout(resolve, 25));
      const { loop_lag_max: max } = await monitor.read();
      assert.ok(max > 0.1, `${max} s`);
    } finally {
      monitor.stop();
    }
  });
});
