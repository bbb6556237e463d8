import type { KmpDecoder } from '../../kmp/decoder.js';
import type { Block } from '../../media/block.js';
import { ARRIVED_AT, CHARGE, CREATED, DTS, FLAGS, MS, SEQ, SIZE } from '../../media/frame-ring.js';
import { KEY_FRAME } from '../../media/frame.js';
import { toMs } from '../../media/timescale.js';
import type { Clock } from '../../time/clock.js';
import { MAX_PAYLOAD } from '../../rtmp/chunk/chunk-writer.js';
import { FRAME_COST } from '../tracks/ledger.js';
import type { TrackInput } from '../tracks/track-input.js';
import type { Track } from '../tracks/track.js';
import type { Upstream } from '../upstream.js';
import type { Arrivals } from './arrivals.js';
import type { FrameRules } from './frame-rules.js';
import type { InputCounters } from './input-counters.js';
import { MAX_PENDING_FRAMES } from './input-error.js';

/** The input of the lane, and its parts. */
export interface LaneOptions {
  readonly clock: Clock;
  readonly input: Pick<TrackInput, 'toRepeat'>;
  readonly track: Track;
  readonly upstream: Pick<Upstream, 'admission'>;
  readonly rules: FrameRules;
  readonly counters: InputCounters;
  readonly arrivals: Arrivals;
}

/**
 * The short way of ordinary frames: from the bytes of a read, as numbers, to the queue of their track. It does the same
 * as the decoder, the input and the merger do with objects, for all frames of a read at once. Everything that is rare
 * takes the long way. {@link take} is the only place that decides it for received frames, once for each read.
 */
export class FrameLane {
  constructor(private readonly options: LaneOptions) {}

  /**
   * Takes the frames at the beginning of a read: bytes `start` to `end` of the memory of `block`. It has holds of its
   * own on the block. Call it only while the input is idle.
   *
   * @returns where the bytes end that were taken: at `start` if everything has to take the long way
   */
  take(decoder: KmpDecoder, block: Block, start: number, end: number): number {
    const { clock, input, track, upstream, rules, counters, arrivals } = this.options;
    const at = clock.now();
    const receiver = track.stream.outlet?.receiverOf?.(track);
    const isPlain =
      input.toRepeat === 0 &&
      track.isPlain &&
      rules.isOpen &&
      !arrivals.isOver(at) &&
      upstream.admission.isPlain(track);
    if (receiver === undefined || !isPlain) return start;
    const { ring, memory } = track;
    const next = decoder.peekFrames(block.view, start, end, ring);
    if (next === start) return start;
    const payload = this.payload(next - start);
    if (payload === 0 || !memory.admitNumbers(payload, ring.pending)) {
      ring.cancel();
      return start;
    }
    decoder.passFrames(next - start, at);
    counters.bytes += next - start;
    this.number(at, clock.wall());
    track.receivedAt = Math.floor(at);
    receiver.acceptPending(track, block);
    return next;
  }

  /**
   * Bytes of the payloads. 0 if there is anything that the long way has to look at: too many or too large frames, or a
   * read that would stay in memory for a few bytes.
   *
   * @param bytes of the packets
   */
  private payload(bytes: number): number {
    const { track } = this.options;
    const { ring } = track;
    const { sizes, pending } = ring;
    if (track.length + pending > MAX_PENDING_FRAMES) return 0;
    let payload = 0;
    for (let i = 0; i < pending; i++) {
      const size = sizes[ring.pendingAt(i) + SIZE] ?? 0;
      if (size > MAX_PAYLOAD) return 0;
      payload += size;
    }
    return payload * 2 < bytes ? 0 : payload;
  }

  /** Sets the numbers of the frames that do not come from the sender, and counts them. */
  private number(at: number, wall: number): void {
    const { track, rules, counters, arrivals } = this.options;
    const { ring, ids, offset } = track;
    const { times, sizes, pending } = ring;
    const timescale = rules.info?.timescale ?? 1;
    const isVideo = track.mediaType === 'video';
    const created = (wall / 1000) * timescale;
    arrivals.read(at);
    for (let i = 0; i < pending; i++) {
      const place = ring.pendingAt(i);
      const size = sizes[place + SIZE] ?? 0;
      const isKey = ((sizes[place + FLAGS] ?? 0) & KEY_FRAME) !== 0;
      const seq = ids.next++;
      const dtsMs = toMs(times[place + DTS] ?? 0, timescale);
      counters.frameOf(size, isKey, times[place + CREATED] ?? 0, created);
      if (isVideo && isKey) track.keyReceived(seq, dtsMs);
      const ms = dtsMs + offset;
      times[place + MS] = ms;
      times[place + ARRIVED_AT] = arrivals.of(ms, at);
      times[place + SEQ] = seq;
      sizes[place + CHARGE] = size + FRAME_COST;
    }
  }
}
