import { maskKey } from '../../base/mask.js';
import type { Logger } from '../../base/logger.js';
import type { Clock, Timer } from '../../time/clock.js';
import { codecName } from '../../media/codec.js';
import type { MediaInfo } from '../../media/media-info.js';
import type { Track, TrackStream } from '../tracks/track.js';
import type { SlateFile } from './slate-file.js';
import { frozenVideo, playedFile, silentAudio, type SlateSource } from './slate-source.js';
import { SlateTrack } from './slate-track.js';

/** ms between two turns while a slate sends. */
const PERIOD = 100;

/** ms of slate that are sent at once at most: what is older belongs to an outage of the server. */
const MOST_AT_ONCE = 5_000;

/** ms by which a track can be behind the other one without an outage: the slate follows its last frame. */
const MOST_APART = 5_000;

/** ms of slate that are sent on one track before the next track is looked at. */
const STEP = 40;

/** The longest time, ms, that the last frame of the sound is left for playing before a file begins. */
const MOST_SOUND = 200;

export interface SlatesOptions {
  readonly clock: Clock;
  readonly log: Logger;
  /** ms without a frame after which the slate begins (`kmp_rtmp_out_slate_after`). */
  readonly after: number;
  /** The file that is played; undefined: freeze. */
  readonly file: () => SlateFile | undefined;
  /** True if the track has a sender, or waits for one. */
  readonly waits: (track: Track) => boolean;
  /** The media of a track is missing. */
  readonly onMissing: (track: Track) => void;
}

/**
 * The slates of an upstream (`kmp_rtmp_out_slate`). It looks when each track got its last frame. If that is too long
 * ago, frames of a slate are sent until the next frame of the sender.
 */
export class Slates {
  private readonly tracks = new Map<Track, SlateTrack>();
  private timer: Timer | undefined;
  private warned = false;
  /** When the file begins in each stream, ms of its timestamps. */
  private readonly begins = new WeakMap<TrackStream, number>();

  constructor(private readonly options: SlatesOptions) {}

  add(track: Track): void {
    const slate = new SlateTrack(track, () => this.options.clock.wall());
    this.tracks.set(track, slate);
    track.slate = slate;
    this.timer ??= this.schedule();
  }

  remove(track: Track): void {
    this.tracks.get(track)?.close();
    this.tracks.delete(track);
  }

  stop(): void {
    this.timer?.cancel();
    this.timer = undefined;
    for (const slate of this.tracks.values()) slate.close();
    this.tracks.clear();
  }

  private schedule(): Timer {
    return this.options.clock.after(this.wait(), () => this.turn(), false);
  }

  /** ms until a slate may have to send. */
  private wait(): number {
    const { after, clock } = this.options;
    const now = clock.now();
    let wait = after;
    for (const [track, slate] of this.tracks) {
      if (slate.isActive) return PERIOD;
      wait = Math.min(wait, after - Math.max(0, track.lag.silentFor(now)));
    }
    return Math.max(PERIOD, wait);
  }

  private turn(): void {
    this.timer = undefined;
    const now = this.options.clock.now();
    const began = new Set<SlateTrack>();
    for (const [track, slate] of this.tracks) {
      if (slate.isActive && !this.options.waits(track)) slate.close();
      else if (!slate.isActive && this.beginIfMissing(track, slate, now)) began.add(slate);
    }
    const sending = [...this.tracks].filter(([track, slate]) => slate.isActive && canSend(track));
    for (const [track, slate] of sending) {
      const isRecent = began.has(slate) && track.lag.silentFor(now) <= MOST_AT_ONCE;
      slate.skipTo(positionOf(track, now) - MOST_AT_ONCE - (isRecent ? MOST_APART : 0));
    }
    // In steps, so that the frames of all tracks are in order also if they do not wait for each other in the merger.
    for (let behind = Math.max(0, ...sending.map((one) => behindOf(one, now))); behind > -STEP; behind -= STEP) {
      for (const [track, slate] of sending) slate.fill(now, positionOf(track, now) - Math.max(0, behind));
    }
    if (this.tracks.size > 0) this.timer = this.schedule();
  }

  /** Returns true if the slate of the track begins. */
  private beginIfMissing(track: Track, slate: SlateTrack, now: number): boolean {
    // Media that is dropped because the server is slow is not missing.
    if (track.lag.silentFor(now) < this.options.after || track.dropping !== undefined || !canSend(track)) return false;
    if (!this.options.waits(track)) return false;
    this.options.onMissing(track);
    const source = this.sourceFor(track, slate);
    if (source === undefined) return false;
    slate.start(source);
    const { name } = track.stream;
    this.options.log.info('the slate begins', { stream: maskKey(name), track: track.mediaType });
    return true;
  }

  private sourceFor(track: Track, slate: SlateTrack): SlateSource | undefined {
    const info = track.infoOfLastFrame;
    const played = this.fileFor(track, info);
    if (played !== undefined) return played;
    if (info.mediaType === 'audio') return silentAudio(info);
    return slate.picture && frozenVideo(() => slate.picture);
  }

  /** The track of the file, if its picture can be shown in the place of that of the stream. */
  private fileFor({ stream, mediaType }: Track, info: MediaInfo): SlateSource | undefined {
    const file = this.options.file();
    if (file === undefined) return undefined;
    const { video } = stream.tracks;
    const found = file.tracks[mediaType];
    const fits = video === undefined || file.tracks.video?.info.codecId === video.infoOfLastFrame.codecId;
    if (fits && found?.info.codecId === info.codecId)
      return playedFile(found, file.durationMs, this.beginOf(stream, file));
    if (!this.warned) {
      const what = fits ? 'silence is sent' : 'the last picture is repeated instead';
      this.options.log.warn(`the slate ${file.path} has no ${codecName(info.codecId)} ${mediaType}: ${what}`);
    }
    this.warned = true;
    return undefined;
  }

  /** When the file begins in a stream: its tracks play it together. */
  private beginOf(stream: TrackStream, file: SlateFile): number {
    let begin = this.begins.get(stream);
    const idle = ![...this.tracks].some(([track, slate]) => track.stream === stream && slate.isActive);
    if (begin === undefined || idle) {
      const { video, audio } = stream.tracks;
      // The last frame of the sound has to be played first: players take frames that overlap for an error.
      const [first, second] = file.tracks.audio?.frames ?? [];
      const soundMs = Math.min(Math.max(1, Math.ceil((second?.ms ?? 0) - (first?.ms ?? 0))), MOST_SOUND);
      begin = Math.max((video?.lastMs ?? -Infinity) + 1, (audio?.lastMs ?? -Infinity) + soundMs);
      this.begins.set(stream, begin);
    }
    return begin;
  }
}

/** The present time of a track, ms. */
function positionOf({ stream }: Track, now: number): number {
  return stream.timeline.expected(now);
}

/** ms of slate that are due on a track. */
function behindOf([track, slate]: readonly [Track, SlateTrack], now: number): number {
  return positionOf(track, now) - slate.sentUntil;
}

/** True if the server takes frames of the track. */
function canSend(track: Track): boolean {
  return track.ready && track.stream.live && !track.ended;
}
