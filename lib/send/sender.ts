import { systemClock, type Clock, type Timer } from '../time/clock.js';
import type { Logger } from '../base/logger.js';
import type { KmpClientOptions, OutFrame } from './client-options.js';
import { KmpClient } from './kmp-client.js';
import type { PlannedTrack } from './plan.js';
import { timeline, type TimedFrame } from './timeline.js';
import { waitUntil } from './wait-until.js';

/** ms that the tracks have to end in order after the signal to stop. */
const STOP_GRACE = 5000;

/** How a {@link Sender} plays. */
export interface SenderOptions {
  readonly host: string;
  readonly port: number;
  /** What `planTracks` made of the files. */
  readonly tracks: readonly PlannedTrack[];
  /** 1 for real time, 2 for twice as fast ..., Infinity for as fast as it is taken. Above 0. Default 1. */
  readonly speed?: number;
  /** How often to play it all, with times that go on. Default 1; Infinity for ever. */
  readonly passes?: number;
  /** What the KMP connections do about acknowledgements and broken connections. */
  readonly client?: Pick<
    KmpClientOptions,
    'reconnect' | 'retryFor' | 'maxHeld' | 'expectAcks' | 'ackTimeout' | 'firstAckTimeout'
  >;
  /** Called every `progressEvery` ms while it plays. */
  readonly onProgress?: (progress: SendProgress) => void;
  /** ms. Default 500. */
  readonly progressEvery?: number;
  /** Called for each frame that was handed to its connection. */
  readonly onFrame?: (track: PlannedTrack, frame: OutFrame) => void;
  readonly clock?: Clock;
  readonly log?: Logger;
}

/** Where a {@link Sender} is. */
export interface SendProgress {
  /** ms since it began. */
  readonly elapsed: number;
  /** ms of media that were sent, over all passes. */
  readonly media: number;
  readonly frames: number;
  /** Bytes on the wire. */
  readonly bytes: number;
  /** Frames that the server has acknowledged. */
  readonly acked: number;
  readonly reconnects: number;
}

/** What became of one track. */
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

/** What became of it all. */
export interface SendReport extends SendProgress {
  readonly tracks: readonly TrackReport[];
  /** Every track is complete. */
  readonly complete: boolean;
  /** It was told to stop before the end. */
  readonly stopped: boolean;
}

/** A track on its way. */
interface Line {
  readonly planned: PlannedTrack;
  readonly client: KmpClient;
  frames: number;
  payloadBytes: number;
}

/** Plays the tracks of files to a KMP server, each on a connection of its own: paced like a live source, or as fast as taken. */
export class Sender {
  private readonly clock: Clock;
  private readonly lines: ReadonlyMap<PlannedTrack, Line>;
  private media = 0;
  private beganAt = 0;
  private wallUnits = new Map<PlannedTrack, number>();

  constructor(private readonly options: SenderOptions) {
    this.clock = options.clock ?? systemClock;
    const { host, port } = options;
    const shared = { host, port, clock: this.clock, ...options.client, ...(options.log && { log: options.log }) };
    this.lines = new Map(
      options.tracks.map((planned) => {
        const { channelId, trackId, connectData, track } = planned;
        const client = new KmpClient({ ...shared, channelId, trackId, connectData, info: track.info });
        return [planned, { planned, client, frames: 0, payloadBytes: 0 }];
      }),
    );
  }

  /**
   * Plays to the end, or until the signal is raised: then what was sent is brought to a proper end, within 5 seconds.
   *
   * @throws KmpRtmpError as `KmpClient` does; all connections are closed then
   */
  async run(signal?: AbortSignal): Promise<SendReport> {
    const lines = [...this.lines.values()];
    const unwatch = this.watch(signal);
    try {
      await Promise.all(lines.map(({ client }) => client.open()));
      this.begin();
      const stopReporting = this.report();
      try {
        await this.play(signal);
        await Promise.all(lines.map(({ client }) => client.finish()));
      } finally {
        stopReporting();
      }
    } catch (error) {
      for (const { client } of lines) client.destroy();
      if (signal?.aborted !== true) throw error;
    } finally {
      unwatch();
    }
    const tracks = lines.map(reportOf);
    const complete = tracks.every((track) => track.complete);
    return { ...this.progress(), tracks, complete, stopped: signal?.aborted === true };
  }

  /** Told to stop, the tracks have a while to come to their ends; a server that is stuck or away does not hold us up. */
  private watch(signal: AbortSignal | undefined): () => void {
    let timer: Timer | undefined;
    const onAbort = (): void => {
      timer = this.clock.after(STOP_GRACE, () => {
        for (const { client } of this.lines.values()) client.destroy();
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
    for (const planned of this.lines.keys())
      this.wallUnits.set(planned, Math.round((wall * planned.track.info.timescale) / 1000));
  }

  private async play(signal: AbortSignal | undefined): Promise<void> {
    const { speed = 1, passes = 1, onFrame } = this.options;
    for await (const timed of timeline(this.options.tracks, passes)) {
      const line = this.lines.get(timed.planned);
      if (speed !== Infinity) await waitUntil(this.clock, this.beganAt + timed.media / speed, signal);
      if (line === undefined || signal?.aborted === true) return;
      const frame = this.outFrame(timed);
      line.client.mediaInfo(timed.info);
      await line.client.frame(frame);
      line.frames++;
      line.payloadBytes += frame.data.length;
      this.media = Math.max(this.media, timed.media);
      onFrame?.(timed.planned, frame);
    }
  }

  private outFrame({ planned, frame, shift }: TimedFrame): OutFrame {
    const dts = frame.dts + shift;
    // A file's frames come into being as they are played; those of a dump have their own time.
    const created = frame.created === undefined ? (this.wallUnits.get(planned) ?? 0) + dts : frame.created + shift;
    return { created, dts, ptsDelay: frame.ptsDelay, key: frame.key, data: frame.data };
  }

  /** Calls `onProgress` from now on; the result ends that. */
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
    const lines = [...this.lines.values()];
    const sum = (of: (line: Line) => number): number => lines.reduce((total, line) => total + of(line), 0);
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

function reportOf({ planned, client, frames, payloadBytes }: Line): TrackReport {
  const { acked, ackSeen, reconnects, complete } = client;
  return { track: planned, frames, payloadBytes, acked, ackSeen, reconnects, complete };
}
