import type { Controller, InputFields, TrackFields } from '../../../lib/relay/controller.js';
import { renewer } from '../../../lib/relay/renewer.js';
import type { KmpTarget } from '../../../lib/send/client-options.js';
import { KmpClient } from '../../../lib/send/kmp-client.js';
import { Door } from './door.js';
import type { Arrivals } from './arrivals.js';
import { isKey, mediaInfo, payload, STEP, toUnits, type Kind } from './media.js';

const INPUT: InputFields = {
  ...{ app: 'live', flashVer: 'demo', swfUrl: '', tcUrl: 'rtmp://127.0.0.1/live', pageUrl: '' },
  ...{ address: '127.0.0.1', connection: 1 },
};

/** ms for which a sender tries to reconnect. */
const RETRY_FOR = 120_000;

/** One track of an encoder: the project's KMP sender, which asks a controller where to send to. */
class EncoderTrack {
  private readonly index: number;
  private number = 0;
  private client: KmpClient | undefined;
  private door: Door | undefined;

  constructor(
    private readonly name: string,
    private readonly kind: Kind,
    private readonly controller: Controller,
    private readonly arrivals: Arrivals,
  ) {
    this.index = arrivals.add(name, kind);
  }

  async start(): Promise<void> {
    const { name, kind, controller } = this;
    const track: TrackFields = { input: INPUT, name, args: '', publishType: 'live', info: mediaInfo(kind) };
    const { upstreams, ...ids } = await controller.publish(track);
    const [target] = upstreams;
    if (target === undefined) throw new Error(`the controller names no upstream for ${name}`);
    // Only the connections of audio tracks are cut by the demo.
    this.door = kind === 'audio' ? await Door.to(target.port, target.host) : undefined;
    const renew = renewer({ controller, track, ids, target });
    this.client = new KmpClient({
      ...this.through(target),
      ...ids,
      info: track.info,
      retryFirst: true,
      retryFor: RETRY_FOR,
      renew: async () => this.through(await renew()),
    });
    this.client.start();
  }

  /** Sends the frames that are due `ms` after the beginning. */
  tick(ms: number): void {
    const { client, kind, index } = this;
    for (; client !== undefined && this.number * STEP[kind] <= ms; this.number++) {
      const dts = toUnits(this.number * STEP[kind]);
      const key = isKey(kind, this.number);
      this.arrivals.sent(index);
      client.push({ created: toUnits(Date.now()), dts, ptsDelay: 0, key, data: payload(index, kind, this.number) });
    }
  }

  cut(): void {
    this.door?.cut();
  }

  /** Waits until all frames are acknowledged. */
  async finish(): Promise<void> {
    await this.client?.finish();
    await this.door?.close();
  }

  private through(target: KmpTarget): KmpTarget {
    if (this.door === undefined) return target;
    this.door.redirect(target.host, target.port);
    return { host: '127.0.0.1', port: this.door.port, connectData: target.connectData };
  }
}

/** A live encoder: a video and an audio track that begin together. */
export class Encoder {
  private readonly tracks: readonly EncoderTrack[];
  private beganAt = Infinity;

  constructor(name: string, controller: Controller, arrivals: Arrivals) {
    this.tracks = (['video', 'audio'] as const).map((kind) => new EncoderTrack(name, kind, controller, arrivals));
  }

  async start(): Promise<void> {
    await Promise.all(this.tracks.map((track) => track.start()));
    this.beganAt = performance.now();
  }

  /** @throws the error that a sender has failed with */
  tick(): void {
    for (const track of this.tracks) track.tick(performance.now() - this.beganAt);
  }

  cutAudio(): void {
    for (const track of this.tracks) track.cut();
  }

  async finish(): Promise<void> {
    await Promise.all(this.tracks.map((track) => track.finish()));
  }
}
