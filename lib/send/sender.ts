import { systemClock, type Clock, type Timer } from '../time/clock.js';
import { KmpRtmpError } from '../base/errors.js';
import type { Logger } from '../base/logger.js';
import type { KmpClientOptions, KmpTarget, OutFrame } from './client-options.js';
import { KmpClient } from './kmp-client.js';
import type { PlannedTrack } from './plan.js';
import { timeline, type TimedFrame } from './timeline.js';
import { waitUntil } from './wait-until.js';

/** ms that the tracks may take to end in order after the signal to stop. */
const STOP_GRACE = 5000;

/** A KMP connection that a track is sent on. */
export interface SendRoute extends KmpTarget, Pick<KmpClientOptions, 'channelId' | 'trackId' | 'renew'> {
  /** Whether a failure of this connection ends all of them. Default true. */
  readonly required?: boolean;
}

/** Options of {@link Sender}. */
export interface SenderOptions {
  readonly host: string;
  readonly port: number;
  /** The result of `planTracks`. */
  readonly tracks: readonly PlannedTrack[];
  /**
   * The connections that a track is sent on. Default: one to `host` and `port`, with the ids and connect data of the
   * plan.
   */
  readonly routes?: (track: PlannedTrack) => readonly SendRoute[];
  /** 1 for real time, 2 for twice as fast, Infinity for as fast as the server takes the frames. Above 0. Default 1. */
  readonly speed?: number;
  /** How many times the files are played, with timestamps that continue. Default 1; Infinity for an endless loop. */
  readonly passes?: number;
  /** How the KMP connections handle acknowledgements and broken connections. */
  readonly client?: Pick<
    KmpClientOptions,
    'reconnect' | 'retryFor' | 'maxHeld' | 'expectAcks' | 'ackTimeout' | 'firstAckTimeout'
  >;
  /** Called every `progressEvery` ms while the files are played. */
  readonly onProgress?: (progress: SendProgress) => void;
  /** ms. Default 500. */
  readonly progressEvery?: number;
  /** Called for each frame that was given to its connection. */
  readonly onFrame?: (track: PlannedTrack, frame: OutFrame) => void;
  readonly clock?: Clock;
  readonly log?: Logger;
}

/** Progress of a {@link Sender}. */
export interface SendProgress {
  /** ms since the start. */
  readonly elapsed: number;
  /** ms of media that were sent, in all passes. */
  readonly media: number;
  readonly frames: number;
  /** Bytes written to all connections, headers included. */
  readonly bytes: number;
  /** Frames that the server has acknowledged. */
  readonly acked: number;
  readonly reconnects: number;
}

/** Result for one track. */
export interface TrackReport {
  readonly track: PlannedTrack;
  readonly frames: number;
  /** Bytes of the frames, without headers. */
  readonly payloadBytes: number;
  readonly acked: number;
  /** Whether the server acknowledged any frame. */
  readonly ackSeen: boolean;
  readonly reconnects: number;
  /** Every frame was written and, unless `expectAcks` is false, acknowledged. */
  readonly complete: boolean;
}

/** Result for all tracks. */
export interface SendReport extends SendProgress {
  readonly tracks: readonly TrackReport[];
  /** Every track is complete. */
  readonly complete: boolean;
  /** The signal stopped it before the end. */
  readonly stopped: boolean;
}

/** A track and its connection. */
interface TrackSender {
  readonly planned: PlannedTrack;
  readonly client: KmpClient;
  readonly required: boolean;
  frames: number;
  payloadBytes: number;
  /** It has failed, and is not required. */
  failed: boolean;
}

/** Sends the tracks of files to a KMP server, one connection for each track, in real time or as fast as possible. */
export class Sender {
  private readonly clock: Clock;
  private readonly senders: readonly TrackSender[];
  private media = 0;
  private beganAt = 0;
  private wallUnits = new Map<PlannedTrack, number>();

  constructor(private readonly options: SenderOptions) {
    this.clock = options.clock ?? systemClock;
    const { host, port } = options;
    const shared = { clock: this.clock, ...options.client, ...(options.log && { log: options.log }) };
    this.senders = options.tracks.flatMap((planned) => {
      const { channelId, trackId, connectData } = planned;
      const routes = options.routes?.(planned) ?? [{ host, port, channelId, trackId, connectData }];
      return routes.map(({ required = true, ...route }) => {
        const client = new KmpClient({ ...shared, ...route, info: planned.track.info });
        return { planned, client, required, frames: 0, payloadBytes: 0, failed: false };
      });
    });
  }

  /**
   * Plays to the end, or until the signal is aborted. Then the tracks are ended in order, within 5 seconds.
   *
   * @throws KmpRtmpError as `KmpClient` does; then all connections are closed
   */
  async run(signal?: AbortSignal): Promise<SendReport> {
    const { senders } = this;
    const unwatch = this.watch(signal);
    try {
      await Promise.all(senders.map((sender) => this.attempt(sender, () => sender.client.open())));
      this.begin();
      const stopReporting = this.report();
      try {
        await this.play(signal);
        await Promise.all(senders.map((sender) => this.attempt(sender, () => sender.client.finish())));
      } finally {
        stopReporting();
      }
    } catch (error) {
      for (const { client } of senders) client.destroy();
      if (signal?.aborted !== true) throw error;
    } finally {
      unwatch();
    }
    const tracks = senders.map(reportOf);
    const complete = tracks.every((track) => track.complete);
    return { ...this.progress(), tracks, complete, stopped: signal?.aborted === true };
  }

  /**
   * After the signal, closes all connections that have not ended in time: a server that hangs must not block the end.
   */
  private watch(signal: AbortSignal | undefined): () => void {
    let timer: Timer | undefined;
    const onAbort = (): void => {
      timer = this.clock.after(STOP_GRACE, () => {
        for (const { client } of this.senders) client.destroy();
      });
    };
    signal?.addEventListener('abort', onAbort, { once: true });
    return () => {
      timer?.cancel();
      signal?.removeEventListener('abort', onAbort);
    };
  }

  private begin(): void {
    this.beganAt = this.clock.now();
    const wall = this.clock.wall();
    for (const planned of this.options.tracks)
      this.wallUnits.set(planned, Math.round((wall * planned.track.info.timescale) / 1000));
  }

  private async play(signal: AbortSignal | undefined): Promise<void> {
    const { speed = 1, passes = 1, onFrame } = this.options;
    for await (const timed of timeline(this.options.tracks, passes)) {
      const senders = this.senders.filter(({ planned }) => planned === timed.planned);
      if (speed !== Infinity) await waitUntil(this.clock, this.beganAt + timed.media / speed, signal);
      if (signal?.aborted === true) return;
      const frame = this.outFrame(timed);
      for (const sender of senders) {
        sender.client.mediaInfo(timed.info);
        await this.attempt(sender, () => sender.client.frame(frame));
        sender.frames++;
        sender.payloadBytes += frame.data.length;
      }
      this.media = Math.max(this.media, timed.media);
      onFrame?.(timed.planned, frame);
    }
  }

  /** Does a step of a connection. One that is not required does nothing more once a step has failed. */
  private async attempt(sender: TrackSender, step: () => Promise<void>): Promise<void> {
    if (sender.failed) return;
    try {
      await step();
    } catch (error) {
      const others = this.senders.some((other) => other !== sender && !other.failed);
      if (sender.required || !others || !(error instanceof KmpRtmpError)) throw error;
      sender.failed = true;
      sender.client.destroy();
      this.options.log?.warn(error.message);
    }
  }

  private outFrame({ planned, frame, shift }: TimedFrame): OutFrame {
    const dts = frame.dts + shift;
    // Frames of a file are created when they are played. Frames of a dump have a time of creation.
    const created = frame.created === undefined ? (this.wallUnits.get(planned) ?? 0) + dts : frame.created + shift;
    return { created, dts, ptsDelay: frame.ptsDelay, key: frame.key, data: frame.data };
  }

  /** Starts calling `onProgress`; the returned function stops it. */
  private report(): () => void {
    const { onProgress, progressEvery = 500 } = this.options;
    if (onProgress === undefined) return () => undefined;
    const tick = (): void => {
      timer = this.clock.after(progressEvery, tick, false);
      onProgress(this.progress());
    };
    let timer = this.clock.after(progressEvery, tick, false);
    return () => timer.cancel();
  }

  private progress(): SendProgress {
    const { senders } = this;
    const sum = (of: (one: TrackSender) => number): number => senders.reduce((total, one) => total + of(one), 0);
    return {
      elapsed: this.clock.now() - this.beganAt,
      media: this.media,
      frames: sum(({ client }) => client.sent),
      bytes: sum(({ client }) => client.bytes),
      acked: sum(({ client }) => client.acked),
      reconnects: sum(({ client }) => client.reconnects),
    };
  }
}

function reportOf({ planned, client, frames, payloadBytes }: TrackSender): TrackReport {
  const { acked, ackSeen, reconnects, complete } = client;
  return { track: planned, frames, payloadBytes, acked, ackSeen, reconnects, complete };
}
