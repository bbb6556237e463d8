import { KmpRtmpError } from '../base/errors.js';
import type { MediaInfo } from '../media/media-info.js';
import type { KmpTarget } from '../send/client-options.js';

/** What is known of the connection of an input; it goes into each question as it is. */
export interface InputFields {
  readonly app: string;
  readonly flashVer: string;
  readonly swfUrl: string;
  readonly tcUrl: string;
  readonly pageUrl: string;
  /** Address of the encoder, without its port. */
  readonly address: string;
  /** Number of the encoder's connection. */
  readonly connection: number;
}

/** A track that is published. */
export interface TrackFields {
  readonly input: InputFields;
  /** Name of the stream, without query string. */
  readonly name: string;
  /** Query string of the name, without the question mark; empty if there is none. */
  readonly args: string;
  readonly publishType: string;
  readonly info: MediaInfo;
}

/** One upstream that a track is sent to. */
export interface UpstreamTarget extends KmpTarget {
  /** Id of the upstream at the controller, for {@link Controller.republish}; it may be empty. */
  readonly id: string;
  /** Whether the whole input ends when this upstream ends for good. */
  readonly required: boolean;
}

/** Where an upstream is now; without connect data, that of before stays. */
export type MovedTarget = Omit<KmpTarget, 'connectData'> & Partial<KmpTarget>;

export interface PublishTargets {
  /** At most 32 bytes of UTF-8 each. */
  readonly channelId: string;
  readonly trackId: string;
  readonly upstreams: readonly UpstreamTarget[];
}

/** Decides where tracks are sent to. All methods reject with {@link ControlError}. */
export interface Controller {
  /** An encoder has connected. */
  connect(input: InputFields): Promise<void>;
  publish(track: TrackFields): Promise<PublishTargets>;
  /** The connection to an upstream broke. */
  republish(track: TrackFields, ids: Omit<PublishTargets, 'upstreams'>, upstreamId: string): Promise<MovedTarget>;
  /** The track has ended. Failures do not matter to the caller. */
  unpublish(track: TrackFields, reason: string): Promise<void>;
}

/**
 * `control_refused`: the controller answered that it does not want this. `control_failed`: it gave no usable answer,
 * and may later.
 */
export class ControlError extends KmpRtmpError {
  constructor(code: 'control_refused' | 'control_failed', message: string, options?: { cause?: unknown }) {
    super(code, message, options);
  }
}
