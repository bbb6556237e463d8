import type { Track, TrackStream } from '../tracks/track.js';

/** What is deferred: creating a stream, writing its metadata and headers, ending one of its tracks. */
export type DeferredKind = 'create' | 'announce' | 'end';

/** An action, and the time at which it was requested. */
interface Deferred {
  readonly kind: DeferredKind;
  readonly stream: TrackStream;
  readonly track: Track | undefined;
  /** Monotonic ms. */
  readonly at: number;
  readonly run: () => void;
}

/**
 * Actions for the streams of a session, requested before the server has answered connect. They run in their order when
 * the server has answered, or counts as one that never answers. There is at most one action of each kind for a stream,
 * or for a track: senders that come and go for hours do not make the list grow.
 */
export class DeferredActions {
  private list: Deferred[] = [];

  get isEmpty(): boolean {
    return this.list.length === 0;
  }

  /** How many actions wait. */
  get length(): number {
    return this.list.length;
  }

  /** Adds the action of a stream; a second one of the kind changes nothing. @param at monotonic ms */
  add(kind: 'create' | 'announce', stream: TrackStream, at: number, run: () => void): void {
    if (this.list.some((one) => one.kind === kind && one.stream === stream)) return;
    this.list.push({ kind, stream, track: undefined, at, run });
  }

  /** Adds the end of a track, in the place of an earlier one. @param at monotonic ms */
  addEnd(track: Track, at: number, run: () => void): void {
    this.forgetTrack(track);
    this.list.push({ kind: 'end', stream: track.stream, track, at, run });
  }

  forgetTrack(track: Track): void {
    this.list = this.list.filter((one) => one.track !== track);
  }

  forgetStream(stream: TrackStream): void {
    this.list = this.list.filter((one) => one.stream !== stream);
  }

  /** @param before called before each action, with its time */
  runAll(before: (at: number) => void): void {
    const { list } = this;
    this.list = [];
    for (const { at, run } of list) {
      before(at);
      run();
    }
  }
}
