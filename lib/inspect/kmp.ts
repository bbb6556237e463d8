import { parseConnectData } from '../kmp/connect-data.js';
import { KmpError } from '../kmp/error.js';
import type { ConnectPacket, KmpPacket, MediaInfoPacket } from '../kmp/packet.js';
import { codecName, type MediaType } from '../media/codec.js';
import { Frame } from '../media/frame.js';
import type { MediaInfo } from '../media/media-info.js';
import { KmpPackets, type KmpEvent, type LocatedPacket } from './kmp-packets.js';
import { maskFields } from './mask.js';
import type { BrokenRecord, FrameRecord, InspectRecord, KmpRecord, MediaInfoRecord, SummaryRecord } from './record.js';
import { round } from './running-stats.js';
import { TrackStats } from './track-stats.js';

/** Describes a dump of a KMP connection, with or without its connect packet. */
export class KmpInspector {
  private readonly packets = new KmpPackets();
  private readonly counts: Record<string, number> = {};
  private readonly tracks = new Map<MediaType, TrackStats>();
  private problems = 0;
  private name = '';
  private nextId: bigint | undefined;
  private info: MediaInfo | undefined;
  private stats: TrackStats | undefined;
  private waitingForKey = false;

  /**
   * @param showKeys true: stream keys are not masked
   */
  constructor(private readonly showKeys: boolean) {}

  feed(chunk: Buffer): InspectRecord[] {
    return this.packets.feed(chunk).map((event) => this.event(event));
  }

  /** The records for the end of the dump; the summary is the last. */
  end(): InspectRecord[] {
    const { unfinished, lostBytes, bytesBehindEnd, bytesReceived } = this.packets;
    const records: InspectRecord[] = [];
    if (unfinished !== undefined) {
      const packet = unfinished.packetType === '' ? 'packet header' : `packet "${unfinished.packetType}"`;
      const message = `the dump ends within a ${packet}: ${unfinished.received} of ${unfinished.expected} bytes are present`;
      records.push(this.broken(unfinished.offset, 'kmp_truncated', message));
    }
    if (lostBytes > 0) {
      const message = `no further packet was found in the last ${lostBytes} bytes`;
      records.push(this.broken(bytesReceived - lostBytes, 'kmp_lost', message));
    }
    if (bytesBehindEnd > 0) {
      const message = `${bytesBehindEnd} bytes follow the end of the track; the service ignores them`;
      records.push(this.broken(bytesReceived - bytesBehindEnd, 'kmp_behind_end', message));
    }
    return [...records, this.summary()];
  }

  private summary(): SummaryRecord {
    const tracks = [...this.tracks.values()].map((track) => track.summary());
    const { counts, problems } = this;
    return { kind: 'summary', format: 'kmp', size: this.packets.bytesReceived, counts, tracks, problems };
  }

  private broken(offset: number, code: string, message: string): BrokenRecord {
    this.problems++;
    return { kind: 'broken', offset, code, message };
  }

  private event(event: KmpEvent): InspectRecord {
    if ('error' in event) {
      // The record has the offset, counted from the start of the dump.
      const message = event.error.message.replace(/ at byte \d+:/, ':');
      return this.broken(event.offset, event.error.code, message);
    }
    if ('resyncAt' in event) {
      // The number of lost frames is not known.
      this.nextId = undefined;
      return { kind: 'resync', offset: event.resyncAt, skipped: event.skipped };
    }
    const record = this.packet(event);
    this.counts[record.kind] = (this.counts[record.kind] ?? 0) + 1;
    return record;
  }

  private packet({ packet, offset, headerSize, dataSize }: LocatedPacket): KmpRecord {
    const place = { offset, size: headerSize + dataSize };
    if (packet instanceof Frame) return { kind: 'frame', ...place, ...this.frame(packet) };
    return this.other(packet, place);
  }

  private other(packet: Exclude<KmpPacket, Frame>, place: { offset: number; size: number }): KmpRecord {
    switch (packet.kind) {
      case 'connect':
        return { ...place, ...this.connect(packet) };
      case 'mediaInfo':
        return { ...place, ...this.mediaInfo(packet) };
      default:
        return { kind: packet.kind, ...place };
    }
  }

  private connect({
    data,
    ...packet
  }: ConnectPacket): Omit<Extract<KmpRecord, { kind: 'connect' }>, 'offset' | 'size'> {
    this.name = `${packet.channelId}/${packet.trackId}`;
    this.nextId = packet.initialFrameId;
    const problem = problemOf(data);
    if (problem !== undefined) this.problems++;
    const shown = this.connectData(data);
    return { ...packet, data: shown, ...(problem === undefined ? {} : { problem }) };
  }

  private connectData(data: Buffer): unknown {
    const text = data.toString('utf8');
    try {
      const value: unknown = JSON.parse(text);
      return this.showKeys ? value : maskFields(value);
    } catch {
      return this.showKeys ? text : `${data.length} bytes that are not JSON`;
    }
  }

  private mediaInfo({ info }: MediaInfoPacket): Omit<MediaInfoRecord, 'offset' | 'size'> {
    this.info = info;
    // A connection carries one track. A damaged dump can contain two media types.
    const name = this.name === '' ? info.mediaType : this.name;
    this.stats = this.tracks.get(info.mediaType) ?? new TrackStats(name, info.mediaType);
    this.tracks.set(info.mediaType, this.stats);
    const codec = codecName(info.codecId);
    this.stats.codec = codec;
    this.waitingForKey = info.mediaType === 'video';
    const { mediaType, codecId, timescale, bitrate } = info;
    const common = { kind: 'mediaInfo', mediaType, codec, codecId, timescale, bitrate } as const;
    const extraDataSize = info.extraData.length;
    if (info.mediaType === 'audio') {
      const { channels, bitsPerSample, sampleRate } = info;
      return { ...common, channels, bitsPerSample, sampleRate, extraDataSize };
    }
    const { width, height, frameRateNum, frameRateDenom } = info;
    const frameRate = frameRateDenom === 0 ? undefined : round(frameRateNum / frameRateDenom);
    return { ...common, width, height, frameRate, extraDataSize };
  }

  private frame(frame: Frame): Omit<FrameRecord, 'kind' | 'offset' | 'size'> {
    const id = this.nextId;
    if (id !== undefined) this.nextId = id + 1n;
    const { created, dts, ptsDelay, size: dataSize, isKey: key } = frame;
    const raw = { id, key, dataSize, created, dts, ptsDelay };
    const { info, stats } = this;
    if (info === undefined || stats === undefined) return { ...raw, skipped: 'no_media_info' };
    const toMs = (units: number): number => (units * 1000) / info.timescale;
    const skipped = this.skipReason(frame);
    if (skipped !== undefined) {
      stats.skip(skipped);
      return { ...raw, dtsMs: round(toMs(dts)), ptsDelayMs: round(toMs(ptsDelay)), skipped };
    }
    const time = stats.add({ dtsMs: toMs(dts), bytes: dataSize, isKey: key, createdMs: toMs(created) });
    const times = { dtsMs: round(toMs(dts)), ptsDelayMs: round(toMs(ptsDelay)), driftMs: stats.drift };
    return { ...raw, ...times, ...(time === undefined ? {} : { time }) };
  }

  /** The order of the rules: docs/protocol/kmp.md, Rules of the input, 4. */
  private skipReason(frame: Frame): string | undefined {
    if (frame.size === 0) return 'empty';
    if (this.waitingForKey && !frame.isKey) return 'no_key';
    this.waitingForKey = false;
    return undefined;
  }
}

function problemOf(data: Buffer): string | undefined {
  try {
    parseConnectData(data);
    return undefined;
  } catch (error) {
    if (error instanceof KmpError) return error.message;
    throw error;
  }
}
