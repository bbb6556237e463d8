/** What a sender cannot make the service do: reach the service itself, or write bytes of another protocol. */
import { afterEach, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { KmpPeer } from '../support/kmp/kmp-peer.js';
import { audioMinf, KmpSender } from '../support/kmp/kmp-sender.js';
import { RunningService } from '../support/service/running-service.js';

describe('destinations that a sender names', { timeout: 30_000 }, () => {
  let service: RunningService;
  let victim: KmpSender;
  let peer: KmpPeer;

  async function start(media = ''): Promise<void> {
    service = await RunningService.start({ media });
    peer = await KmpPeer.listen();
    victim = await KmpSender.open(service.kmpPort, {
      upstream_id: 'victim',
      url: `rtmp://127.0.0.1:${peer.port}/app/s`,
    });
    victim.send(audioMinf());
    await service.shows('victim', () => true, 'the upstream');
  }
  afterEach(async () => {
    victim.destroy();
    await service.close();
    await peer.close();
  });

  /** A sender that wants to connect to `port`, with a header; the reason with which its upstream ended. */
  async function attack(port: number, header: string, host = '127.0.0.1'): Promise<string> {
    const url = `rtmp://${host}:${port}/app/s`;
    const sender = await KmpSender.open(service.kmpPort, { upstream_id: 'attacker', url, header });
    sender.send(audioMinf());
    await sender.closed;
    return (await service.notified()).reason;
  }

  const httpPort = (): number => service.service.httpAddresses[0]?.port ?? 0;

  it('the API of the service is none of them: a header cannot drop an upstream', async () => {
    await start();
    const request = `DELETE /api/upstreams/victim HTTP/1.1\r\nHost: 127.0.0.1:${httpPort()}\r\n\r\n`;
    for (const host of ['127.0.0.1', 'localhost', '0.0.0.0']) {
      assert.equal(await attack(httpPort(), request, host), 'start_connect_failed', host);
    }
    assert.match(
      service.log
        .of('error')
        .map(({ message }) => message)
        .join('\n'),
      /may not be connected to \(the service itself listens there\)/,
    );
    assert.notEqual(await service.upstream('victim'), undefined);
    assert.equal(victim.isClosed, false);
  });

  it('the KMP port of the service is none of them', async () => {
    await start();
    const before = (await service.request('GET', '/metrics')).text.match(
      /input_connections_total\{result="accepted"\} \d+/,
    )?.[0];
    assert.equal(await attack(service.kmpPort, 'a KMP packet'), 'start_connect_failed');
    const after = (await service.request('GET', '/metrics')).text.match(
      /input_connections_total\{result="accepted"\} \d+/,
    )?.[0];
    // One more: the attacker.
    assert.equal(Number(after?.split(' ').at(-1)), Number(before?.split(' ').at(-1)) + 1);
  });

  for (const [setting, header, allowed] of [
    ['off', 'x', false],
    ['off', '', true],
    ['proxy', 'GET / HTTP/1.1\r\n\r\n', false],
    ['proxy', 'PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\nGET / HTTP/1.1\r\n', false],
    ['proxy', `PROXY TCP4 ${'1'.repeat(100)}\r\n`, false],
    ['proxy', 'PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n', true],
    ['on', 'anything', true],
  ] as const) {
    it(`with kmp_rtmp_out_header ${setting}, the header ${JSON.stringify(header).slice(0, 60)} is ${allowed ? 'taken' : 'refused'}`, async () => {
      await start(`kmp_rtmp_out_header ${setting};`);
      const url = `rtmp://127.0.0.1:${peer.port}/app/s`;
      const sender = await KmpSender.open(service.kmpPort, { upstream_id: 'other', url, header });
      sender.send(audioMinf());
      if (allowed) {
        await service.shows('other', (upstream) => upstream.header === header, 'the upstream');
        sender.destroy();
        return;
      }
      await sender.closed;
      assert.match(
        service.log
          .of('error')
          .map(({ message }) => message)
          .join('\n'),
        /kmp_rtmp_out_header/,
      );
      assert.equal(await service.upstream('other'), undefined);
    });
  }
});
