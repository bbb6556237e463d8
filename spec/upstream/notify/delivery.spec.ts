import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { constants, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { mediaSettings, type MediaSettings } from '../../../lib/config/settings.js';
import { notificationOf, type NotificationBody } from '../../../lib/upstream/notify/notification.js';
import { Notifier, type NotifierOptions } from '../../../lib/upstream/notify/notifier.js';
import { eventually } from '../../support/time/eventually.js';
import { FakeClock } from '../../support/time/fake-clock.js';
import { httpTarget, reply, type HttpTarget, type RawRequest } from '../../support/network/http-target.js';
import { LogLines } from '../../support/service/log-lines.js';

const url = 'rtmp://192.0.2.1/app/streamsecret';

function started(id: string, away = 0): NotificationBody {
  const event = { type: 'publish_start', reason: 'first', message: 'up', stream: 's', away_ms: away } as const;
  return notificationOf(event, { id, data: { url, header: undefined, opaque: undefined }, serverStatus: null });
}

function closed(id: string): NotificationBody {
  const event = { type: 'rtmp_close', reason: 'done', message: 'all is sent' } as const;
  return notificationOf(event, { id, data: { url, header: undefined, opaque: undefined }, serverStatus: null });
}

function header({ head }: RawRequest, name: string): string {
  const line = head.split('\r\n').find((one) => one.toLowerCase().startsWith(`${name.toLowerCase()}:`)) ?? '';
  return line.slice(name.length + 1).trim();
}

describe('delivery of notifications', { timeout: 60_000 }, () => {
  const targets: HttpTarget[] = [];
  let clock: FakeClock;
  let log: LogLines;
  let notifier: Notifier;

  beforeEach(() => {
    clock = new FakeClock();
    log = new LogLines();
    make();
  });
  afterEach(async () => {
    await notifier.drain(0);
    for (const one of targets.splice(0)) await one.close();
  });

  /** Without chance in the waits: 1 s, 2 s, 4 s and so on. */
  function make(options: NotifierOptions = {}): void {
    notifier = new Notifier({ clock, log, random: () => 0, ...options });
  }

  /** Answers the requests with these statuses, the last one from then on; 0: closes the connection. */
  async function target(...statuses: number[]): Promise<HttpTarget> {
    let n = 0;
    const made = await httpTarget((socket) => {
      const status = statuses[Math.min(n++, statuses.length - 1)] ?? 200;
      if (status === 0) socket.destroy();
      else reply(socket, status);
    });
    targets.push(made);
    return made;
  }

  function to(web: HttpTarget, more: Partial<MediaSettings> = {}): MediaSettings {
    const outNotifEvents = ['rtmp_close', 'publish_start'] as const;
    // Longer than all waits, so that the waits are recognized.
    const timeouts = { outNotifTimeout: 900_000, outNotifReadTimeout: 900_000 };
    return mediaSettings({ outNotifUrl: web.url, outNotifEvents, ...timeouts, ...more });
  }

  /** Waits until the next thing that happens by time is `ms` away. */
  async function waits(ms: number): Promise<void> {
    await eventually(() => clock.untilNext === ms, `a wait of ${ms} ms`);
  }

  const bodies = (web: HttpTarget): { [field: string]: unknown }[] =>
    web.requests.map(({ body }) => JSON.parse(body) as { [field: string]: unknown });

  it('gives each notification an id, a time, a sequence number and an attempt', async () => {
    const web = await target(204);
    notifier.notify(started('u1'), to(web), 7);
    clock.advance(5);
    notifier.notify(started('u1', 12), to(web), 7);
    notifier.notify(started('u2'), to(web), 8);
    await eventually(() => notifier.counters.sent === 3, 'three deliveries');
    const first = bodies(web).filter((body) => body['upstream_id'] === 'u1');
    assert.deepEqual(
      first.map(({ time, sequence, attempt, connection, away_ms }) => [time, sequence, attempt, connection, away_ms]),
      [
        ['2026-01-01T00:00:00.000Z', 1, 1, 7, 0],
        ['2026-01-01T00:00:00.005Z', 2, 1, 7, 12],
      ],
    );
    const ids = web.requests.map((request) => header(request, 'X-Kmp-Rtmp-Id'));
    for (const id of ids) assert.match(id, /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
    assert.equal(new Set(ids).size, 3);
    assert.deepEqual(
      bodies(web).map(({ id }) => id),
      ids,
    );
    const [other] = bodies(web).filter((body) => body['upstream_id'] === 'u2');
    assert.equal(other?.['sequence'], 1, 'each upstream has its own numbers');
  });

  it('keeps the body of rtmp_close, and identifies it in the headers', async () => {
    const web = await target(204);
    notifier.notify(started('u1'), to(web), 7);
    notifier.notify(closed('u1'), to(web), 7);
    await eventually(() => notifier.counters.sent === 2, 'two deliveries');
    const request = web.requests[1];
    assert.ok(request);
    assert.equal(
      request.body,
      `{"event_type":"rtmp_close","reason":"done","upstream_id":"u1","url":"${url}","header":"","opaque":""}`,
    );
    assert.equal(header(request, 'X-Kmp-Rtmp-Sequence'), '2');
    assert.equal(header(request, 'X-Kmp-Rtmp-Attempt'), '1');
    assert.equal(header(request, 'X-Kmp-Rtmp-Connection'), '7');
    assert.equal(header(request, 'X-Kmp-Rtmp-Time'), '2026-01-01T00:00:00.000Z');
  });

  it('sends again what failed, after 1 s, 2 s, 4 s, with the same id', async () => {
    const web = await target(503, 0, 429, 204);
    notifier.notify(started('u1'), to(web));
    for (const [n, wait] of [1000, 2000, 4000].entries()) {
      await waits(wait);
      assert.equal(web.requests.length, n + 1);
      clock.advance(wait - 1);
      assert.equal(web.requests.length, n + 1);
      clock.advance(1);
      await web.received(n + 2);
    }
    await eventually(() => notifier.counters.sent === 1, 'the delivery');
    assert.deepEqual(
      bodies(web).map(({ attempt }) => attempt),
      [1, 2, 3, 4],
    );
    assert.equal(new Set(bodies(web).map(({ id }) => id)).size, 1);
    assert.deepEqual(notifier.deliveryCounters, { retried: 3, dropped: 0 });
    assert.deepEqual(notifier.counters, { sent: 1, failed: 0 });
    assert.equal(log.of('warn').length, 1, 'an outage is logged once');
    assert.equal(log.of('error').length, 0);
    assert.match(log.text, /notifications to .* are delivered again/);
  });

  it('waits for as long as the target asks', async () => {
    let answers = 0;
    const web = await httpTarget((socket) => {
      if (answers++ === 0) reply(socket, 503, '', { 'Retry-After': '17' });
      else reply(socket, 204);
    });
    targets.push(web);
    notifier.notify(started('u1'), to(web));
    await waits(17_000);
    clock.advance(17_000);
    await eventually(() => notifier.counters.sent === 1, 'the delivery');
  });

  it('gives up after kmp_rtmp_out_notif_retry, and what waited as long with it', async () => {
    const web = await target(503);
    notifier.notify(started('u1'), to(web, { outNotifRetry: 10_000 }));
    notifier.notify(started('u1'), to(web, { outNotifRetry: 10_000 }));
    clock.advance(1);
    notifier.notify(started('u1'), to(web, { outNotifRetry: 60_000 }));
    // 1 + 2 + 4 s, and the rest of the 10 s.
    for (const wait of [1000, 2000, 4000, 2999]) {
      await waits(wait);
      clock.advance(wait);
    }
    await eventually(() => notifier.counters.failed === 2, 'the end of two');
    await web.received(6);
    const sequences = bodies(web).map(({ sequence }) => sequence);
    assert.deepEqual(sequences, [1, 1, 1, 1, 1, 3]);
    assert.match(log.text, /notification to .* failed: the target answered with HTTP status 503/);
  });

  it('does not repeat what the target refuses for good', async () => {
    const web = await target(400, 204);
    notifier.notify(started('u1'), to(web));
    notifier.notify(started('u1', 5), to(web));
    await eventually(() => notifier.counters.sent === 1, 'the delivery of the second');
    assert.deepEqual(notifier.counters, { sent: 1, failed: 1 });
    assert.deepEqual(
      bodies(web).map(({ sequence }) => sequence),
      [1, 2],
    );
  });

  it('sends once if kmp_rtmp_out_notif_retry is 0', async () => {
    const web = await target(503);
    notifier.notify(closed('u1'), to(web, { outNotifRetry: 0 }));
    await eventually(() => notifier.counters.failed === 1, 'the failure');
    assert.equal(notifier.pending, 0);
    assert.equal(web.requests.length, 1);
  });

  it('keeps the order of each upstream, and lets no upstream wait for another', async () => {
    const seen: string[] = [];
    const web = await httpTarget((socket, { body }) => {
      const { upstream_id: id, away_ms: n } = JSON.parse(body) as { upstream_id: string; away_ms: number };
      seen.push(`${id} ${n}`);
      const fails = id === 'bad' && seen.filter((one) => one === 'bad 0').length === 1;
      reply(socket, fails ? 500 : 204);
    });
    targets.push(web);
    for (let n = 0; n < 5; n++) for (const id of ['bad', 'good']) notifier.notify(started(id, n), to(web));
    await eventually(() => notifier.counters.sent === 5, 'the delivery of the good ones');
    assert.deepEqual(
      seen.filter((one) => one.startsWith('bad')),
      ['bad 0'],
    );
    await waits(1000);
    clock.advance(1000);
    await eventually(() => notifier.counters.sent === 10, 'the delivery of all');
    assert.deepEqual(
      seen.filter((one) => one.startsWith('bad')),
      ['bad 0', 'bad 0', 'bad 1', 'bad 2', 'bad 3', 'bad 4'],
    );
  });

  it('drops the oldest beyond its limits, and says how many', async () => {
    const web = await target(503, 204);
    make({ maxHeldPerUpstream: 3 });
    for (let n = 0; n < 10; n++) notifier.notify(started('u1', n), to(web));
    // The first one was being sent.
    assert.equal(notifier.pending, 3);
    assert.deepEqual(notifier.deliveryCounters, { retried: 0, dropped: 7 });
    await waits(1000);
    clock.advance(1000);
    await eventually(() => notifier.counters.sent === 3, 'the delivery of the rest');
    assert.deepEqual(
      bodies(web).map(({ away_ms }) => away_ms),
      [0, 0, 8, 9],
    );
    assert.deepEqual(notifier.counters, { sent: 3, failed: 7 });
    assert.match(log.text, /7 notifications were not sent, because too many were waiting/);
  });

  it('limits the notifications of all targets together: those of a dead one are dropped, not those of another', async () => {
    const dead = await target(503);
    const web = await target(204);
    make({ maxHeld: 20, maxInFlight: 5 });
    for (let n = 0; n < 50; n++) notifier.notify(started(`d${n}`), to(dead));
    for (let n = 0; n < 5; n++) notifier.notify(started('u1', n), to(web));
    await eventually(() => notifier.counters.sent === 5, 'the delivery to the other');
    assert.equal(notifier.deliveryCounters.dropped, notifier.counters.failed);
    assert.ok(notifier.pending <= 20);
  });

  it('tries everything once more when it stops', async () => {
    const web = await target(503, 503, 204);
    notifier.notify(started('u1', 1), to(web));
    notifier.notify(started('u1', 2), to(web));
    await waits(1000);
    assert.equal(await notifier.drain(5000), true);
    assert.deepEqual(
      bodies(web).map(({ away_ms }) => away_ms),
      [1, 1, 2],
    );
    assert.deepEqual(notifier.counters, { sent: 1, failed: 1 });
  });

  describe('signatures', () => {
    const signed = (request: RawRequest, secret: string): string => {
      const parts = [header(request, 'X-Kmp-Rtmp-Id'), header(request, 'X-Kmp-Rtmp-Timestamp'), request.body];
      return `sha256=${createHmac('sha256', secret).update(parts.join('.')).digest('hex')}`;
    };

    it('cover id, time of sending and body', async () => {
      const web = await target(503, 204);
      notifier.notify(started('ü'), to(web, { outNotifSecret: 's3cret' }));
      await waits(1000);
      clock.advance(1000);
      await eventually(() => notifier.counters.sent === 1, 'the delivery');
      const times = web.requests.map((request) => header(request, 'X-Kmp-Rtmp-Timestamp'));
      // 2026-01-01, and a second later
      assert.deepEqual(times, ['1767225600', '1767225601']);
      for (const request of web.requests) {
        assert.equal(header(request, 'X-Kmp-Rtmp-Signature'), signed(request, 's3cret'));
      }
    });

    it('are absent without a secret', async () => {
      const web = await target(204);
      notifier.notify(started('u1'), to(web));
      await web.received(1);
      assert.doesNotMatch(web.requests[0]?.head ?? '', /X-Kmp-Rtmp-(Signature|Timestamp)/i);
    });

    it('use the secret in a file, as it is at each request, and send nothing without it', async () => {
      const folder = mkdtempSync(join(tmpdir(), 'kmp-rtmp-secret-'));
      try {
        const file = join(folder, 'secret');
        const web = await target(503, 204);
        const settings = to(web, { outNotifSecretFile: file });
        notifier.notify(started('u1'), settings);
        await waits(1000);
        assert.equal(web.requests.length, 0);
        assert.match(
          log.text,
          /the secret cannot be read: the file does not exist; check kmp_rtmp_out_notif_secret_file/,
        );
        writeFileSync(file, 'first\n');
        clock.advance(1000);
        await waits(2000);
        writeFileSync(file, 'second\n');
        clock.advance(2000);
        await eventually(() => notifier.counters.sent === 1, 'the delivery');
        const [one, two] = web.requests;
        assert.ok(one && two);
        assert.equal(header(one, 'X-Kmp-Rtmp-Signature'), signed(one, 'first'));
        assert.equal(header(two, 'X-Kmp-Rtmp-Signature'), signed(two, 'second'));
      } finally {
        rmSync(folder, { recursive: true });
      }
    });

    it('do not wait for a secret from a pipe', async () => {
      const folder = mkdtempSync(join(tmpdir(), 'kmp-rtmp-secret-'));
      const pipe = join(folder, 'pipe');
      try {
        execFileSync('mkfifo', [pipe]);
        const web = await target(204);
        notifier.notify(started('u1'), to(web, { outNotifSecretFile: pipe }));
        await waits(1000);
        assert.match(log.text, /the secret cannot be read: it is not a regular file/);
        assert.equal(web.requests.length, 0);
      } finally {
        // A read that waits ends when a writer closes. Without a reader, opening the pipe fails.
        await open(pipe, constants.O_WRONLY | constants.O_NONBLOCK).then(
          (end) => end.close(),
          () => undefined,
        );
        rmSync(folder, { recursive: true });
      }
    });
  });
});
