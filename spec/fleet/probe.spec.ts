import assert from 'node:assert/strict';
import { createServer, type AddressInfo } from 'node:net';
import { once } from 'node:events';
import { it } from 'node:test';
import { Probe } from '../../lib/fleet/probe.js';
import { FakeClock } from '../support/fake-clock.js';

it('a node that has answered while this process was busy is no dead node', async (t) => {
  const server = createServer((socket) => socket.on('error', () => {}).resume());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  const clock = new FakeClock();
  const { port } = server.address() as AddressInfo;
  const answer = new Probe(clock).answers({ host: '127.0.0.1', port });
  // The time of both attempts is over before the process reads anything from the network.
  for (let attempt = 0; attempt < 2; attempt++) {
    clock.advance(10_000);
    for (let n = 0; n < 10; n++) await Promise.resolve();
  }
  assert.equal(await answer, true);
});
