import { messageOf } from '../base/errors.js';
import type { Clock } from '../time/clock.js';
import { within } from '../time/within.js';
import type { Logger } from '../base/logger.js';
import { codecName } from '../media/codec.js';
import { heldBytes } from '../media/held-bytes.js';
import type { MediaInfo } from '../media/media-info.js';
import type { OutFrame } from '../send/client-options.js';
import { ControlError, type Controller, type PublishTargets, type TrackFields } from './controller.js';
import { LiveUpstream } from './live-upstream.js';

/** Limits of live tracks. */
export interface LiveSettings {
  /** Most bytes that frames held for one track and upstream may take. */
  readonly maxHeld: number;
  /** ms without success after which an upstream that is required ends. Others are tried as long as the input lasts. */
  readonly retryFor: number;
  /** ms of each wait at the end of a track: for the controller, the last frames, acknowledgements, the other end. */
  readonly endWait: number;
}

/** What all tracks share. */
export interface LiveContext {
  readonly controller: Controller;
  readonly clock: Clock;
  readonly log: Logger;
  readonly settings: LiveSettings;
  /** Name of the stream in the log. */
  readonly label: string;
}

/** Why a track cannot go on. */
export interface LiveFailure {
  /** The controller refused the track; else something failed. */
  readonly refused: boolean;
  readonly why: string;
}

/**
 * One track of a live input: asks the controller where to send it, and sends its frames to all upstreams of the answer.
 * Frames that come before the answer wait.
 */
export class LiveTrack {
  private readonly upstreams: LiveUpstream[] = [];
  private waiting: { readonly frame: OutFrame; readonly info: MediaInfo }[] = [];
  private waitingBytes = 0;
  private state: 'asking' | 'active' | 'ended' = 'asking';
  private answered: Promise<void>;
  /** Why the track has ended, for the controller. */
  private endReason = 'rtmp_close';

  constructor(
    private readonly fields: TrackFields,
    private readonly context: LiveContext,
    private readonly onFailure: (failure: LiveFailure) => void,
  ) {
    this.answered = this.publish();
  }

  /** True if the source has to wait before it brings more frames. */
  get isFull(): boolean {
    if (this.state === 'asking') return this.waitingBytes >= this.context.settings.maxHeld;
    return this.upstreams.some((upstream) => upstream.isFull);
  }

  /** Settles when the track is not full. */
  async room(): Promise<void> {
    if (this.state === 'asking') await this.answered;
    await Promise.all(this.upstreams.filter((upstream) => upstream.isFull).map((upstream) => upstream.room()));
  }

  /** @param info the media info of the frame */
  frame(frame: OutFrame, info: MediaInfo): void {
    if (this.state === 'asking') {
      this.waiting.push({ frame, info });
      this.waitingBytes += heldBytes(frame);
    } else for (const upstream of [...this.upstreams]) upstream.frame(frame, info);
  }

  /** Ends the track in order at all upstreams, and tells the controller. */
  async end(reason: string): Promise<void> {
    if (this.state === 'ended') return;
    const published = this.state === 'active';
    this.state = 'ended';
    this.endReason = reason;
    this.waiting = [];
    const { settings, clock } = this.context;
    await Promise.all(this.upstreams.map((upstream) => upstream.end(settings.endWait)));
    if (published) await this.unpublish();
    else await within(clock, settings.endWait, this.answered);
  }

  /** Closes all connections at once. */
  destroy(): void {
    this.state = 'ended';
    this.waiting = [];
    for (const upstream of this.upstreams) upstream.destroy();
  }

  private async publish(): Promise<void> {
    const { fields } = this;
    try {
      const targets = await this.context.controller.publish(fields);
      // The controller counts the track as published, although it has ended meanwhile.
      if (this.state !== 'asking') return await this.unpublish();
      this.begin(targets);
    } catch (error) {
      if (this.state !== 'asking') return;
      const refused = error instanceof ControlError && error.code === 'control_refused';
      this.onFailure({ refused, why: messageOf(error) });
    }
  }

  private async unpublish(): Promise<void> {
    const { controller, log } = this.context;
    await controller.unpublish(this.fields, this.endReason).catch((error: unknown) => log.debug(messageOf(error)));
  }

  private begin({ upstreams, ...ids }: PublishTargets): void {
    const { fields, context } = this;
    const { retryFor, maxHeld } = context.settings;
    for (const target of upstreams) {
      this.upstreams.push(
        new LiveUpstream({
          ...{ target, ids, maxHeld, track: fields, retryFor: target.required ? retryFor : Infinity },
          ...{ controller: context.controller, clock: context.clock, log: context.log, label: context.label },
          onEnd: (upstream, why) => this.upstreamEnded(upstream, why),
        }),
      );
    }
    this.state = 'active';
    const { info } = fields;
    context.log.info(`${info.mediaType} (${describe(info)}) of "${context.label}" goes to ${count(upstreams.length)}`);
    for (const { frame, info: of } of this.waiting.splice(0)) this.frame(frame, of);
    this.waitingBytes = 0;
  }

  private upstreamEnded(upstream: LiveUpstream, why: string): void {
    this.upstreams.splice(this.upstreams.indexOf(upstream), 1);
    if (this.state === 'ended') return;
    this.context.log.warn(`an upstream of "${this.context.label}" has ended: ${why}`);
    // An upstream that is required takes all others with it.
    if (upstream.required || this.upstreams.length === 0) this.onFailure({ refused: false, why });
  }
}

function count(upstreams: number): string {
  return upstreams === 1 ? '1 upstream' : `${upstreams} upstreams`;
}

/** Codec and size, for a log line. */
function describe(info: MediaInfo): string {
  const codec = codecName(info.codecId);
  return info.mediaType === 'video'
    ? `${codec}, ${info.width}x${info.height}`
    : `${codec}, ${info.sampleRate} Hz, ${info.channels === 1 ? '1 channel' : `${info.channels} channels`}`;
}
