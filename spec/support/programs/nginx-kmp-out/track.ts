import type { Clock, Timer } from '../../../../lib/time/clock.js';
import { end } from '../../kmp/kmp-bytes.js';
import type { ControlCall, Controller, Json } from './controller.js';
import { mediaInfoJson } from './media-info-json.js';
import { PacketLog } from './packet-log.js';
import { KmpOutUpstream, type UpstreamAnswer, type UpstreamOwner } from './upstream.js';

/** kmp_flush_timeout, ms. */
const FLUSH_TIMEOUT = 1000;
/** kmp_video_buffer_size, kmp_audio_buffer_size, kmp_video_mem_limit, kmp_audio_mem_limit. */
const BUFFER_SIZE = { video: 64 * 1024, audio: 4 * 1024 };
const MEMORY_LIMIT = { video: 48 * 1024 * 1024, audio: 1024 * 1024 };
/** kmp_mem_high_watermark and kmp_mem_low_watermark: above the one, frames are forgotten down to the other. */
const HIGH = 0.75;
const LOW = 0.5;

export interface TrackOptions {
  readonly controller: Controller;
  readonly clock: Clock;
  readonly media: 'video' | 'audio';
  readonly inputId: string;
  /** Fields that go into each request: `input_type`, `rtmp`. */
  readonly inputFields: Json;
  /** Bytes; default 48 MiB for video, 1 MiB for audio. */
  readonly memoryLimit?: number;
  /** The track cannot go on; its input ends. */
  readonly onError: (reason: string) => void;
}

/**
 * One track of an input, as nginx-kmp-out keeps it: asks the controller where to publish to, gathers packets, gives
 * them to all its upstreams once a buffer is full or a second has passed, and keeps them until all have acknowledged
 * them.
 */
export class KmpOutTrack implements UpstreamOwner {
  readonly controller: Controller;
  readonly clock: Clock;
  readonly log = new PacketLog();
  readonly upstreams: KmpOutUpstream[] = [];
  /** Settles when all upstreams are gone and `unpublish` was sent. */
  readonly unpublished: Promise<void>;
  ids = { channel: '', track: '', firstFrame: 0n };
  flushed = 0;
  /** Frames so far. */
  frames = 0;
  /** Why the track ended; the first reason counts. */
  reason = '';
  private state: 'initial' | 'waiting' | 'active' | 'inactive' = 'initial';
  private detached = false;
  private failed = false;
  private mediaInfoFields: Json = {};
  private flushTimer: Timer | undefined;
  private publishCall: ControlCall | undefined;
  private resolveUnpublished: () => void = () => {};

  constructor(private readonly options: TrackOptions) {
    this.controller = options.controller;
    this.clock = options.clock;
    // The time in units of 1/90000 s: a track that begins later is ahead of any before.
    this.ids.firstFrame = BigInt(Math.round(options.clock.wall())) * 90n;
    this.unpublished = new Promise((resolve) => (this.resolveUnpublished = resolve));
  }

  get active(): boolean {
    return this.state === 'active';
  }

  /** Writes a `minf` packet; the first one leads to `publish`. */
  mediaInfo(packet: Buffer): void {
    this.mediaInfoFields = mediaInfoJson(packet);
    if (this.state === 'initial') this.publish();
    this.write('mediaInfo', packet);
  }

  /** Writes `fram` packets. */
  frame(...packets: Buffer[]): void {
    for (const packet of packets) {
      this.frames++;
      this.write('frame', packet);
    }
  }

  /** Ends the track in order: end of stream, then a wait for the servers to close. */
  end(reason: string): void {
    if (this.detached) return;
    this.detached = true;
    this.reason ||= reason;
    this.publishCall?.cancel();
    if (this.upstreams.length > 0) {
      this.state = 'inactive';
      this.write('end', end);
      this.flush();
    }
    this.cleanUp();
  }

  /** Cuts all connections without a word, as the end of the process does. */
  destroy(): void {
    this.detached = true;
    this.flushTimer?.cancel();
    this.publishCall?.cancel();
    for (const upstream of this.upstreams.splice(0)) upstream.destroy();
    this.resolveUnpublished();
  }

  republishBody(id: string): Json {
    const { channel, track } = this.ids;
    return {
      ...{ event_type: 'republish', id, input_id: this.options.inputId, channel_id: channel, track_id: track },
      ...{ ...this.options.inputFields, media_info: this.mediaInfoFields },
    };
  }

  upstreamEnded(upstream: KmpOutUpstream): void {
    const at = this.upstreams.indexOf(upstream);
    if (at >= 0) this.upstreams.splice(at, 1);
    // An upstream that is required takes all others with it.
    if (upstream.required || this.upstreams.length === 0) this.fail('upstream_error');
  }

  private publish(): void {
    this.state = 'waiting';
    const { inputId, inputFields } = this.options;
    this.publishCall = this.controller.call({
      body: { event_type: 'publish', input_id: inputId, ...inputFields, media_info: this.mediaInfoFields },
      onAnswer: (answer) => this.published(answer),
      onFailure: () => this.fail('parse_publish_failed'),
    });
  }

  private published(answer: Json): boolean {
    this.publishCall = undefined;
    const { channel_id, track_id, upstreams } = answer;
    if (typeof channel_id !== 'string' || typeof track_id !== 'string' || !Array.isArray(upstreams)) return false;
    if (Buffer.byteLength(channel_id) > 32 || Buffer.byteLength(track_id) > 32) return false;
    this.ids = { ...this.ids, channel: channel_id, track: track_id };
    try {
      for (const one of upstreams as UpstreamAnswer[]) this.upstreams.push(new KmpOutUpstream(this, one));
      this.state = upstreams.length > 0 ? 'active' : 'inactive';
    } catch {
      this.fail('create_upstream_failed');
    }
    return true;
  }

  private write(kind: 'mediaInfo' | 'frame' | 'end', packet: Buffer): void {
    if (this.state === 'inactive' && kind !== 'end') return;
    this.holdWithinMemory();
    this.log.push(kind, packet);
    // Buffers are filled one after the other, whatever was sent of them before.
    const size = BUFFER_SIZE[this.options.media];
    const full = Math.floor(this.log.written / size) * size;
    const appended = full > this.flushed;
    if (appended) this.append(full);
    if (this.flushTimer !== undefined && !appended) return;
    this.flushTimer?.cancel();
    this.flushTimer = this.clock.after(FLUSH_TIMEOUT, () => this.flush());
  }

  private flush(): void {
    this.flushTimer?.cancel();
    this.flushTimer = undefined;
    if (this.log.written > this.flushed) this.append(this.log.written);
  }

  private append(to: number): void {
    this.flushed = to;
    for (const upstream of [...this.upstreams]) upstream.append();
    this.release();
  }

  private release(): void {
    if (this.upstreams.length > 0) this.log.release(Math.min(...this.upstreams.map(({ needed }) => needed)));
  }

  private holdWithinMemory(): void {
    const limit = this.options.memoryLimit ?? MEMORY_LIMIT[this.options.media];
    if (this.log.size <= limit * HIGH) return;
    while (this.log.size > limit * LOW) {
      const [last] = [...this.upstreams].sort((a, b) => a.needed - b.needed);
      if (last?.autoAck(this.log.size - limit * LOW) !== true) return;
      this.release();
    }
  }

  private fail(reason: string): void {
    this.reason ||= reason;
    if (this.detached) this.cleanUp();
    else if (!this.failed) {
      this.failed = true;
      this.options.onError(reason);
    }
  }

  private cleanUp(): void {
    this.flushTimer?.cancel();
    if (this.upstreams.length > 0 || !this.detached) return;
    const { inputId, inputFields } = this.options;
    const body = { event_type: 'unpublish', input_id: inputId, reason: this.reason, ...inputFields };
    const done = (): boolean => {
      this.resolveUnpublished();
      return true;
    };
    if (this.state === 'initial') done();
    else this.controller.call({ body, onAnswer: done, onFailure: done }, 0);
  }
}
