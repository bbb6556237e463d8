/** What the bench and its processes say to each other over the IPC channel: one question, one answer. */
import type { Quantiles } from './histogram.js';

/** What the load plays. A track list is `upstreams` x `streamsPerUpstream` x (video, audio). */
export interface LoadPlan {
  readonly upstreams: number;
  readonly streamsPerUpstream: number;
  /** Mean bytes of a video frame; 0: no video. */
  readonly videoBytes: number;
  /** Mean bytes of an audio frame; 0: no audio. */
  readonly audioBytes: number;
}

/** The load sends its first frames this long after all its tracks are connected. */
export const PLAY_AFTER_MS = 500;

export const VIDEO_FPS = 30;
/** 44.1 kHz in frames of 1024 samples. */
export const AUDIO_FPS = 43.07;

export interface LoadReport {
  readonly sent: number;
  readonly bytes: number;
  /** Frames that the kernel did not take at once. */
  readonly stalls: number;
  readonly lostConnections: number;
  /** Bytes from the server: acknowledgements. */
  readonly ackBytes: number;
  readonly cpuSeconds: number;
  /** Since `mark`: how late frames were sent, in ms. A late generator measures nothing. */
  readonly lateness: Quantiles;
}

/** What a crowd does. Each of its upstreams has a stream of a video and an audio track, unless one has no bytes. */
export interface CrowdPlan {
  /** How many upstreams come in all. */
  readonly all: number;
  /** How many of them in a second. */
  readonly perSecond: number;
  /** How long each sends; undefined: it sends nothing, and stays until `stop`. */
  readonly stayMs?: number;
  /** As in {@link LoadPlan}. */
  readonly videoBytes: number;
  readonly audioBytes: number;
}

export interface CrowdReport {
  /** Upstreams that came. */
  readonly came: number;
  /** Connections that are closed again. */
  readonly gone: number;
  /** Connections that were reset, or not taken. */
  readonly broken: number;
  /** Frames. */
  readonly sent: number;
  readonly cpuSeconds: number;
  /** How late frames were sent, in ms. */
  readonly lateness: Quantiles;
}

export interface IngestReport {
  readonly received: number;
  readonly bytes: number;
  readonly bad: number;
  readonly faults: readonly string[];
  readonly connections: number;
  readonly lostConnections: number;
  readonly cpuSeconds: number;
  /** Of frames sent since `mark`. */
  readonly delay: Quantiles;
}

/** `mark` starts the count; `read` reads it; `stop` sends no more frames (load only) and reads. */
export type Question = 'mark' | 'read' | 'stop';

/** Called in a child: answers the bench's questions, and ends the process with it. */
export function answer(reply: (question: Question) => object): void {
  process.on('message', (question: Question) => process.send?.(reply(question)));
  process.on('disconnect', () => process.exit(0));
  process.on('SIGINT', () => undefined); // Ctrl-C reaches the whole group: the bench itself ends its children
}

/** Called in a child, once it is ready to work. */
export function ready(news: object): void {
  process.send?.(news);
}

/** User and system time of this process, all threads, in seconds. */
export function ownCpuSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}
