import { afterEach, beforeEach, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { audioMinf, frameAt, KmpSender } from '../support/kmp/kmp-sender.js';
import { AT_ONCE_DIRECTIVES, RunningService } from '../support/service/running-service.js';
import { ScriptableIngest } from '../support/ingest/scriptable-ingest.js';

const settings = `
  ${AT_ONCE_DIRECTIVES}
  kmp_rtmp_out_answer_timeout 5s; kmp_rtmp_out_onfi_period 0;
  kmp_rtmp_out_notif_events rtmp_close rtmp_reconnect publish_start publish_end publish_failed;`;

interface Body {
  readonly event_type: string;
  readonly reason: string;
  readonly message?: string;
  readonly stream?: string;
  readonly [field: string]: unknown;
}

describe('the events of an upstream are notified', { timeout: 90_000 }, () => {
  let ingest: ScriptableIngest;
  let running: RunningService;
  const senders: KmpSender[] = [];

  async function publish(name = 'streamkey'): Promise<KmpSender> {
    const url = `rtmp://127.0.0.1:${ingest.port}/app/${name}`;
    const sender = await KmpSender.open(running.kmpPort, { upstream_id: 'id1', url });
    senders.push(sender);
    sender.send(audioMinf(), frameAt(0, 'first'));
    return sender;
  }

  /** Waits for `count` notifications in addition to those before, and returns them in the order of their arrival. */
  async function notified(count: number): Promise<Body[]> {
    const first = running.target.requests.length - running.unseen;
    for (let i = 0; i < count; i++) await running.notified();
    return running.target.requests.slice(first, first + count).map(({ body }) => JSON.parse(body) as Body);
  }

  const words = (bodies: readonly Body[]): string[] =>
    bodies.map(({ event_type, reason }) => `${event_type} ${reason}`);

  beforeEach(async () => {
    ingest = await ScriptableIngest.start({ answers: true });
  });
  afterEach(async () => {
    for (const sender of senders.splice(0)) sender.destroy();
    await running.close();
    await ingest.close();
  });

  it('publish_start and publish_end around a reconnect', async () => {
    await start('kmp_rtmp_out_reconnects 3; kmp_rtmp_out_reconnect_interval 1ms;');
    const sender = await publish();
    const first = await ingest.next();
    await first.command('publish');
    const [begun] = await notified(1);
    assert.equal(begun?.event_type, 'publish_start');
    assert.equal(begun.reason, 'first');
    assert.equal(begun.stream, 'streamkey');
    assert.equal(begun.away_ms, 0);
    // Nothing more goes out by itself: a write would notice the reset first.
    await first.message(({ payload }) => payload.toString('latin1').endsWith('first'));
    first.reset();
    const broken = await notified(3);
    assert.deepEqual(words(broken), ['publish_end recv_failed', 'rtmp_reconnect recv_failed', 'publish_start again']);
    assert.match(`${broken[0]?.message}`, /ECONNRESET|closed|reset/);
    sender.end();
    assert.deepEqual(words(await notified(2)), ['publish_end done', 'rtmp_close done']);
    const { text } = await running.request('GET', '/metrics');
    assert.match(text, /^kmp_rtmp_upstream_events_total\{event="publish_start"\} 2$/m);
    assert.match(text, /^kmp_rtmp_upstream_events_total\{event="rtmp_close"\} 1$/m);
    assert.match(text, /^kmp_rtmp_upstream_events_total\{event="failover"\} 0$/m);
    assert.match(running.log.text, /publish_start: the server publishes the stream again/);
    assert.doesNotMatch(running.log.text, /streamkey/);
  });

  it('publish_failed with the words of the server', async () => {
    ingest.script = { answers: true, rejectPublish: { code: 'NetStream.Publish.BadName', description: 'taken' } };
    await start('');
    await publish();
    const [failed, closed] = await notified(2);
    assert.equal(failed?.event_type, 'publish_failed');
    assert.equal(failed.reason, 'publish_rejected');
    assert.match(`${failed.message}`, /NetStream\.Publish\.BadName: taken/);
    assert.equal(failed.failures, 1);
    assert.equal(closed?.event_type, 'rtmp_close');
    assert.equal(closed.message, undefined);
    const { text } = await running.request('GET', '/metrics');
    assert.match(text, /^kmp_rtmp_failed_upstream_attempts\{upstream="id1",reason="publish_rejected"\} 1$/m);
  });

  it('publish_failed once in a series of failures for the same reason', async () => {
    ingest.script = { answers: true, rejectPublish: { code: 'NetStream.Publish.Failed', description: 'busy' } };
    await start('kmp_rtmp_out_reconnects 3; kmp_rtmp_out_reconnect_interval 1ms;');
    await publish();
    for (let i = 0; i < 3; i++) await (await ingest.next()).command('publish');
    ingest.script = { answers: true };
    const seen = await notified(5);
    assert.deepEqual(words(seen), [
      'publish_failed publish_rejected',
      'rtmp_reconnect publish_rejected',
      'rtmp_reconnect publish_rejected',
      'rtmp_reconnect publish_rejected',
      'publish_start first',
    ]);
  });

  async function start(media: string): Promise<void> {
    running = await RunningService.start({ media: settings + media });
  }
});
