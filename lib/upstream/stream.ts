import type { Timer } from '../clock.js';
import type { MediaType } from '../media/codec.js';
import type { AudioInfo, VideoInfo } from '../media/media-info.js';
import type { QueueGroup } from '../merge/track-queue.js';
import type { StreamState } from '../rtmp/session-writer.js';
import type { Link } from './link.js';
import type { StreamStatus, TrackStatus } from './status.js';
import type { Track } from './track.js';

/** A stream that the connection of the moment does not know yet. */
const unknown: StreamState = {
  name: '',
  msid: 0,
  csid: 0,
  createTransaction: 0,
  published: false,
  lastMs: undefined,
  lastFi: undefined,
};

/** One RTMP message stream of an upstream: at most one video and one audio track (spec/module.md, Glossary). */
export class UpstreamStream implements QueueGroup {
  readonly queues: Track[] = [];
  readonly tracks: Partial<Record<MediaType, Track>> = {};
  /** The stream on the present connection. */
  state: StreamState = unknown;
  /** The connection that it goes by; set when it is added to one. */
  link: Link | undefined;
  /** True once its tracks are there, or were waited for long enough: from then on it has metadata. */
  settled = false;
  metaTimer: Timer | undefined;

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
    this.queues.splice(this.queues.indexOf(track), 1);
  }

  status(now: number): StreamStatus {
    const tracks: Partial<Record<MediaType, TrackStatus>> = {};
    for (const track of this.allTracks()) tracks[track.mediaType] = track.status(now);
    return { id: this.state.msid, uptime: Math.floor((now - this.createdAt) / 1000), tracks };
  }
}
