import type { Timer } from '../../time/clock.js';
import type { MediaType } from '../../media/codec.js';
import type { Frame } from '../../media/frame.js';
import type { AudioInfo, VideoInfo } from '../../media/media-info.js';
import type { QueueGroup } from '../../merge/track-queue.js';
import type { StreamState } from '../../rtmp/session-writer.js';
import { EndedTracks } from './ended-tracks.js';
import type { Line } from '../connection/rtmp-connection.js';
import type { Link } from '../connection/session.js';
import type { StreamStatus, TrackStatus } from '../report/status.js';
import type { Track } from './track.js';

/** Longest time that audio is left out, ms, while video waits for its key frame: the video may never come. */
const KEY_WAIT = 10_000;

/** A stream that the connection of the moment does not know yet. */
const unknown: StreamState = {
  name: '',
  msid: 0,
  csid: 0,
  createTransaction: 0,
  announced: false,
  published: false,
  lastMs: undefined,
  lastFi: undefined,
};

/** One RTMP message stream of an upstream: at most one video and one audio track (spec/module.md, Glossary). */
export class UpstreamStream implements QueueGroup {
  readonly queues: Track[] = [];
  readonly tracks: Partial<Record<MediaType, Track>> = {};
  /** Those that ended without their senders saying so. */
  readonly endedTracks = new EndedTracks();
  /** The stream on the present connection. */
  state: StreamState = unknown;
  /** The link that it goes by; set when it is added to one. */
  link: Link | undefined;
  /** The link's connection that its frames are written to, likewise. */
  line: Line | undefined;
  /** True once its tracks are there, or were waited for long enough: from then on it has metadata. */
  settled = false;
  /** What the metadata has told of: such a track may leave and come back, and is not late then. */
  readonly announced = new Set<MediaType>();
  metaTimer: Timer | undefined;
  /** True while audio waits for video's key frame. */
  private audioWaits = false;
  /** Monotonic ms until which it does; counts from the first frame that could be written. */
  private audioWaitsUntil = Infinity;

  constructor(
    readonly name: string,
    /** Monotonic ms. */
    readonly createdAt: number,
  ) {}

  get isEmpty(): boolean {
    return this.tracks.video === undefined && this.tracks.audio === undefined;
  }

  get isComplete(): boolean {
    return this.tracks.video !== undefined && this.tracks.audio !== undefined;
  }

  get videoInfo(): VideoInfo | undefined {
    const info = this.tracks.video?.info;
    return info?.mediaType === 'video' ? info : undefined;
  }

  get audioInfo(): AudioInfo | undefined {
    const info = this.tracks.audio?.info;
    return info?.mediaType === 'audio' ? info : undefined;
  }

  /** The tracks that are there, video first; a copy, so that they may leave while it is gone through. */
  allTracks(): Track[] {
    const { video, audio } = this.tracks;
    return [video, audio].filter((track) => track !== undefined);
  }

  addTrack(track: Track): void {
    this.tracks[track.mediaType] = track;
    this.queues.push(track);
  }

  removeTrack(track: Track): void {
    delete this.tracks[track.mediaType];
    this.endedTracks.remember(track);
    this.queues.splice(this.queues.indexOf(track), 1);
  }

  /** From now on it goes by `line`, which may know it already. */
  moveTo(line: Line): void {
    this.line = line;
    this.state = line.states.get(this) ?? unknown;
  }

  /** What is written next comes after a break: nothing goes ahead of a key frame, if there is video. */
  beginAtKey(): void {
    const { video } = this.tracks;
    if (video === undefined) return;
    video.waitKey = video.hasGap && video.head?.isKey !== true;
    this.audioWaits = video.waitKey;
    this.audioWaitsUntil = Infinity;
  }

  /** Whether a frame may be written; see {@link beginAtKey}. @param now monotonic ms */
  lets(track: Track, frame: Frame, now: number): boolean {
    if (track.waitKey && frame.isKey) track.waitKey = false;
    if (this.audioWaits) {
      this.audioWaitsUntil = Math.min(this.audioWaitsUntil, now + KEY_WAIT);
      this.audioWaits = this.tracks.video?.waitKey === true && now < this.audioWaitsUntil;
    }
    return !(track.mediaType === 'video' ? track.waitKey : this.audioWaits);
  }

  status(now: number): StreamStatus {
    const tracks: Partial<Record<MediaType, TrackStatus>> = {};
    for (const track of this.allTracks()) tracks[track.mediaType] = track.status(now);
    return { id: this.state.msid, uptime: Math.floor((now - this.createdAt) / 1000), tracks };
  }
}
