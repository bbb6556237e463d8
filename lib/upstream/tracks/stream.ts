import type { Timer } from '../../time/clock.js';
import type { MediaType } from '../../media/codec.js';
import type { Frame } from '../../media/frame.js';
import type { StreamState } from '../../rtmp/session-writer.js';
import type { StreamStatus, TrackStatus } from '../report/status.js';
import { EndedTracks } from './ended-tracks.js';
import { StreamTimeline } from './stream-timeline.js';
import type { StreamOutlet, Track, TrackStream } from './track.js';

/** The longest time that audio is dropped while video waits for its key frame, ms. The key frame may never come. */
const KEY_WAIT = 10_000;

/** The state of a stream that its present connection does not know yet. */
export const UNKNOWN_STREAM: StreamState = {
  name: '',
  msid: 0,
  csid: 0,
  createTransaction: 0,
  announced: false,
  published: false,
  publishTransaction: 0,
  live: false,
  lastMs: undefined,
  nextAbsolute: true,
  shiftMs: 0,
  lastFi: undefined,
  announcedInfos: {},
};

/**
 * One RTMP message stream of an upstream, with at most one video and one audio track (docs/protocol/behaviour.md,
 * Objects).
 */
export class UpstreamStream implements TrackStream {
  readonly queues: Track[] = [];
  readonly tracks: Partial<Record<MediaType, Track>> = {};
  /** Tracks that ended without an announcement of the end by their senders. */
  readonly endedTracks = new EndedTracks();
  readonly timeline = new StreamTimeline(() => this.queues);
  state: StreamState = UNKNOWN_STREAM;
  shiftMs = 0;
  outlet: StreamOutlet | undefined;
  /** True once its tracks are known, or the time to wait for them is over. From then on, it has metadata. */
  settled = false;
  /** Called when the server begins to publish the stream, on any connection. */
  onLive: (() => void) | undefined;
  private isLive = false;
  /** Media types that the metadata has described. A track of such a type may leave and return without being late. */
  readonly announced = new Set<MediaType>();
  metaTimer: Timer | undefined;
  /** True while audio waits for the key frame of the video. */
  private audioWaits = false;
  /** Monotonic ms until which audio waits, counted from the first frame that could be written. */
  private audioWaitsUntil = Infinity;

  /** Its names at the present destinations of the upstream. */
  names: readonly string[];

  constructor(
    readonly name: string,
    /** Monotonic ms. */
    readonly createdAt: number,
    /** Its names at the destinations that the senders ask for. */
    readonly askedNames: readonly string[] = [name],
  ) {
    this.names = askedNames;
  }

  nameAt(destination: number): string {
    return this.names[destination] ?? this.name;
  }

  get live(): boolean {
    return this.isLive;
  }

  set live(live: boolean) {
    const begins = live && !this.isLive;
    this.isLive = live;
    if (begins) this.onLive?.();
  }

  get isEmpty(): boolean {
    return this.tracks.video === undefined && this.tracks.audio === undefined;
  }

  get isComplete(): boolean {
    return this.tracks.video !== undefined && this.tracks.audio !== undefined;
  }

  /** The present tracks, video first. It is a copy, so that tracks may leave during an iteration. */
  allTracks(): Track[] {
    return tracksOf(this);
  }

  addTrack(track: Track): void {
    this.tracks[track.mediaType] = track;
    this.queues.push(track);
  }

  removeTrack(track: Track): void {
    delete this.tracks[track.mediaType];
    this.endedTracks.remember(track);
    this.timeline.trackEnded(track);
    this.queues.splice(this.queues.indexOf(track), 1);
  }

  beginAtKey(always = false): void {
    const { video } = this.tracks;
    if (video === undefined) return;
    video.waitKey = (always || video.hasGap) && video.head?.isKey !== true;
    this.audioWaits = video.waitKey;
    this.audioWaitsUntil = Infinity;
  }

  get mayWriteAll(): boolean {
    return !this.audioWaits && this.tracks.video?.waitKey !== true;
  }

  mayWrite(track: Track, frame: Frame, now: number): boolean {
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

/** The tracks of a stream, video first. */
export function tracksOf({ tracks: { video, audio } }: TrackStream): Track[] {
  return [video, audio].filter((track) => track !== undefined);
}
