import { systemClock, type Clock, type Timer } from '../time/clock.js';
import type { Logger } from '../base/logger.js';
import type { KmpClientOptions, OutFrame } from './client-options.js';
import { KmpClient } from './kmp-client.js';
import type { PlannedTrack } from './plan.js';
import { timeline, type TimedFrame } from './timeline.js';
import { waitUntil } from './wait-until.js';

/** ms that the tracks may take to end in order after the signal to stop. */
const STOP_GRACE = 5000;

/** Options of {@link Sender}. */
export interface SenderOptions {
  readonly host: string;
  readonly port: number;
  /** The result of `planTracks`. */
  readonly tracks: readonly PlannedTrack[];
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
  frames: number;
  payloadBytes: number;
}

/** Sends the tracks of files to a KMP server, one connection for each track, in real time or as fast as possible. */
export class Sender {
  private readonly clock: Clock;
  private readonly senders: ReadonlyMap<PlannedTrack, TrackSender>;
  private media = 0;
  private beganAt = 0;
  private wallUnits = new Map<PlannedTrack, number>();

  constructor(private readonly options: SenderOptions) {
    this.clock = options.clock ?? systemClock;
    const { host, port } = options;
    const shared = { host, port, clock: this.clock, ...options.client, ...(options.log && { log: options.log }) };
    this.senders = new Map(
      options.tracks.map((planned) => {
        const { channelId, trackId, connectData, track } = planned;
        const client = new KmpClient({ ...shared, channelId, trackId, connectData, info: track.info });
        return [planned, { planned, client, frames: 0, payloadBytes: 0 }];
      }),
    );
  }

  /**
   * Plays to the end, or until the signal is aborted. Then the tracks are ended in order, within 5 seconds.
   *
   * @throws KmpRtmpError as `KmpClient` does; then all connections are closed
   */
  async run(signal?: AbortSignal): Promise<SendReport> {
    const senders = [...this.senders.values()];
    const unwatch = this.watch(signal);
    try {
      await Promise.all(senders.map(({ client }) => client.open()));
      this.begin();
      const stopReporting = this.report();
      try {
        await this.play(signal);
        await Promise.all(senders.map(({ client }) => client.finish()));
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
        for (const { client } of this.senders.values()) client.destroy();
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
    for (const planned of this.senders.keys())
      this.wallUnits.set(planned, Math.round((wall * planned.track.info.timescale) / 1000));
  }

  private async play(signal: AbortSignal | undefined): Promise<void> {
    const { speed = 1, passes = 1, onFrame } = this.options;
    for await (const timed of timeline(this.options.tracks, passes)) {
      const sender = this.senders.get(timed.planned);
      if (speed !== Infinity) await waitUntil(this.clock, this.beganAt + timed.media / speed, signal);
      if (sender === undefined || signal?.aborted === true) return;
      const frame = this.outFrame(timed);
      sender.client.mediaInfo(timed.info);
      await sender.client.frame(frame);
      sender.frames++;
      sender.payloadBytes += frame.data.length;
      this.media = Math.max(this.media, timed.media);
      onFrame?.(timed.planned, frame);
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
    const senders = [...this.senders.values()];
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
