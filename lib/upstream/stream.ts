import type { Timer } from '../clock.js';
import type { MediaType } from '../media/codec.js';
import type { QueueGroup } from '../merge/track-queue.js';
import type { StreamState } from '../rtmp/session-writer.js';
import type { StreamStatus, TrackStatus } from './status.js';
import type { Track } from './track.js';

/** One RTMP message stream of an upstream: at most one video and one audio track (spec/module.md, Glossary). */
export class UpstreamStream implements QueueGroup {
  readonly queues: Track[] = [];
  readonly tracks: Partial<Record<MediaType, Track>> = {};
  /** The stream on the present connection. */
  state: StreamState;
  /** True once metadata and sequence headers have gone out on the present connection: then frames may follow. */
  metadataSent = false;
  /** True once the metadata has gone out on any connection: the stream's set of tracks is settled. */
  settled = false;
  metaTimer: Timer | undefined;

  constructor(
    readonly name: string,
    state: StreamState,
    /** Monotonic ms. */
    readonly createdAt: number,
  ) {
    this.state = state;
  }

  get isEmpty(): boolean {
    return this.tracks.video === undefined && this.tracks.audio === undefined;
  }

  get isComplete(): boolean {
    return this.tracks.video !== undefined && this.tracks.audio !== undefined;
  }

  status(now: number): StreamStatus {
    const tracks: Partial<Record<MediaType, TrackStatus>> = {};
    for (const track of [this.tracks.video, this.tracks.audio]) {
      if (track !== undefined) tracks[track.mediaType] = track.status(now);
    }
    return { id: this.state.msid, uptime: Math.floor((now - this.createdAt) / 1000), tracks };
  }
}
