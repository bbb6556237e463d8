import type { Clock } from '../time/clock.js';
import { messageOf } from '../base/errors.js';
import type { Logger } from '../base/logger.js';
import type { MediaInfo } from '../media/media-info.js';
import type { OutFrame } from '../send/client-options.js';
import { KmpClient } from '../send/kmp-client.js';
import type { Controller, PublishTargets, TrackFields, UpstreamTarget } from './controller.js';
import { renewer } from './renewer.js';

export interface LiveUpstreamOptions {
  readonly target: UpstreamTarget;
  /** Name of the stream in the log. */
  readonly label: string;
  readonly track: TrackFields;
  readonly ids: Omit<PublishTargets, 'upstreams'>;
  readonly controller: Controller;
  readonly clock: Clock;
  readonly log: Logger;
  /** Bytes; see `KmpClientOptions.maxHeld`. */
  readonly maxHeld: number;
  /** ms without success after which the upstream ends. */
  readonly retryFor: number;
  /** The upstream has ended for good, not because of {@link LiveUpstream.end}. */
  readonly onEnd: (upstream: LiveUpstream, why: string) => void;
}

/**
 * One upstream of a live track: a KMP connection, which is made again when it breaks. The controller is asked each time
 * where it goes to.
 */
export class LiveUpstream {
  readonly client: KmpClient;
  readonly required: boolean;
  private isOver = false;
  /** Frames left out since the buffer became full; 0 while it has room. */
  private leftOut = 0;

  constructor(private readonly options: LiveUpstreamOptions) {
    const { target, ids, track, controller, clock, log, maxHeld, retryFor } = options;
    const { host, port, connectData } = target;
    this.required = target.required;
    this.client = new KmpClient({
      ...{ host, port, connectData, clock, log, maxHeld, retryFor },
      ...{ ...ids, info: track.info, live: true, retryFirst: true },
      renew: renewer({ controller, track, ids, target, onRefused: (why) => this.fail(why) }),
    });
    this.client.start();
  }

  /**
   * True if the track has to wait for this upstream. One that is not required does not make the others wait: its frames
   * are left out instead.
   */
  get isFull(): boolean {
    return this.required && !this.isOver && this.client.isFull();
  }

  /** Settles when the upstream is not full, or has ended. */
  async room(): Promise<void> {
    await this.client.room().catch((error: unknown) => this.fail(messageOf(error)));
  }

  frame(frame: OutFrame, info: MediaInfo): void {
    if (this.isOver || !this.hasPlace(frame, info)) return;
    this.client.mediaInfo(info);
    try {
      this.client.push(frame);
    } catch (error) {
      this.fail(messageOf(error));
    }
  }

  /** Ends in order, within three times `wait` ms. */
  async end(wait: number): Promise<void> {
    if (this.isOver) return;
    this.isOver = true;
    await this.client.end(wait).catch((error: unknown) => this.options.log.debug(messageOf(error)));
  }

  destroy(): void {
    this.isOver = true;
    this.client.destroy();
  }

  /** False for a frame that is left out. Video continues at a key frame then. */
  private hasPlace({ key }: OutFrame, { mediaType }: MediaInfo): boolean {
    const waitsForKey = this.leftOut > 0 && mediaType === 'video' && !key;
    if (!this.required && (waitsForKey || this.client.isFull())) {
      if (this.leftOut++ === 0)
        this.options.log.warn(`${this.name}: the service does not take the track: frames are left out`);
      return false;
    }
    if (this.leftOut > 0) this.options.log.info(`${this.name}: ${this.leftOut} frames were left out`);
    this.leftOut = 0;
    return true;
  }

  private get name(): string {
    const { target, track, label } = this.options;
    // The controller of this project begins the id with the name of the stream.
    const id = track.name === '' ? target.id : target.id.replaceAll(track.name, label);
    return `upstream ${id} (${track.info.mediaType})`;
  }

  private fail(why: string): void {
    if (this.isOver) return;
    this.destroy();
    this.options.onEnd(this, why);
  }
}
