import { asError } from '../../base/errors.js';
import type { ConnectData } from '../../kmp/connect-data.js';
import type { PacketBatch } from '../../kmp/decoder.js';
import { framesBefore, type ConnectPacket, type KmpPacket } from '../../kmp/packet.js';
import { Frame } from '../../media/frame.js';
import type { MediaInfo } from '../../media/media-info.js';
import { toMs } from '../../media/timescale.js';
import { longestInterval } from '../../time/turn-schedule.js';
import { turnShareOf } from '../../time/turn-share.js';
import { MAX_PAYLOAD } from '../../rtmp/chunk/chunk-writer.js';
import { Writable } from '../../base/streams.js';
import { Arrivals } from './arrivals.js';
import { FrameLane } from './frame-lane.js';
import { connectDataOf, signerOf } from './read-connect.js';
import { ackSenderFor, type AckSender } from './ack-sender.js';
import { handOver, takeOver } from './take-over.js';
import { TakeoverWait } from './takeover-wait.js';
import { HeldBlocks, copyOutOfLargeRead } from './held-blocks.js';
import { InputCounters } from './input-counters.js';
import type { InputOptions } from './input-options.js';
import { FrameRules } from './frame-rules.js';
import { checkPendingFrames, checkPendingInfos, checkSize, checkUnjoined, InputError } from './input-error.js';
import type { InputStatus } from '../report/status.js';
import type { Counting, Sums } from '../report/totals.js';
import type { InputLostReason } from '../report/upstream-event.js';
import type { Track } from '../tracks/track.js';
import type { TrackInput } from '../tracks/track-input.js';
import type { Upstream } from '../upstream.js';

/**
 * The last stage of a KMP connection. It applies the rules of the input (docs/protocol/kmp.md, Rules of the input),
 * keeps its counters, and passes frames to its track. It accepts everything at once: if the memory limit is reached, it
 * closes the connection instead of slowing the sender down.
 */
export class Input extends Writable implements TrackInput, Counting {
  readonly connection: number;
  readonly address: string;
  private readonly options: InputOptions;
  private acks: AckSender | undefined;
  private readonly counters = new InputCounters();
  private readonly createdAt: number;
  private connect: ConnectPacket | undefined;
  private data: ConnectData | undefined;
  private signer: string | undefined;
  private upstream: Upstream | undefined;
  private track: Track | undefined;
  private readonly rules: FrameRules;
  /** Frames that will be skipped because they are known already (docs/protocol/behaviour.md, Taking over). */
  private duplicates = 0;
  /** True while bytes of an unfinished packet are charged to the upstream. */
  private partialCharged = false;
  private readonly heldBlocks = new HeldBlocks();
  /** True if nothing was in the stream when {@link isIdle} looked last, and nothing has entered it since. */
  private quiet = false;
  private over = false;
  private lostReason: InputLostReason = 'input_closed';
  private readonly takeoverWait: TakeoverWait;
  /** Index of the last control packet in the current batch. */
  private at = 0;
  /** Set when nothing more is accepted, and only acks are still sent. */
  private finishing = false;
  /** True from the end of stream until its last frame is acknowledged. */
  private awaitsLastAck = false;
  private readonly arrivals = new Arrivals();
  /** The short way of ordinary frames, while the input {@link isIdle}; undefined: all take the long way. */
  lane: FrameLane | undefined;

  constructor(options: InputOptions) {
    super({ objectMode: true, highWaterMark: 4 });
    this.options = options;
    this.connection = options.connection;
    this.address = options.peer.replace(/:\d+$/, '');
    this.rules = new FrameRules(options.settings);
    this.createdAt = options.clock.now();
    this.data = options.connectData;
    this.takeoverWait = new TakeoverWait(options.clock, longestInterval(options.settings.inReadInterval));
    options.totals?.enter(this);
  }

  override _write(batch: PacketBatch, _encoding: BufferEncoding, callback: (error?: Error | null) => void): void {
    this.quiet = false;
    this.note(batch);
    this.run(batch, 0, callback);
  }

  /** True while it has a track, and nothing waits in its queue: then {@link takeNow} may be called. */
  get isIdle(): boolean {
    if (this.track === undefined || this.over || this.finishing) return false;
    this.quiet ||= this.writableLength === 0 && !this.writableEnded && !this.destroyed;
    return this.quiet;
  }

  /** The same as `write`, without the queue of the stream, which costs more than the work. */
  takeNow(batch: PacketBatch): void {
    this.note(batch);
    try {
      if (!this.over && !this.finishing) this.take(batch, 0);
      batch.block?.release();
    } catch (error) {
      this.destroy(asError(error));
    }
  }

  private note(batch: PacketBatch): void {
    if (this.over || this.finishing) return;
    this.heldBlocks.take(batch);
    this.counters.bytes += batch.bytes;
    this.arrivals.read(batch.at);
  }

  /** Takes the packets from number `from` on, now or when its track is free. */
  private run(batch: PacketBatch, from: number, callback: (error?: Error | null) => void): void {
    try {
      if (!this.over && !this.finishing) this.take(batch, from);
      batch.block?.release();
      callback();
    } catch (error) {
      if (this.takeoverWait.waits(error, () => this.run(batch, this.at, callback))) return;
      callback(asError(error));
    }
  }

  override _final(callback: (error?: Error | null) => void): void {
    this.quiet = false;
    this.leaveInTurn(callback);
  }

  override _destroy(error: Error | null, callback: (error: Error | null) => void): void {
    this.quiet = false;
    this.leaveInTurn(() => {
      this.allAcknowledged();
      this.heldBlocks.release();
      callback(error);
    });
  }

  get isClosed(): boolean {
    return this.over && !this.awaitsLastAck;
  }

  get acksGroups(): boolean {
    const { inAck } = this.options.settings;
    return inAck === 'on' || inAck === 'group';
  }

  get toRepeat(): number {
    return this.duplicates;
  }

  acknowledge(frameId: bigint): void {
    this.acks?.acknowledge(frameId);
  }

  finish(): void {
    this.finishing = true;
    this.track?.memory.setPartial(0);
  }

  allAcknowledged(): void {
    if (!this.awaitsLastAck) return;
    this.awaitsLastAck = false;
    this.acks?.close();
    this.options.socket?.end();
  }

  close(why: string, reason: InputLostReason = 'input_closed'): void {
    this.allAcknowledged();
    if (this.over) return;
    this.lostReason = reason;
    this.options.log.info(`KMP connection closed: ${why}`);
    this.leave();
    this.options.socket?.destroy();
    this.destroy();
  }

  reject(error: Error): void {
    if (this.over) return;
    this.leave();
    this.destroy(error);
  }

  status(now: number): InputStatus {
    return {
      connection: this.connection,
      remote_addr: this.options.peer,
      channel_id: this.connect?.channelId ?? '',
      track_id: this.connect?.trackId ?? '',
      uptime: Math.floor((now - this.createdAt) / 1000),
      ...this.counters.status(),
    };
  }

  addTo(sums: Sums): void {
    this.counters.addTo(sums, this.rules.info);
  }

  private take(batch: PacketBatch, from: number): void {
    const { packets } = batch;
    /** The accepted frames; undefined while these are all packets so far, which needs no list of its own. */
    let frames: Frame[] | undefined = from === 0 ? undefined : [];
    const wall = this.options.clock.wall();
    for (let i = from; i < packets.length; i++) {
      const packet = packets[i];
      if (packet instanceof Frame) {
        if (packet.size > MAX_PAYLOAD) this.deliver(frames ?? framesBefore(packets, i), batch.bytes);
        checkSize('fram', packet.size);
        if (!this.accepts(packet, wall)) {
          frames ??= framesBefore(packets, i);
          packet.release();
          continue;
        }
        this.arrivals.estimate(packet);
        frames?.push(packet);
        continue;
      }
      if (packet === undefined) continue;
      frames ??= framesBefore(packets, i);
      this.deliver(frames, batch.bytes);
      if (this.over) return;
      frames = [];
      this.at = i;
      this.control(packet);
      if (this.over) return;
    }
    const last = frames ?? (packets as readonly Frame[]);
    if (last.length > 0) {
      if (this.arrivals.isOver(batch.at)) this.arrivals.settle(last.at(-1));
      this.deliver(last, batch.bytes);
    }
    this.account(batch.held);
    // If nothing is queued, no sent batch will acknowledge the skipped frames.
    this.track?.acknowledge();
  }

  private control(packet: Exclude<KmpPacket, Frame>): void {
    switch (packet.kind) {
      case 'connect':
        this.connect = packet;
        this.signer = signerOf(packet, this.options);
        this.data = connectDataOf(packet.data, this.options);
        this.options.onConnect?.(packet, this.data);
        return;
      case 'mediaInfo':
        this.mediaInfo(packet.info);
        return;
      case 'end':
        this.options.log.info('KMP end of stream');
        this.endOfStream();
        return;
      case 'null':
    }
  }

  /**
   * Queued frames are still written. The connection stays open until they are acknowledged, because the sender cannot
   * send them again after the end of stream.
   */
  private endOfStream(): void {
    const { track, upstream, acks } = this;
    const isOfTrack = track?.input === this;
    if (isOfTrack) track.complete = true;
    this.awaitsLastAck = isOfTrack && acks !== undefined;
    this.lostReason = 'end_of_stream';
    this.leave();
    if (isOfTrack && this.awaitsLastAck) upstream?.awaitLastAck(track, this);
    else this.options.socket?.end();
  }

  private mediaInfo(info: MediaInfo): void {
    // After repeated frames, a group may continue whose key frame was accepted before.
    this.rules.mediaInfo(info, this.duplicates > 0);
    if (this.track === undefined) this.attach(info);
    else this.changeInfo(this.track, info);
  }

  private changeInfo(track: Track, info: MediaInfo): void {
    this.upstream?.admission.infoArrived(track, info);
    if (this.over) return;
    this.upstream?.changeInfo(track, info);
    checkPendingInfos(track.infos.others);
  }

  private attach(info: MediaInfo): void {
    const { data, options } = this;
    if (data === undefined) throw new InputError('kmp_no_connect_data', 'media info without connect data');
    // Frames that came before the media info have been counted, too.
    const initialFrameId = (this.connect?.initialFrameId ?? 0n) + BigInt(this.counters.skipped.no_media_info);
    const upstream = options.join(data, info.codecId, this.signer);
    const track = upstream.attach(this, data, info, initialFrameId);
    if (track === undefined) {
      // The upstream has failed during this call. It has closed its inputs, but this one was not among them yet.
      this.close('its upstream has failed');
      return;
    }
    this.upstream = upstream;
    this.track = track;
    const onRefused = (): void => this.arrivals.readLast();
    this.acks = ackSenderFor(options, upstream.schedule.clock, (why) => this.close(why), onRefused);
    if (track.ids.next > 0 || track.ids.expected !== initialFrameId) {
      const { rules } = this;
      const { settings, log } = options;
      this.duplicates = takeOver({ track, upstream, rules, settings, log }, initialFrameId, info);
      track.startAcks(this);
    }
    upstream.changeInfo(track, info);
    const turns = options.onJoined?.(upstream);
    track.source = turns;
    this.arrivals.begin(turns, options.clock.now());
    const { rules, counters, arrivals } = this;
    const { clock } = options;
    const lane = new FrameLane({ clock, input: this, track, upstream, rules, counters, arrivals });
    // Each frame is logged as an object.
    if (options.onFrame === undefined) this.lane = lane;
  }

  /**
   * Applies the rules for a frame in their order (docs/protocol/kmp.md, Rules of the input, 4). True: the frame goes to
   * the track.
   */
  private accepts(frame: Frame, wall: number): boolean {
    const { track, upstream } = this;
    const { info } = this.rules;
    const { skipped } = this.counters;
    if (info === undefined || track === undefined || upstream === undefined) {
      skipped.no_media_info++;
      return false;
    }
    if (this.duplicates > 0) {
      this.duplicates--;
      skipped.duplicate++;
      return false;
    }
    const seq = track.ids.next++;
    const skip = this.rules.skips(frame);
    if (skip !== undefined) {
      skipped[skip]++;
      return false;
    }
    const { timescale } = info;
    this.counters.frame(frame, wall, timescale);
    if (frame.isKey && info.mediaType === 'video') {
      track.keyReceived(seq, toMs(frame.dts, timescale));
      track.slate?.keyFrame(frame, info);
    }
    frame.seq = seq;
    frame.ms = toMs(frame.dts, timescale) + track.offset;
    this.options.onFrame?.(frame, track.ids.idOf(seq));
    if (track.gap !== undefined && !upstream.absentInputs.endsGap(track, track.gap, frame, timescale)) {
      // The rest of its group cannot be decoded without it.
      this.rules.waitKey = info.mediaType === 'video';
      return false;
    }
    return upstream.admission.admits(track, frame);
  }

  /** @param bytes of the read that contained the frames */
  private deliver(frames: readonly Frame[], bytes: number): void {
    const { track, upstream } = this;
    if (frames.length === 0 || track === undefined || upstream === undefined) return;
    copyOutOfLargeRead(frames, bytes);
    // The bytes held for the first frame's packet are part of its payload now.
    this.account(0);
    upstream.admission.accept(track, frames);
    checkPendingFrames(track.length);
  }

  /** Charges the bytes of an unfinished packet: to the upstream or, before there is one, against in_mem_limit. */
  private account(held: number): void {
    const { upstream } = this;
    if (upstream === undefined) {
      checkUnjoined(held + (this.connect?.data.length ?? 0), this.options);
      return;
    }
    if (this.over) return;
    const first = !this.partialCharged && this.counters.frames === 0;
    this.partialCharged = held > 0;
    const { track } = this;
    if (track !== undefined) upstream.admission.partial(track, held, first);
  }

  /** Thousands of senders may leave together, for example if their process dies. Other work has its turns meanwhile. */
  private leaveInTurn(then: () => void): void {
    const share = this.over ? undefined : turnShareOf(this.options.clock);
    if (share === undefined) then();
    else share.run(() => (this.leave(), then()));
  }

  /** The connection leaves its track, for any reason. Further calls do nothing. */
  private leave(): void {
    if (this.over) return;
    this.over = true;
    this.options.totals?.leave(this);
    if (!this.awaitsLastAck) this.acks?.close();
    const { track, upstream } = this;
    if (upstream === undefined || track === undefined || track.input !== this) return;
    handOver(track, this.rules, this.counters);
    upstream.detach(track, this.lostReason);
  }
}
