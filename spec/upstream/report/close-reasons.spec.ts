import { afterEach, beforeEach, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { DnsServer } from '../../support/network/dns-server.js';
import { eventually } from '../../support/time/eventually.js';
import { freePort } from '../../support/network/free-port.js';
import { audioMinf, frameAt, KmpSender } from '../../support/kmp/kmp-sender.js';
import { AT_ONCE_DIRECTIVES, RunningService } from '../../support/service/running-service.js';
import { ScriptableIngest, type Script } from '../../support/ingest/scriptable-ingest.js';

const QUICK = `${AT_ONCE_DIRECTIVES}
  kmp_rtmp_in_read_interval 0;`;

describe('the close reason in the notification is why the upstream ended', { timeout: 90_000 }, () => {
  let ingest: ScriptableIngest;
  let running: RunningService;
  let dns: DnsServer;
  const senders: KmpSender[] = [];

  const start = async (media = ''): Promise<void> => {
    running = await RunningService.start({ media: `${QUICK} ${media}` });
  };
  const open = async (more: object = {}): Promise<KmpSender> => {
    const url = `rtmp://127.0.0.1:${ingest.port}/app/s`;
    const sender = await KmpSender.open(running.kmpPort, { upstream_id: 'u1', url, opaque: 'mine', ...more });
    senders.push(sender);
    return sender;
  };
  /** An audio track with one frame. */
  const publish = async (more: object = {}): Promise<KmpSender> => {
    const sender = await open(more);
    sender.send(audioMinf(), frameAt(0, 'first'));
    return sender;
  };
  /** The upstream has ended for `reason`, all of it, and was notified of once. */
  async function endedFor(reason: string, sender: KmpSender | undefined): Promise<void> {
    const body = await running.notified();
    assert.deepEqual([body.event_type, body.reason, body.upstream_id], ['rtmp_close', reason, 'u1']);
    assert.equal(body.opaque, 'mine');
    await sender?.closed;
    assert.deepEqual((await running.status()).upstreams, {});
    assert.equal(running.unseen, 0, 'a second notification');
  }

  beforeEach(async () => {
    ingest = await ScriptableIngest.start();
    dns = await DnsServer.start({ 'silent.test': 'silent', 'here.test': ['127.0.0.1'] });
  });
  afterEach(async () => {
    for (const sender of senders.splice(0)) sender.destroy();
    await running.close();
    await ingest.close();
    await dns.close();
  });

  it('done: the last stream has ended and every byte is sent', async () => {
    await start();
    const sender = await publish();
    sender.end();
    await endedFor('done', sender);
    const [connection] = ingest.connections;
    assert.ok(connection?.messages.some(({ payload }) => payload.includes('first')));
    assert.equal(connection?.commands('deleteStream').length, 1);
  });

  it('api_delete: an operator has dropped it', async () => {
    await start();
    const sender = await publish();
    const connection = await ingest.next();
    await connection.message(({ payload }) => payload.includes('first'));
    assert.equal((await running.request('DELETE', '/api/upstreams/u1')).status, 204);
    await endedFor('api_delete', sender);
  });

  it('start_resolve_failed: a host that cannot be a name', async () => {
    await start(`resolver ${dns.address};`);
    for (const host of ['two..dots', '-dash.test', `${'x'.repeat(64)}.test`, 'a b']) {
      const sender = await publish({ url: `rtmp://${host}/app/s` });
      await endedFor('start_resolve_failed', sender);
    }
    assert.deepEqual(dns.questions, []);
  });

  it('resolve_failed: a name that does not exist', async () => {
    await start(`resolver ${dns.address};`);
    const sender = await publish({ url: 'rtmp://nobody.test/app/s' });
    await endedFor('resolve_failed', sender);
    assert.deepEqual([...dns.questions].sort(), ['nobody.test A', 'nobody.test AAAA']);
  });

  it('resolve_failed: a DNS server that does not answer within resolver_timeout', async () => {
    await start(`resolver ${dns.address}; resolver_timeout 300ms;`);
    const sender = await publish({ url: 'rtmp://silent.test/app/s' });
    await endedFor('resolve_failed', sender);
  });

  it('start_connect_failed: an address that cannot be connected to', async () => {
    await start();
    // TCP knows no broadcast: the connect call itself fails.
    const sender = await publish({ url: 'rtmp://255.255.255.255:1935/app/s' });
    await endedFor('start_connect_failed', sender);
  });

  it('start_connect_failed: an address that the configuration denies', async () => {
    await start('kmp_rtmp_out_deny 127.0.0.0/8;');
    const sender = await publish();
    await endedFor('start_connect_failed', sender);
    assert.equal(ingest.connections.length, 0);
  });

  it('handshake_failed: a port without a listener', async () => {
    await start();
    const sender = await publish({ url: `rtmp://127.0.0.1:${await freePort()}/app/s` });
    await endedFor('handshake_failed', sender);
  });

  for (const stallAt of ['nothing', 's0', 'half-s1', 's1', 'half-s2'] as const) {
    it(`handshake_failed: a server that falls silent in the handshake (${stallAt})`, async () => {
      ingest.script = { stallAt };
      await start('kmp_rtmp_out_timeout 200ms;');
      const sender = await publish();
      await endedFor('handshake_failed', sender);
      await ingest.connections[0]?.closed;
    });
  }

  it('handshake_failed: a server that answers with something else', async () => {
    ingest.script = { insteadOfHandshake: Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n') };
    await start();
    const sender = await publish();
    await endedFor('handshake_failed', sender);
  });

  it('handshake_failed: a server that hangs up or resets in the handshake', async () => {
    ingest.script = { stallAt: 'half-s1' };
    await start();
    for (const how of ['end', 'reset'] as const) {
      const sender = await publish();
      const connection = await ingest.next();
      await connection.until(() => connection.hello.length > 0);
      connection[how]();
      await endedFor('handshake_failed', sender);
    }
  });

  it('recv_failed: a server that hangs up, resets, or speaks no RTMP', async () => {
    await start();
    for (const how of ['end', 'reset', 'garbage'] as const) {
      const sender = await publish();
      const connection = await ingest.next();
      await connection.message(({ payload }) => payload.includes('first'));
      if (how === 'garbage') connection.write(Buffer.alloc(64, 0xff));
      else connection[how]();
      await endedFor('recv_failed', sender);
    }
  });

  it('send_failed: a server that takes no byte for kmp_rtmp_out_timeout', async () => {
    ingest.script = { reads: 'never' };
    await start('kmp_rtmp_out_timeout 300ms;');
    const sender = await publish();
    const connection = await ingest.next();
    await connection.until(() => connection.c2.length > 0);
    // More than the kernel's buffers of both sides hold.
    const megabyte = Buffer.alloc(2 ** 20);
    for (let i = 1; i <= 12; i++) sender.send(frameAt(i, megabyte));
    await endedFor('send_failed', sender);
  });

  const refusal = { code: 'No', description: 'no' };
  const refusing: [string, Script, string][] = [
    ['connect_rejected', { rejectConnect: refusal }, ''],
    ['publish_rejected', { rejectPublish: refusal }, ''],
    ['publish_rejected', { rejectCreateStream: refusal }, 'kmp_rtmp_out_stream_id negotiate;'],
    ['stream_id_mismatch', { streamIds: [7] }, 'kmp_rtmp_out_stream_id assume;'],
  ];
  for (const [reason, script, media] of refusing) {
    it(`${reason}: a server that says so (${Object.keys(script).join()})`, async () => {
      ingest.script = { answers: true, ...script };
      await start(media);
      const sender = await publish();
      await endedFor(reason, sender);
    });
  }

  it('shutdown: the service ends', async () => {
    await start();
    await publish();
    const connection = await ingest.next();
    await connection.message(({ payload }) => payload.includes('first'));
    await running.service.stop();
    assert.equal((await running.notified()).reason, 'shutdown');
    assert.equal(connection.commands('deleteStream').length, 1);
  });

  it('however a connection ends, one notification is sent, and no memory stays in use', async () => {
    await start('kmp_rtmp_out_timeout 200ms;');
    const sender = await publish();
    const connection = await ingest.next();
    await connection.message(({ payload }) => payload.includes('first'));
    sender.end();
    connection.reset();
    const { reason } = await running.notified();
    assert.ok(['done', 'recv_failed', 'send_failed'].includes(reason), reason);
    await eventually(() => running.log.text.includes('upstream ended'), 'the end');
    assert.equal(running.unseen, 0);
  });
});
