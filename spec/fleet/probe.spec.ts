import assert from 'node:assert/strict';
import { createServer, type AddressInfo } from 'node:net';
import { once } from 'node:events';
import { it, type TestContext } from 'node:test';
import { Probe } from '../../lib/fleet/probe.js';
import { FakeClock } from '../support/time/fake-clock.js';
import { turns } from '../support/time/turns.js';

/** A server that accepts connections and reads them; its port. */
async function silentServer(t: TestContext): Promise<number> {
  const server = createServer((socket) => socket.on('error', () => {}).resume());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  return (server.address() as AddressInfo).port;
}

it('a node that has answered while this process was busy is no dead node', async (t) => {
  const port = await silentServer(t);
  const clock = new FakeClock();
  const answer = new Probe(clock).answers({ host: '127.0.0.1', port });
  // The time of both attempts is over before the process reads anything from the network.
  for (let attempt = 0; attempt < 2; attempt++) {
    clock.advance(10_000);
    for (let n = 0; n < 10; n++) await Promise.resolve();
  }
  assert.equal(await answer, true);
});

it('a node gets the time to respond for which this process was held up', async (t) => {
  const port = await silentServer(t);
  const clock = new FakeClock();
  let answer: boolean | undefined;
  void new Probe(clock).answers({ host: '127.0.0.1', port }, 'responds').then((value) => (answer = value));
  // To respond, the node has to be reached first, and that takes more than one turn of the event loop.
  for (let attempt = 0; attempt < 2; attempt++) {
    clock.jump(10_000);
    clock.advance(0);
    await turns(1);
  }
  while (answer === undefined) await turns(1);
  assert.equal(answer, true);
});
