import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { coalesce } from '../../lib/api/coalesce.js';
import { managementRouter } from '../../lib/api/router.js';
import { metricsRouter } from '../../lib/api/metrics/metrics.js';
import { eventually } from '../support/time/eventually.js';
import { MemoryManagement } from '../support/management/memory-management.js';
import { appWith, serve } from '../support/network/http.js';

describe('shared results', () => {
  it('are made once for all callers before it begins, and once more for all callers meanwhile', async () => {
    let made = 0;
    const finish: (() => void)[] = [];
    const ask = coalesce(() => {
      const one = ++made;
      return new Promise<number>((resolve) => finish.push(() => resolve(one)));
    });
    const begun = (count: number): Promise<void> => eventually(() => made === count, `number ${count}`);
    const first = [ask(), ask(), ask()];
    await begun(1);
    const second = [ask(), ask(), ask()];
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(made, 1, 'one at a time');
    finish[0]?.();
    await begun(2);
    const third = ask();
    finish[1]?.();
    await begun(3);
    finish[2]?.();
    assert.deepEqual(await Promise.all([...first, ...second, third]), [1, 1, 1, 2, 2, 2, 3]);
  });

  it('fail for all callers, and are made again for the next one', async () => {
    let made = 0;
    const ask = coalesce(async () => {
      await Promise.resolve();
      if (++made === 1) throw new Error('no');
      return made;
    });
    const all = await Promise.allSettled([ask(), ask()]);
    assert.deepEqual(
      all.map((one) => one.status === 'rejected' && String(one.reason)),
      ['Error: no', 'Error: no'],
    );
    assert.equal(await ask(), 2);
  });

  const lists = ['/', '/upstreams', '/upstreams?list=1', '/upstreams?limit=2', '/upstreams?after=a&list=1'];
  for (const [path, router, below = ['']] of [
    ['/api/', (management: MemoryManagement) => managementRouter(management, { write: false })],
    ['/api', (management: MemoryManagement) => managementRouter(management, { write: false }), lists],
    ['/metrics', (management: MemoryManagement) => metricsRouter(management, { upstreams: true })],
  ] as const) {
    it(`GET ${path}${below.join(' ')} of a hundred connections takes at most two snapshots`, async () => {
      const management = new MemoryManagement();
      let asked = 0;
      let came = 0;
      const status = management.status.bind(management);
      management.status = async () => {
        asked++;
        await eventually(() => came === 100, 'all of them');
        return status();
      };
      const handle = router(management);
      const server = await serve(
        appWith(path.replace(/\/$/, ''), (req, res, next) => {
          came++;
          handle(req, res, next);
        }),
      );
      const all = await Promise.all(
        Array.from({ length: 100 }, (_, n) => server.get(path + (below[n % below.length] ?? ''))),
      ).finally(() => server.close());
      assert.ok(all.every(({ status: code }) => code === 200));
      assert.ok(asked <= 2, `${asked} times`);
    });
  }
});
