import net from 'node:net';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { Ingest } from '../../../lib/ingest/ingest.js';
import { DnsServer } from '../network/dns-server.js';
import { eventually } from '../time/eventually.js';
import { freePort } from '../network/free-port.js';
import { nullPacket } from '../kmp/kmp-bytes.js';
import { frameAt, KmpSender, videoMinf } from '../kmp/kmp-sender.js';
import { RunningService } from './running-service.js';
import { SlowLine } from '../network/slow-line.js';
import { serverTls } from '../network/tls-fixture.js';

/** ms between two frames of a sender. */
const FRAME = 40;
/** Size of a frame in bytes: 800 kbit/s. */
const SIZE = 4000;

/** A sender that sends frames in real time, as a live encoder does. */
export class LiveSender {
  private timer: NodeJS.Timeout;
  private sent = 0;
  private readonly began = performance.now();

  private constructor(
    readonly sender: KmpSender,
    size: number,
  ) {
    this.timer = setInterval(() => {
      while (this.sent * FRAME <= performance.now() - this.began) {
        const payload = Buffer.alloc(size, this.sent);
        sender.send(frameAt(this.sent * FRAME, payload, { key: this.sent % 25 === 0, created: Date.now() }));
        this.sent++;
      }
    }, FRAME);
  }

  static async start(port: number, id: string, url: string, size = SIZE): Promise<LiveSender> {
    const sender = await KmpSender.open(port, { upstream_id: id, url }, { channel: id.slice(0, 32) });
    sender.send(videoMinf());
    return new LiveSender(sender, size);
  }

  /** Stays connected, and sends no frames. With `keepAlive` it sends null packets, as an encoder that is frozen. */
  freeze({ keepAlive = false } = {}): void {
    clearInterval(this.timer);
    if (keepAlive) this.timer = setInterval(() => this.sender.send(nullPacket), 1000);
  }

  /** The connection breaks. */
  cut(): void {
    this.freeze();
    this.sender.destroy();
  }
}

/**
 * A whole service in which each upstream has another fault, with real senders and servers on loopback. Its status page
 * is at `/`.
 */
export class TroubledService {
  private readonly senders: LiveSender[] = [];
  private readonly closers: (() => Promise<unknown> | undefined)[] = [];
  private running: RunningService | undefined;

  get service(): RunningService {
    if (this.running === undefined) throw new Error('the service has not started');
    return this.running;
  }

  get url(): string {
    return `http://127.0.0.1:${this.service.service.httpAddresses[0]?.port}/`;
  }

  async start(): Promise<void> {
    const dns = await DnsServer.start({});
    this.closers.push(() => dns.close());
    this.running = await RunningService.start({
      media: `resolver ${dns.address}; kmp_rtmp_out_linger 10m; kmp_rtmp_out_timeout 5s; kmp_rtmp_in_read_timeout 10m;
        kmp_rtmp_out_max_lag 1s; kmp_rtmp_out_overload drop_frames; kmp_rtmp_out_flush_timeout 0;
        kmp_rtmp_out_write_meta_timeout 0; kmp_rtmp_out_min_process_delay 0; kmp_rtmp_out_answer_timeout 5s;`,
      http: 'location / { kmp_rtmp_status; }',
    });
    this.closers.push(() => this.running?.close());
    const good = await this.ingest(new Ingest({ timeout: 600_000 }));
    const refusing = await this.ingest(
      new Ingest({ refuse: () => ({ code: 'NetStream.Publish.BadName', description: 'stream key is not valid' }) }),
    );
    const tls = await this.ingest(new Ingest({ tls: serverTls }));
    const held = new Set<net.Socket>();
    const silent = net.createServer((socket) => held.add(socket.on('error', () => {}))).listen(0, '127.0.0.1');
    await once(silent, 'listening');
    this.closers.push(async () => {
      for (const socket of held) socket.destroy();
      await new Promise((resolve) => silent.close(resolve));
    });
    const line = await SlowLine.to(good);
    this.closers.push(() => line.close());
    const silentPort = (silent.address() as AddressInfo).port;

    await this.live('news-twitch', `rtmp://127.0.0.1:${good}/app/live_52034_kDwq8sPz`);
    await this.live('news-youtube', `rtmp://127.0.0.1:${good}/live2/f3k1-99aa-7bxe`);
    await this.live('wrong-key', `rtmp://127.0.0.1:${refusing}/app/an-old-key`);
    await this.live('wrong-name', 'rtmp://ingest.example.com/app/key');
    await this.live('wrong-certificate', `rtmps://127.0.0.1:${tls}/app/key`);
    await this.live('nobody-listens', `rtmp://127.0.0.1:${await freePort()}/app/key`);
    await this.live('no-answer', `rtmp://127.0.0.1:${silentPort}/app/key`);
    await this.live('slow-line', `rtmp://127.0.0.1:${line.port}/app/slow`, 20_000);
    const stalled = await this.live('encoder-froze', `rtmp://127.0.0.1:${good}/app/frozen`);
    const lost = await this.live('encoder-gone', `rtmp://127.0.0.1:${good}/app/gone`);
    await this.live('switched-off', `rtmp://127.0.0.1:${good}/app/off`);
    for (const id of ['news-twitch', 'slow-line', 'encoder-froze', 'encoder-gone', 'switched-off'])
      await this.service.shows(id, ({ state }) => state === 'publishing', `${id} to be published`);
    for (let n = 0; n < 3; n++) await this.failOnce(`rtmp://127.0.0.1:${refusing}/app/in-use`);
    line.rate = 80_000;
    stalled.freeze();
    lost.cut();
    await this.service.request('POST', '/api/upstreams/switched-off/disable');
    const states = { 'slow-line': 'degraded', 'encoder-froze': 'input_stalled', 'encoder-gone': 'input_lost' };
    for (const [id, expected] of Object.entries(states))
      await this.service.shows(id, ({ state }) => state === expected, `${id} to be ${expected}`);
    await eventuallyClosed(this.service, 6);
  }

  async close(): Promise<void> {
    for (const sender of this.senders) sender.cut();
    for (const close of this.closers.reverse()) await close();
  }

  private async live(id: string, url: string, size?: number): Promise<LiveSender> {
    const sender = await LiveSender.start(this.service.kmpPort, id, url, size);
    this.senders.push(sender);
    return sender;
  }

  /** A sender whose encoder starts it again and again. */
  private async failOnce(url: string): Promise<void> {
    const sender = await LiveSender.start(this.service.kmpPort, 'flapping', url);
    this.senders.push(sender);
    await sender.sender.closed;
    sender.cut();
  }

  private async ingest(ingest: Ingest): Promise<number> {
    await ingest.listen(0);
    this.closers.push(() => ingest.close());
    return ingest.port;
  }
}

/** Waits until as many upstreams have ended. */
async function eventuallyClosed(service: RunningService, count: number): Promise<void> {
  let ids = new Set<string>();
  const ask = async (): Promise<void> => {
    const { json } = await service.request('GET', '/api/closed');
    ids = new Set((json as { upstream_id: string }[]).map(({ upstream_id: id }) => id));
  };
  let asking: Promise<void> | undefined;
  await eventually(() => {
    asking ??= ask().finally(() => (asking = undefined));
    return ids.size >= count;
  }, `${count} upstreams to end`);
}
