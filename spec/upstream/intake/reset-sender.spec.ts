import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import { it } from 'node:test';
import { mediaSettings } from '../../../lib/config/settings.js';
import { systemResolve } from '../../../lib/rtmp/network/resolve.js';
import { systemClock } from '../../../lib/time/clock.js';
import { KmpCounter, KmpListener } from '../../../lib/upstream/intake/kmp-listener.js';
import { connect } from '../../support/kmp/kmp-bytes.js';
import { videoMinf } from '../../support/kmp/kmp-sender.js';
import { LogLines } from '../../support/service/log-lines.js';
import { turns } from '../../support/time/turns.js';

it('a connection that its sender has reset before it is opened begins no upstream: its address is not known', async (t) => {
  const log = new LogLines();
  const counter = new KmpCounter();
  let joined = 0;
  const listener = new KmpListener(
    {
      address: { host: '127.0.0.1', port: 0, ipv6Only: false, backlog: 511 },
      ...{ clock: systemClock, log, counter, nextConnection: () => 1 },
      join: () => {
        joined++;
        throw new Error('it must not join');
      },
    },
    { settings: mediaSettings({}), resolve: systemResolve, allowed: () => true },
  );
  // Accepted as a busy process accepts: nothing is read of it, neither bytes nor its address.
  const server = net.createServer({ pauseOnConnect: true }).listen(0, '127.0.0.1');
  t.after(() => server.close());
  await once(server, 'listening');
  const sender = net.connect((server.address() as net.AddressInfo).port, '127.0.0.1');
  const [socket] = (await once(server, 'connection')) as [net.Socket];
  const closed = once(sender, 'close');
  sender.resetAndDestroy();
  await closed;
  await turns();
  const data = { upstream_id: 'u', url: 'rtmp://127.0.0.1:9/app/s' };
  listener.adopt(socket, Buffer.concat([connect(data), videoMinf()]));
  await turns();
  assert.equal(joined, 0);
  assert.equal(socket.destroyed, true);
  assert.equal(counter.open, 0);
  assert.deepEqual(log.of('error'), []);
});
