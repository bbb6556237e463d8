import { KmpClient } from '../../../lib/send/kmp-client.js';
import type { MediaInfo } from '../../../lib/media/media-info.js';
import { STEP } from './live-sender.js';
import { stampedPayload } from './stamp.js';

const VIDEO: MediaInfo = {
  ...{ mediaType: 'video', codecId: 7, timescale: 90000, bitrate: 500_000, extraData: Buffer.from('avcC') },
  ...{ width: 1280, height: 720, frameRateNum: 25, frameRateDenom: 1, ceaCaptions: 0 },
};
const AUDIO: MediaInfo = {
  ...{ mediaType: 'audio', codecId: 1010, timescale: 90000, bitrate: 100_000, extraData: Buffer.from('asc') },
  ...{ channels: 2, bitsPerSample: 16, sampleRate: 48000, channelLayout: 3n },
};

/** Frames from key frame to key frame. */
const GROUP = 25;

/** A sender of one live track that reconnects after each cut, and continues after the last acknowledged frame. */
export class ReturningSender {
  sent = 0;
  private readonly client: KmpClient;
  private running = true;
  private readonly done: Promise<void>;

  constructor(
    port: number,
    readonly track: number,
    private readonly kind: 'video' | 'audio',
    data: object,
  ) {
    this.client = new KmpClient({
      ...{ host: '127.0.0.1', port, channelId: 'ch', trackId: `t${track}`, initialFrameId: 1n },
      ...{ connectData: JSON.stringify(data), info: kind === 'video' ? VIDEO : AUDIO },
    });
    this.done = this.play();
    // It is awaited in the end; until then nobody looks.
    this.done.catch(() => {});
  }

  /** Connections after the first. */
  get reconnects(): number {
    return this.client.reconnects;
  }

  /** Sends no new frames; settles when all are acknowledged and the track has ended. */
  async finish(): Promise<void> {
    this.running = false;
    await this.done;
    await this.client.finish();
  }

  destroy(): void {
    this.running = false;
    this.client.destroy();
  }

  private async play(): Promise<void> {
    await this.client.open();
    for (let due = performance.now(); this.running; due += STEP[this.kind]) {
      const wait = due - performance.now();
      if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
      const number = this.sent++;
      await this.client.frame({
        ...{ created: Date.now() * 90, dts: number * STEP[this.kind] * 90, ptsDelay: 0 },
        key: this.kind === 'audio' || number % GROUP === 0,
        data: stampedPayload({ track: this.track, number }, this.kind === 'video' ? 2500 : 250),
      });
    }
  }
}
