import { before, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import { systemClock } from '../../../lib/time/clock.js';
import { mediaSettings } from '../../../lib/config/settings.js';
import { testInternals } from '../../../lib/node-internals/self-test.js';
import { systemResolve } from '../../../lib/rtmp/network/resolve.js';
import { KmpCounter, KmpListener } from '../../../lib/upstream/intake/kmp-listener.js';
import { connect, frame } from '../../support/kmp/kmp-bytes.js';
import { eventually } from '../../support/time/eventually.js';
import { internalsOff } from '../../support/node/internals-off.js';
import { LogLines } from '../../support/service/log-lines.js';
import { turns } from '../../support/time/turns.js';

describe('a connection that belongs to another worker', { timeout: 90_000, skip: internalsOff }, () => {
  before(() => testInternals());

  it('is not read while it waits to be passed on: the other worker reads the rest', async (t) => {
    let given: { socket: net.Socket; head: Buffer } | undefined;
    const address = { host: '127.0.0.1', port: 0, ipv6Only: false, backlog: 511 };
    const listener = new KmpListener(
      {
        ...{ address, clock: systemClock, log: new LogLines(), counter: new KmpCounter(), nextConnection: () => 1 },
        join: () => assert.fail('it is not joined here'),
        router: { isHere: () => false, transfer: (socket, _id, head) => (given = { socket, head }) },
      },
      { settings: mediaSettings({}), resolve: systemResolve, allowed: () => true },
    );
    await listener.listen();
    const bytes = Buffer.concat([connect({ upstream_id: 'u', url: 'rtmp://h/a/s' }), frame(Buffer.alloc(300_000, 7))]);
    const sender = net.connect(listener.port, '127.0.0.1');
    t.after(() => {
      given?.socket.destroy();
      sender.destroy();
      listener.destroy();
    });
    await once(sender, 'connect');
    sender.write(bytes);
    await eventually(() => given !== undefined, 'the hand-over');
    // Node sends one socket after the other to a process: this one waits for its turn.
    await turns(50);
    assert.ok(given !== undefined);
    const { socket, head } = given;
    assert.ok(head.length < bytes.length, 'more has come than fits in a read');
    assert.deepEqual(head, bytes.subarray(0, head.length));
    assert.equal(socket.bytesRead, head.length);
  });
});
