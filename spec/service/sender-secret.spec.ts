/** `kmp_rtmp_in_secret`: a sender that knows the id of an upstream, but has no signature, does not get in. */
import { createHmac } from 'node:crypto';
import { afterEach, beforeEach, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { parseConfig } from '../../lib/config/load.js';
import { Service } from '../../lib/service.js';
import { systemClock } from '../../lib/time/clock.js';
import { Folder } from '../support/process/cli.js';
import { eventually } from '../support/time/eventually.js';
import { send } from '../support/network/http.js';
import { framesOf } from '../support/ingest/ingest-media.js';
import { connect } from '../support/kmp/kmp-bytes.js';
import { audioMinf, frameAt, KmpSender } from '../support/kmp/kmp-sender.js';
import { LogLines } from '../support/service/log-lines.js';
import { ScriptableIngest } from '../support/ingest/scriptable-ingest.js';

const SECRET = '5b1d0e6f7a8c9d2e3f405162738495a6';
const OTHER = 'c0ffee00c0ffee00c0ffee00c0ffee00';
/** What no line of the log may contain. */
const KEY = 'live-stream-key';

/** Seconds since 1970. */
const NOW = Date.UTC(2026, 0, 1) / 1000;

/** Connect data, signed by hand. */
function signed(fields: object, secret = SECRET, expires = NOW + 60): string {
  const text = JSON.stringify({ ...fields, expires }).slice(0, -1);
  return `${text},"signature":"${createHmac('sha256', secret).update(text).digest('hex')}"}`;
}

describe('kmp_rtmp_in_secret', { timeout: 60_000 }, () => {
  let folder: Folder;
  let ingest: ScriptableIngest;
  let service: Service;
  let log: LogLines;
  /** ms since 1970, as the service sees it. */
  let wall: number;
  let healthy: KmpSender;
  const senders: KmpSender[] = [];

  const config = (media = ''): ReturnType<typeof parseConfig> =>
    parseConfig(
      `stream { server {
        listen 127.0.0.1:0; kmp_rtmp; kmp_rtmp_in_secret_file secrets; ${media}
        kmp_rtmp_out_min_process_delay 0; kmp_rtmp_out_max_process_delay 0; kmp_rtmp_out_flush_timeout 0;
        kmp_rtmp_out_write_meta_timeout 0; kmp_rtmp_out_onfi_period 0; kmp_rtmp_in_read_interval 0;
      } }
      http { server {
        listen 127.0.0.1:0;
        location /metrics { kmp_rtmp_metrics; }
        location /control { kmp_rtmp_control; kmp_rtmp_route ^cam$ rtmp://127.0.0.1:${ingest.port}/app/${KEY}; }
      } }`,
      `${folder.path}/kmp-rtmp.conf`,
    );
  const url = (name = KEY): string => `rtmp://127.0.0.1:${ingest.port}/app/${name}`;
  const port = (): number => service.kmpAddresses[0]?.port ?? 0;

  async function open(data: string | object, channel = 'ch1', track = 'v1'): Promise<KmpSender> {
    const sender = await KmpSender.openRaw(port());
    senders.push(sender);
    sender.send(connect(data, channel, track), audioMinf());
    return sender;
  }

  async function metric(name: string): Promise<number> {
    const { text } = await send(service.httpAddresses[0]?.port ?? 0, 'GET', '/metrics');
    return Number(
      text
        .split('\n')
        .find((line) => line.startsWith(`${name} `))
        ?.split(' ')
        .at(-1),
    );
  }

  /** The healthy upstream loses nothing: `frames` frames arrive. */
  async function healthyHas(frames: readonly string[]): Promise<void> {
    const [connection] = ingest.connections;
    assert.ok(connection);
    await eventually(() => framesOf(connection).length >= frames.length, 'the frames of the healthy upstream');
    assert.deepEqual(framesOf(connection), frames);
    assert.equal(healthy.isClosed, false);
  }

  beforeEach(async () => {
    folder = new Folder();
    folder.file('secrets', `# of the controller\n${SECRET}\n`);
    ingest = await ScriptableIngest.start({ answers: true });
    log = new LogLines();
    wall = NOW * 1000;
    const { now, after } = systemClock;
    service = new Service(config(), { log, clock: { now, after, wall: () => wall } });
    await service.start();
    healthy = await open(signed({ upstream_id: 'healthy', url: url() }));
    healthy.send(frameAt(0, 'a0'));
    await eventually(() => ingest.connections.length === 1, 'the healthy upstream');
  });
  afterEach(async () => {
    for (const sender of senders.splice(0)) sender.destroy();
    service.kill();
    await ingest.close();
    folder.remove();
  });

  it('disconnects a sender without a signature, with a wrong one, one for another upstream, or an old one', async () => {
    const own = signed({ upstream_id: 'mine', url: url('mine') });
    for (const [data, reason] of [
      [{ upstream_id: 'healthy', url: url() }, /it is not signed/],
      [signed({ upstream_id: 'healthy', url: url() }, OTHER), /fits to none of the secrets/],
      [own.replace('mine', 'healthy'), /fits to none of the secrets/],
      [own.replace(`${ingest.port}`, '1'), /fits to none of the secrets/],
      [signed({ upstream_id: 'healthy', url: url() }, SECRET, NOW - 1), /expired 1 s ago/],
      [signed({ upstream_id: 'healthy', url: url(), track_id: 'a7' }), /another track_id/],
    ] as const) {
      const before = log.of('error').length;
      const attacker = await open(data, 'ch1', 'v2');
      attacker.send(frameAt(0, 'hostile'));
      await attacker.closed;
      const [line, ...more] = log.of('error').slice(before);
      assert.match(line?.message ?? '', reason);
      assert.match(line?.message ?? '', /kmp_rtmp_in_secret/);
      assert.match(String(line?.fields['peer']), /^127\.0\.0\.1:\d+$/);
      assert.deepEqual(more, []);
    }
    assert.equal(await metric('kmp_rtmp_rejected_senders_total{rule="signature"}'), 6);
    assert.doesNotMatch(log.text, new RegExp(`${KEY}|${SECRET}|${OTHER}`));
    healthy.send(frameAt(40, 'a1'));
    await healthyHas(['a0', 'a1']);
    assert.deepEqual((await service.management.upstreamIds()).ids, ['healthy']);
  });

  it('logs at most twenty refusals of one address at once', async () => {
    const begin = performance.now();
    for (let n = 0; n < 30; n++) await (await open({ upstream_id: 'healthy', url: url() })).closed;
    // And then one a second.
    const most = 20 + Math.ceil((performance.now() - begin) / 1000);
    const { length } = log.of('error');
    assert.ok(length >= 20 && length <= most, `${length} lines`);
    assert.equal(await metric('kmp_rtmp_rejected_senders_total{rule="signature"}'), 30);
    healthy.send(frameAt(40, 'a1'));
    await healthyHas(['a0', 'a1']);
  });

  it('a reload reads the file again: the old secret stays valid beside the new one, then it is gone', async () => {
    const data = { upstream_id: 'second', url: url('second') };
    folder.file('secrets', `${OTHER}\n${SECRET}\n`);
    await service.reload(config());
    await open(signed(data, SECRET));
    await eventually(() => ingest.connections.length === 2, 'an upstream with the old secret');
    await open(signed({ ...data, upstream_id: 'third' }, OTHER));
    await eventually(() => ingest.connections.length === 3, 'an upstream with the new secret');
    folder.file('secrets', `${OTHER}\n`);
    await service.reload(config());
    await (
      await open(signed({ ...data, upstream_id: 'fourth' }, SECRET))
    ).closed;
    assert.match(log.of('error').at(-1)?.message ?? '', /fits to none of the secrets/);
    healthy.send(frameAt(40, 'a1'));
    await healthyHas(['a0', 'a1']);
  });

  it('kmp_rtmp_control signs what it hands out, for the channel and the track of the answer', async () => {
    const callback = { event_type: 'publish', rtmp: { name: 'cam' }, media_info: { media_type: 'audio' } };
    const headers = { 'content-type': 'application/json' };
    const http = service.httpAddresses[0]?.port ?? 0;
    const reply = await send(http, 'POST', '/control', headers, '127.0.0.1', JSON.stringify(callback));
    const { channel_id, track_id, upstreams } = reply.json as {
      channel_id: string;
      track_id: string;
      upstreams: { connect_data: string }[];
    };
    const data = Buffer.from(upstreams[0]?.connect_data ?? '', 'base64').toString();
    assert.equal((JSON.parse(data) as { expires: number }).expires, NOW + 300);
    await (
      await open(data, channel_id, 'v9')
    ).closed;
    const sender = await open(data, channel_id, track_id);
    sender.send(frameAt(0, 'by control'));
    await eventually(() => ingest.connections.length === 2, 'the upstream of the route');
    const [, connection] = ingest.connections;
    await eventually(() => connection !== undefined && framesOf(connection).length === 1, 'its frame');
    // After five minutes it is of no use to anyone.
    wall += 301_000;
    await (
      await open(data, channel_id, track_id)
    ).closed;
    assert.match(log.of('error').at(-1)?.message ?? '', /expired 1 s ago/);
  });
});
