import { afterEach, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { eventually } from '../../support/time/eventually.js';
import { FakeClock } from '../../support/time/fake-clock.js';
import { framesOf } from '../../support/ingest/ingest-media.js';
import { frameAt, type KmpSender } from '../../support/kmp/kmp-sender.js';
import { Live } from '../../support/service/live.js';
import type { IngestConnection, Script } from '../../support/ingest/scriptable-ingest.js';

/**
 * The codes are those that servers send (docs/protocol/servers.md, Refusals); the levels are what some of them make of
 * it.
 */
const temporary: [string, Script][] = [
  ['BadName, on the first connection', { rejectPublish: { code: 'NetStream.Publish.BadName', description: 'in use' } }],
  ['BadName as a status', { rejectPublish: { code: 'NetStream.Publish.BadName', level: 'status', description: '' } }],
  ['Failed without a level', { rejectPublish: { code: 'NetStream.Failed', level: '', description: '' } }],
  ['Rejected', { rejectConnect: { code: 'NetConnection.Connect.Rejected', description: 'server is starting' } }],
  ['AppShutdown', { rejectConnect: { code: 'NetConnection.Connect.AppShutdown', description: '' } }],
  ['an _error of createStream', { rejectCreateStream: { code: 'NetConnection.Call.Failed', description: 'busy' } }],
];

const final: [string, Script, string][] = [
  ['Denied', { rejectPublish: { code: 'NetStream.Publish.Denied', description: 'expired' } }, 'publish_rejected'],
  [
    'Unauthorized, as a status',
    { rejectPublish: { code: 'NetStream.Publish.Unauthorized', level: 'status', description: '' } },
    'publish_rejected',
  ],
  ['InvalidApp', { rejectConnect: { code: 'NetConnection.Connect.InvalidApp', description: '' } }, 'connect_rejected'],
  [
    'a login that is asked for without credentials',
    { rejectConnect: { code: 'NetConnection.Connect.Rejected', description: '[ AccessManager.Reject ] : need auth' } },
    'connect_rejected',
  ],
];

describe('a refusal', { timeout: 90_000 }, () => {
  const clock = new FakeClock();
  let live: Live;

  async function start(script: Script, outReconnects = Infinity): Promise<KmpSender> {
    live = await Live.start({ clock, script, settings: { outWriteMetaTimeout: 0, outReconnects } });
    const sender = await live.audio();
    sender.send(frameAt(0, 'a0'));
    await live.received('audio', 1);
    // The other track is not waited for.
    clock.advance(0);
    return sender;
  }

  const broken = (times: number): Promise<void> =>
    eventually(() => live.upstream?.status().reconnects === times, `break ${times}`);

  afterEach(() => live.close());

  for (const [what, script] of temporary) {
    it(`for now (${what}) is a broken connection: the sender stays, the next attempt publishes`, async () => {
      const sender = await start(script);
      await live.ingest.next();
      await broken(1);
      live.ingest.script = { answers: true };
      clock.advance(1000);
      const second = await live.ingest.next();
      await second.until(() => framesOf(second).includes('a0'));
      assert.ok(!sender.isClosed);
    });
  }

  for (const [what, script, wanted] of final) {
    it(`for good (${what}) ends the upstream, whatever kmp_rtmp_out_reconnects says`, async () => {
      const sender = await start(script);
      const { reason } = await live.service.ended();
      assert.equal(reason, wanted);
      await sender.closed;
      assert.equal(live.ingest.connections.length, 1);
    });
  }

  it('for a reason that is not known is final at the fifth time', async () => {
    const sender = await start({ rejectPublish: { code: 'Example.Quota', description: 'try again' } });
    for (let n = 1; n <= 4; n++) {
      await live.ingest.next();
      await broken(n);
      assert.ok(!sender.isClosed);
      clock.advance(30_000);
    }
    await live.ingest.next();
    const { reason } = await live.service.ended();
    assert.equal(reason, 'publish_rejected');
  });

  it('may come in a _result', async () => {
    await start({ unanswered: ['connect'] });
    const connection = await live.ingest.next();
    await connection.command('connect');
    const code = 'NetConnection.Connect.InvalidApp';
    connection.sendCommand(0, '_result', 1, null, { level: 'error', code, description: 'no such application' });
    const { reason } = await live.service.ended();
    assert.equal(reason, 'connect_rejected');
    assert.match(live.service.log.text, /NetConnection\.Connect\.InvalidApp: no such application/);
  });

  it('of a recording has no effect', async () => {
    const sender = await start({});
    const connection = await live.ingest.next();
    await connection.until(() => framesOf(connection).includes('a0'));
    connection.sendStatus(1, 'error', 'NetStream.Record.Failed', 'disk full');
    await eventually(() => live.status().last_status?.code === 'NetStream.Record.Failed', 'the status');
    sender.send(frameAt(20, 'a1'));
    await connection.until(() => framesOf(connection).includes('a1'));
    assert.equal(live.status().reconnects, 0);
  });

  for (const [code, how] of [
    ['NetConnection.Connect.AppShutdown', 0],
    ['NetStream.Failed', 1],
  ] as const) {
    it(`in the middle of a stream (${code}) is a broken connection`, async () => {
      const sender = await start({});
      const first = await live.ingest.next();
      await first.until(() => framesOf(first).includes('a0'));
      first.sendStatus(how, 'error', code, 'restarting');
      await broken(1);
      sender.send(frameAt(20, 'a1'));
      clock.advance(1000);
      const second = await live.ingest.next();
      await second.until(() => framesOf(second).includes('a1'));
    });
  }

  it('of one of two streams for now: that stream tries again alone, the other one continues', async () => {
    let refuse = true;
    const busy = { code: 'NetStream.Publish.BadName', description: 'in use' };
    const rejectPublish = (_attempt: number, name: string): typeof busy | undefined =>
      refuse && name === 'two' ? busy : undefined;
    const one = await start({ rejectPublish });
    const first = await live.ingest.next();
    await first.until(() => framesOf(first).includes('a0'));
    const two = await live.audio({ name: 'two' });
    two.send(frameAt(0, 'two-0'));
    await live.received('audio', 1, 'two');
    clock.advance(0);
    await eventually(() => live.status().last_status?.code === busy.code, 'the refusal');
    one.send(frameAt(20, 'a1'));
    await first.until(() => framesOf(first).includes('a1'));
    refuse = false;
    clock.advance(1000);
    const second: IngestConnection = await live.ingest.next();
    await second.until(() => framesOf(second).includes('two-0'));
    assert.ok(!one.isClosed && !two.isClosed && !first.isClosed);
  });

  it('ends the upstream at once with kmp_rtmp_out_reconnects 0', async () => {
    await start({ rejectPublish: { code: 'NetStream.Publish.BadName', description: 'in use' } }, 0);
    const { reason } = await live.service.ended();
    assert.equal(reason, 'publish_rejected');
  });
});
