import { maskKey } from '../base/mask.js';
import type { Logger } from '../base/logger.js';
import type { Frame } from '../media/frame.js';
import type { Clock, Timer } from '../time/clock.js';
import type { InputLostReason, UpstreamEvent } from './report/upstream-event.js';
import type { Gap } from './tracks/stream-timeline.js';
import type { Track } from './tracks/track.js';

/** What is needed from the upstream. */
export interface AbsentInputsOwner {
  readonly log: Logger;
  report(event: UpstreamEvent): void;
}

/** A track that waits for its media. */
interface Absence {
  readonly reason: InputLostReason;
  /** Ends the track; undefined if its sender is still connected. */
  timer: Timer | undefined;
}

const CAUSES: Readonly<Record<InputLostReason, string>> = {
  input_closed: 'the connection of the sender is closed',
  end_of_stream: 'the sender has ended the stream',
  input_timeout: 'the sender has sent nothing for kmp_rtmp_in_read_timeout',
  input_stalled: 'the sender is connected and sends no media',
};

/**
 * The tracks of an upstream that wait for their media (`kmp_rtmp_out_linger`). It reports when the media is missing and
 * when it is back, and ends a track whose sender has not returned in time.
 */
export class AbsentInputs {
  private readonly absences = new Map<Track, Absence>();

  /** @param linger ms for which a track waits for another sender; 0: it does not */
  constructor(
    private readonly owner: AbsentInputsOwner,
    private readonly clock: Clock,
    private readonly linger: number,
  ) {}

  /** The sender of a track is gone. Returns false if the track does not wait for another one. */
  left(track: Track, reason: InputLostReason): boolean {
    if (this.linger === 0) return false;
    const gap = track.stream.timeline.begin(track, this.clock.now(), reason !== 'end_of_stream');
    if (reason === 'end_of_stream') gap.continues = false;
    const known = this.absences.get(track);
    known?.timer?.cancel();
    const timer = this.clock.after(this.linger, () => this.expired(track), false);
    if (known === undefined) this.lost(track, reason, timer);
    else known.timer = timer;
    return true;
  }

  /** The media of a track is missing, although its sender may still be connected. */
  missing(track: Track): void {
    if (track.gap !== undefined) return;
    const now = this.clock.now();
    track.stream.timeline.begin(track, now - Math.max(0, track.lag.silentFor(now)), true);
    this.lost(track, 'input_stalled', undefined);
  }

  /** True if a track has a sender, or waits for one. */
  waits(track: Track): boolean {
    return track.input !== undefined || this.absences.get(track)?.timer !== undefined;
  }

  /** Takes a frame of a track whose media was missing. Returns false if it comes too late and must be dropped. */
  endsGap(track: Track, gap: Gap, frame: Frame, timescale: number): boolean {
    if (!track.stream.timeline.place(track, gap, frame, timescale, this.clock.now())) {
      track.droppedFrames++;
      return false;
    }
    track.slate?.end(frame);
    this.back(track, gap);
    return true;
  }

  private back(track: Track, gap: Gap): void {
    const absence = this.absences.get(track);
    if (absence === undefined) return;
    this.forget(track);
    track.isReportedLost = false;
    const away = Math.round(this.clock.now() - gap.since);
    const message = `${track.mediaType} arrives again after ${away} ms`;
    this.owner.report({ type: 'input_back', ...detailsOf(track), reason: absence.reason, message, away_ms: away });
  }

  /** The track has another sender. Its media may come later. */
  attached(track: Track): void {
    const absence = this.absences.get(track);
    absence?.timer?.cancel();
    if (absence !== undefined) absence.timer = undefined;
  }

  /** The track has ended. */
  forget(track: Track): void {
    this.absences.get(track)?.timer?.cancel();
    this.absences.delete(track);
  }

  /** No sender returns: all waiting tracks end when their frames are written. */
  endAll(): void {
    for (const [track, { timer }] of [...this.absences]) if (timer !== undefined) this.end(track);
  }

  stop(): void {
    for (const { timer } of this.absences.values()) timer?.cancel();
    this.absences.clear();
  }

  private lost(track: Track, reason: InputLostReason, timer: Timer | undefined): void {
    this.absences.set(track, { reason: track.isReportedLost ? 'input_stalled' : reason, timer });
    if (track.isReportedLost) return;
    track.isReportedLost = true;
    const message = `no ${track.mediaType} arrives: ${CAUSES[reason]}`;
    this.owner.report({ type: 'input_lost', ...detailsOf(track), reason, message });
  }

  private expired(track: Track): void {
    const { log } = this.owner;
    const stream = maskKey(track.stream.name);
    log.info(`no sender has returned for ${this.linger} ms: the track ends`, { stream, track: track.mediaType });
    this.end(track);
  }

  private end(track: Track): void {
    this.forget(track);
    track.stream.outlet?.inputLeft(track);
  }
}

function detailsOf({ stream, mediaType }: Track): { readonly stream: string; readonly track: Track['mediaType'] } {
  return { stream: stream.name, track: mediaType };
}
