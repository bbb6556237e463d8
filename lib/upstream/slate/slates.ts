import { maskKey } from '../../base/mask.js';
import type { Logger } from '../../base/logger.js';
import type { Clock, Timer } from '../../time/clock.js';
import type { Track } from '../tracks/track.js';
import { frozenVideo, silentAudio, type SlateSource } from './slate-source.js';
import { SlateTrack } from './slate-track.js';

/** ms between two turns while a slate sends. */
const PERIOD = 100;

export interface SlatesOptions {
  readonly clock: Clock;
  readonly log: Logger;
  /** ms without a frame after which the slate begins (`kmp_rtmp_out_slate_after`). */
  readonly after: number;
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
    for (const [track, slate] of this.tracks) {
      if (slate.isActive || this.begins(track, slate, now)) this.fill(track, slate, now);
    }
    if (this.tracks.size > 0) this.timer = this.schedule();
  }

  private begins(track: Track, slate: SlateTrack, now: number): boolean {
    // Media that is dropped because the server is slow is not missing.
    if (track.lag.silentFor(now) < this.options.after || track.dropping || !canSend(track)) return false;
    if (!this.options.waits(track)) return false;
    this.options.onMissing(track);
    const source = this.sourceFor(track, slate);
    if (source === undefined) return false;
    slate.start(source);
    const { name } = track.stream;
    this.options.log.info('the slate begins', { stream: maskKey(name), track: track.mediaType });
    return true;
  }

  private fill(track: Track, slate: SlateTrack, now: number): void {
    if (!this.options.waits(track)) slate.close();
    // A server that does not take media now gets the later part.
    else if (canSend(track)) slate.fill(now, track.stream.timeline.expected(now));
  }

  private sourceFor(track: Track, slate: SlateTrack): SlateSource | undefined {
    const info = track.infoOfLastFrame;
    if (info.mediaType === 'audio') return silentAudio(info);
    return slate.picture && frozenVideo(() => slate.picture);
  }
}

/** True if the server takes frames of the track. */
function canSend(track: Track): boolean {
  return track.ready && track.stream.live && !track.ended;
}
