/** `kmp_rtmp_in_owner`: only the sender that began an upstream joins it, and takes its tracks in a gap. */
import { createHmac } from 'node:crypto';
import { afterEach, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { parseConfig } from '../../lib/config/load.js';
import { Service } from '../../lib/service.js';
import type { UpstreamIds, UpstreamStatus } from '../../lib/upstream/report/status.js';
import { eventually } from '../support/time/eventually.js';
import { send } from '../support/network/http.js';
import { framesOf } from '../support/ingest/ingest-media.js';
import { connect } from '../support/kmp/kmp-bytes.js';
import { audioMinf, frameAt, KmpSender, videoMinf } from '../support/kmp/kmp-sender.js';
import { LogLines } from '../support/service/log-lines.js';
import { until } from '../support/time/until.js';
import { ScriptableIngest, type IngestConnection } from '../support/ingest/scriptable-ingest.js';

const STUDIO_A = '5b1d0e6f7a8c9d2e3f405162738495a6';
const STUDIO_A_NEW = '0123456789abcdef0123456789abcdef';
const STUDIO_B = 'c0ffee00c0ffee00c0ffee00c0ffee00';

describe('the owner of an upstream', { timeout: 60_000 }, () => {
  let ingest: ScriptableIngest;
  let service: Service;
  let log: LogLines;
  const senders: KmpSender[] = [];

  async function start(media: string): Promise<void> {
    ingest = await ScriptableIngest.start({ answers: true });
    log = new LogLines();
    // The address of a sender is what the load balancer says.
    const config = parseConfig(`
      stream { server {
        listen 127.0.0.1:0 proxy_protocol; kmp_rtmp; kmp_rtmp_out_allow 127.0.0.1; ${media}
        kmp_rtmp_out_min_process_delay 0; kmp_rtmp_out_max_process_delay 0; kmp_rtmp_out_flush_timeout 0;
        kmp_rtmp_out_write_meta_timeout 0; kmp_rtmp_out_onfi_period 0; kmp_rtmp_in_read_interval 0;
        kmp_rtmp_out_linger 1m;
      } }
      http { server { listen 127.0.0.1:0; location /metrics { kmp_rtmp_metrics; } } }`);
    service = new Service(config, { log });
    await service.start();
  }
  afterEach(async () => {
    for (const sender of senders.splice(0)) sender.destroy();
    service.kill();
    await ingest.close();
  });

  const fields = (name = 's'): object => ({ upstream_id: 'u1', url: `rtmp://127.0.0.1:${ingest.port}/app/${name}` });

  async function open(address: string, data: object | string, minf = videoMinf(), frameId = 0n): Promise<KmpSender> {
    const sender = await KmpSender.openRaw(service.kmpAddresses[0]?.port ?? 0);
    senders.push(sender);
    sender.send(
      Buffer.from(`PROXY TCP4 ${address} 192.0.2.200 1000 8005\r\n`),
      connect(data, 'ch1', 'v1', frameId),
      minf,
    );
    return sender;
  }

  function signed(data: object, secret: string): string {
    const text = JSON.stringify({ ...data, expires: Math.ceil(Date.now() / 1000) + 600 }).slice(0, -1);
    return `${text},"signature":"${createHmac('sha256', secret).update(text).digest('hex')}"}`;
  }

  const upstream = (): Promise<UpstreamStatus | undefined> => service.management.upstream('u1');

  async function rejected(): Promise<string | undefined> {
    const { text } = await send(service.httpAddresses[0]?.port ?? 0, 'GET', '/metrics');
    return /^kmp_rtmp_rejected_senders_total\{rule="owner"\} (\d+)$/m.exec(text)?.[1];
  }

  async function frames(connection: IngestConnection | undefined, expected: readonly string[]): Promise<void> {
    assert.ok(connection);
    await eventually(() => framesOf(connection).length >= expected.length, `the frames ${expected.join()}`);
    assert.deepEqual(framesOf(connection), expected);
  }

  it('is the address of the first sender, also while it is away', async () => {
    await start('kmp_rtmp_in_owner address;');
    const owner = await open('192.0.2.1', fields());
    owner.send(frameAt(0, 'v0', { key: true }));
    const connection = await ingest.next();
    await frames(connection, ['v0']);
    const attacks = async (): Promise<void> => {
      for (const [data, minf] of [
        [fields(), videoMinf()],
        [fields(), audioMinf()],
        [fields('another'), videoMinf()],
        [{ ...fields(), url: 'rtmp://192.0.2.77/app/s' }, videoMinf()],
      ] as const) {
        const attacker = await open('192.0.2.9', data, minf, 1n);
        attacker.send(frameAt(40, 'hostile', { key: true }));
        await attacker.closed;
        const line = log.of('error').at(-1);
        assert.match(
          line?.message ?? '',
          /belongs to its first sender, which came from 192\.0\.2\.1 \(kmp_rtmp_in_owner\)/,
        );
        assert.match(String(line?.fields['peer']), /^192\.0\.2\.9:/);
      }
    };
    await attacks();
    owner.send(frameAt(40, 'v1'));
    await frames(connection, ['v0', 'v1']);
    assert.equal(owner.isClosed, false);
    // In the gap, the track waits for its sender.
    owner.destroy();
    await until('the gap', upstream, (found) => found?.state === 'input_lost');
    await attacks();
    const again = await open('192.0.2.1', fields(), videoMinf(), 2n);
    again.send(frameAt(80, 'v2'));
    await frames(connection, ['v0', 'v1', 'v2']);
    assert.equal(await rejected(), '8');
  });

  it('is the name of the secret of the first sender; its old and its new secret have the same name', async () => {
    await start(
      `kmp_rtmp_in_secret a ${STUDIO_A}; kmp_rtmp_in_secret a ${STUDIO_A_NEW}; kmp_rtmp_in_secret b ${STUDIO_B};`,
    );
    const owner = await open('192.0.2.1', signed(fields(), STUDIO_A));
    owner.send(frameAt(0, 'v0', { key: true }));
    const connection = await ingest.next();
    await frames(connection, ['v0']);
    const attacker = await open('192.0.2.1', signed(fields('another'), STUDIO_B));
    await attacker.closed;
    assert.match(log.of('error').at(-1)?.message ?? '', /which has signed with the secret "a"/);
    owner.destroy();
    const again = await open('192.0.2.7', signed(fields(), STUDIO_A_NEW), videoMinf(), 1n);
    again.send(frameAt(40, 'v1'));
    await frames(connection, ['v0', 'v1']);
    assert.equal(await rejected(), '1');
  });

  it('is nobody by default if there are no secrets: senders of several machines share an upstream', async () => {
    await start('');
    const first = await open('192.0.2.1', fields());
    first.send(frameAt(0, 'v0', { key: true }));
    const connection = await ingest.next();
    await frames(connection, ['v0']);
    first.destroy();
    const second = await open('192.0.2.2', fields(), videoMinf(), 1n);
    second.send(frameAt(40, 'v1'));
    await frames(connection, ['v0', 'v1']);
    assert.equal(await rejected(), '0');
  });

  it('is gone with the upstream: then anyone can use the id', async () => {
    await start('kmp_rtmp_in_owner address;');
    const first = await open('192.0.2.1', fields());
    first.send(frameAt(0, 'v0', { key: true }));
    await frames(await ingest.next(), ['v0']);
    await service.management.dropUpstream('u1');
    const ids = (): Promise<UpstreamIds> => service.management.upstreamIds();
    await until('the end of the upstream', ids, (found) => found.ids.length === 0);
    const other = await open('192.0.2.9', fields());
    other.send(frameAt(0, 'v0', { key: true }));
    await frames(await ingest.next(), ['v0']);
  });
});
