import assert from 'node:assert/strict';
import type { MediaSettings } from '../../../lib/config/settings.js';
import type { Upstream } from '../../../lib/upstream/upstream.js';
import type { UpstreamStatus } from '../../../lib/upstream/report/status.js';
import { eventually } from '../time/eventually.js';
import { audioMinf, frameAt, KmpSender, videoMinf, type MinfFields } from '../kmp/kmp-sender.js';
import { startKmp, type KmpService, type KmpServiceOptions } from './kmp-service.js';
import { ScriptableIngest, type Script } from '../ingest/scriptable-ingest.js';

/** Frames go out as they come. */
export const AT_ONCE = { outMinProcessDelay: 0, outMaxProcessDelay: 0, outFlushTimeout: 0, outOnfiPeriod: 0 } as const;

export interface LiveOptions extends KmpServiceOptions {
  /** Default: commands are answered. */
  readonly script?: Script;
  /** On top of {@link AT_ONCE}. */
  readonly settings?: Partial<MediaSettings>;
}

/** An ingest, a service that publishes to it, and senders that feed the service; all of upstream `u1`. */
export class Live {
  readonly senders: KmpSender[] = [];

  private constructor(
    public ingest: ScriptableIngest,
    readonly service: KmpService,
    private readonly port: number,
  ) {}

  static async start({ script, settings, ...options }: LiveOptions = {}): Promise<Live> {
    const ingest = await ScriptableIngest.start({ answers: true, ...script });
    // A server that answers is waited for, as by default.
    const outAnswerTimeout = script?.answers === false ? 0 : 5000;
    const service = await startKmp({ ...AT_ONCE, outAnswerTimeout, ...settings }, options);
    return new Live(ingest, service, ingest.port);
  }

  url(name = 's', authority = `127.0.0.1:${this.port}`): string {
    return `rtmp://${authority}/app/${name}`;
  }

  /** A sender that returns at the frame `frameId`, with its media info sent. */
  reopen(minf: Buffer, frameId: bigint): Promise<KmpSender> {
    return this.open(minf, {}, frameId);
  }

  async open(minf: Buffer, data: object = {}, frameId = 0n): Promise<KmpSender> {
    const all = { upstream_id: 'u1', url: this.url(), ...data };
    const sender = await KmpSender.open(this.service.port, all, { frameId });
    this.senders.push(sender);
    sender.send(minf);
    return sender;
  }

  /** A sender with its media info sent. */
  video(data: object = {}, minf: MinfFields = {}): Promise<KmpSender> {
    return this.open(videoMinf(minf), data);
  }

  audio(data: object = {}, minf: MinfFields = {}): Promise<KmpSender> {
    return this.open(audioMinf(minf), data);
  }

  /** One of each, of one stream. */
  async both(data: object = {}): Promise<{ video: KmpSender; audio: KmpSender }> {
    return { video: await this.video(data), audio: await this.audio(data) };
  }

  get upstream(): Upstream | undefined {
    return this.service.registry.get('u1');
  }

  status(): UpstreamStatus {
    const { upstream } = this;
    if (upstream === undefined) throw new Error('there is no upstream');
    return upstream.status();
  }

  /** Settles when the service has heard of so many confirmed publishes in all. */
  async confirmed(publishes: number): Promise<void> {
    const heard = (): number => this.service.log.text.split('NetStream.Publish.Start').length - 1;
    await eventually(() => heard() >= publishes, `${publishes} confirmed publishes`);
  }

  async state(wanted: UpstreamStatus['state']): Promise<void> {
    await eventually(() => this.upstream?.state === wanted, `the state ${wanted}`);
  }

  /** Settles when as many frames of the track have been received by the service. */
  async received(track: 'video' | 'audio', frames: number, name = 's'): Promise<void> {
    const has = (): number => this.upstream?.status().streams[name]?.tracks[track]?.input?.received_frames ?? 0;
    await eventually(() => has() >= frames, `${frames} frames of ${track}`);
  }

  /** All senders end; settles when the upstream has, in order. It must hold no more than its connect data by then. */
  async finish(): Promise<Upstream> {
    return this.finishAfter(() => {});
  }

  /** As {@link finish}, for an upstream that ends only after `wait`: it is called when no sender is left. */
  async finishAfter(wait: () => void): Promise<Upstream> {
    for (const sender of this.senders) if (!sender.isClosed) sender.end();
    await eventually(() => this.upstream?.hasInput !== true, 'the end of all senders');
    wait();
    const { reason, upstream } = await this.service.ended();
    assert.equal(reason, 'done');
    assert.equal(upstream.ledger.used, Buffer.byteLength(JSON.stringify(upstream.data)), 'what the ledger holds');
    return upstream;
  }

  /** The server is gone with all its connections: nothing listens there any more. */
  async killServer(): Promise<void> {
    await this.ingest.close();
  }

  /** Another one, on the same port. */
  async startServer(script: Script = {}): Promise<ScriptableIngest> {
    this.ingest = await ScriptableIngest.start({ answers: true, ...script }, this.port);
    return this.ingest;
  }

  async close(): Promise<void> {
    for (const sender of this.senders) sender.destroy();
    await this.service.close();
    await this.ingest.close();
  }
}

/** Video of groups of `size` frames, a frame every 40 ms, from frame `from` on; the payloads are `v0`, `v1` ... */
export function videoFrames(from: number, to: number, size = 5): Buffer[] {
  const numbers = Array.from({ length: to - from }, (_, i) => from + i);
  return numbers.map((n) => frameAt(n * 40, `v${n}`, { key: n % size === 0 }));
}

/** Audio, a frame every 40 ms, 10 ms behind the video's; the payloads are `a0`, `a1` ... */
export function audioFrames(from: number, to: number): Buffer[] {
  return Array.from({ length: to - from }, (_, i) => frameAt((from + i) * 40 + 10, `a${from + i}`));
}

/** The names of those frames. */
export function names(letter: 'v' | 'a', from: number, to: number): string[] {
  return Array.from({ length: to - from }, (_, i) => `${letter}${from + i}`);
}
