// An event goes wrong: five faults made on purpose at the same moment, and after how many seconds the status page, a
// notification and an alert of prometheus show each of them. The spec prints the figures of docs/troubleshooting.md.
import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Ingest } from '../../lib/ingest/ingest.js';
import { Browser, hasBrowser } from '../support/programs/browser.js';
import { Folder } from '../support/process/cli.js';
import { freePort } from '../support/network/free-port.js';
import { RunningService } from '../support/service/running-service.js';
import { SlowLine } from '../support/network/slow-line.js';
import { LiveSender } from '../support/service/troubled-service.js';

/** Fault by upstream: what the page, the first notification and the alert show. */
const FAULTS: Readonly<Record<string, readonly [page: RegExp, notification: string, alert: string]>> = {
  'refused-key': [/publish_rejected: .*BadName/, 'publish_failed', 'KmpRtmpUpstreamRefused'],
  'server-killed': [/(recv|send|handshake)_failed/, 'publish_end', 'KmpRtmpUpstreamNotPublishing'],
  'encoder-frozen': [/input stalled/, 'input_lost', 'KmpRtmpInputStalled'],
  'sender-frozen': [/input stalled/, 'input_lost', 'KmpRtmpUpstreamFailed'],
  'slow-line': [/degraded/, 'degraded', 'KmpRtmpUpstreamDegraded'],
};

interface Alerts {
  readonly data: { readonly alerts: { readonly state: string; readonly labels: Record<string, string> }[] };
}

const EVENTS = 'rtmp_close rtmp_reconnect publish_start publish_end publish_failed input_lost degraded';

describe('an event goes wrong', { skip: hasBrowser ? false : 'no /usr/bin/chromium; or give CHROMIUM' }, () => {
  const folder = new Folder();
  const senders = new Map<string, LiveSender>();
  const ingests: Ingest[] = [];
  let refuses = false;
  let service: RunningService;
  let line: SlowLine;
  let browser: Browser;
  let prometheus: ChildProcess;
  let prometheusUrl: string;

  async function ingest(options: ConstructorParameters<typeof Ingest>[0] = {}): Promise<Ingest> {
    const made = new Ingest({ timeout: 600_000, ...options });
    await made.listen(0);
    ingests.push(made);
    return made;
  }

  before(
    async () => {
      service = await RunningService.start({
        media: `kmp_rtmp_out_reconnects unlimited; kmp_rtmp_out_overload drop_frames; kmp_rtmp_out_answer_timeout 5s;
          kmp_rtmp_out_write_meta_timeout 0; kmp_rtmp_out_notif_events ${EVENTS};`,
        http: 'location / { kmp_rtmp_status; }',
      });
      const httpPort = service.service.httpAddresses[0]?.port ?? 0;
      const port = await freePort();
      prometheusUrl = `http://127.0.0.1:${port}`;
      const config = join(folder.path, 'prometheus.yml');
      writeFileSync(
        config,
        `global: { scrape_interval: 15s, evaluation_interval: 15s }
rule_files: ['${resolve('docs/prometheus-alerts.yml')}']
scrape_configs:
  - job_name: kmp-rtmp
    static_configs: [{ targets: ['127.0.0.1:${httpPort}'] }]
`,
      );
      const data = join(folder.path, 'data');
      const flags = [
        `--config.file=${config}`,
        `--storage.tsdb.path=${data}`,
        `--web.listen-address=127.0.0.1:${port}`,
      ];
      prometheus = spawn('prometheus', flags, { stdio: 'ignore' });
      browser = await Browser.open({ viewport: { width: 1440, height: 1200 } });
    },
    { timeout: 60_000 },
  );
  after(async () => {
    for (const sender of senders.values()) sender.cut();
    await browser.close();
    prometheus.kill('SIGKILL');
    await once(prometheus, 'exit');
    await service.close();
    await line.close();
    for (const one of ingests) await one.close();
    folder.remove();
  });

  it('the page, a notification and an alert show each fault', { timeout: 280_000 }, async (context) => {
    const good = await ingest();
    const dying = await ingest();
    const picky = await ingest({
      refuse: () =>
        refuses ? { code: 'NetStream.Publish.BadName', description: 'stream key is not valid' } : undefined,
    });
    line = await SlowLine.to(good.port);
    const ports = {
      'refused-key': picky.port,
      'server-killed': dying.port,
      'encoder-frozen': good.port,
      'sender-frozen': good.port,
      'slow-line': line.port,
    };
    const start = async (id: string, port: number): Promise<void> => {
      senders.set(id, await LiveSender.start(service.kmpPort, id, `rtmp://127.0.0.1:${port}/app/${id}`, 10_000));
    };
    for (const [id, port] of Object.entries(ports)) if (id !== 'refused-key') await start(id, port);
    for (const id of senders.keys()) await service.shows(id, ({ state }) => state === 'publishing', `${id} to publish`);
    const page = await browser.context.newPage();
    await page.goto(`http://127.0.0.1:${service.service.httpAddresses[0]?.port}/`);
    await page.locator('#connection-text', { hasText: 'Live' }).waitFor();
    // Prometheus knows the health before.
    await sleep(20_000);

    refuses = true;
    const began = performance.now();
    await dying.close();
    senders.get('encoder-frozen')?.freeze({ keepAlive: true });
    senders.get('sender-frozen')?.freeze();
    // 10000 bytes a frame, 25 frames a second: half of it.
    line.rate = 125_000;
    await start('refused-key', picky.port);

    const shown = new Map<string, number>();
    const saw = (id: string, where: string): void => {
      const key = `${id} ${where}`;
      if (!shown.has(key)) shown.set(key, (performance.now() - began) / 1000);
    };
    const all = Object.keys(FAULTS).flatMap((id) => ['page', 'notification', 'alert'].map((where) => `${id} ${where}`));
    while (all.some((key) => !shown.has(key)) && performance.now() - began < 200_000) {
      const rows = await page.locator('tbody tr:not(.gap)').allInnerTexts();
      const alerts = await fetch(`${prometheusUrl}/api/v1/alerts`).then(
        async (answer) => ((await answer.json()) as Alerts).data.alerts,
        () => [],
      );
      const notified = service.target.requests.map(
        ({ body }) => JSON.parse(body) as { event_type: string; upstream_id: string },
      );
      for (const [id, [words, event, alert]] of Object.entries(FAULTS)) {
        if (rows.some((text) => text.startsWith(id) && words.test(text))) saw(id, 'page');
        if (notified.some((one) => one.upstream_id === id && one.event_type === event)) saw(id, 'notification');
        const fires = alerts.some(
          ({ state, labels }) => state === 'firing' && labels['alertname'] === alert && labels['upstream'] === id,
        );
        if (fires) saw(id, 'alert');
      }
      await sleep(100);
    }
    for (const id of Object.keys(FAULTS)) {
      const seconds = ['page', 'notification', 'alert'].map((where) => {
        const at = shown.get(`${id} ${where}`);
        return `${where} ${at === undefined ? 'never' : `${at.toFixed(1)} s`}`;
      });
      context.diagnostic(`${id}: ${seconds.join(', ')}`);
      console.log(`${id}: ${seconds.join(', ')}`);
    }
    assert.deepEqual(
      all.filter((key) => !shown.has(key)),
      [],
      'shown nowhere',
    );
  });
});
