import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { managementRouter } from '../../lib/api/router.js';
import { appWith, serve } from '../support/network/http.js';
import { MemoryManagement } from '../support/management/memory-management.js';

describe('the drain in the API', () => {
  for (const write of [true, false]) {
    it(`${write ? 'begins, is shown and ends' : 'is only shown without write=on'}`, async () => {
      const server = await serve(appWith('/api', managementRouter(new MemoryManagement([]), { write })));
      const answers: unknown[] = [];
      for (const method of ['GET', 'POST', 'DELETE']) {
        const { status, json } = await server.request(method, '/api/fleet/drain');
        answers.push([status, status === 200 ? (json as { left: number }).left : 0]);
      }
      const refused = [405, 0];
      assert.deepEqual(
        answers,
        write
          ? [
              [200, 0],
              [200, 2],
              [200, 0],
            ]
          : [[200, 0], refused, refused],
      );
      await server.close();
    });
  }

  it('is not found where there is no fleet', async () => {
    const management = new MemoryManagement([]);
    management.drain = undefined;
    const server = await serve(appWith('/api', managementRouter(management, { write: true })));
    const { status, json } = await server.request('POST', '/api/fleet/drain');
    assert.equal(status, 404);
    assert.match(JSON.stringify(json), /not a node of a fleet/);
    await server.close();
  });
});
