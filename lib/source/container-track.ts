import { EncodedPacketSink, type EncodedPacket, type InputTrack, type MediaCodec } from 'mediabunny';
import { KmpRtmpError, messageOf } from '../base/errors.js';
import { Codec } from '../media/codec.js';
import { bufferOf, packetForm } from './container-form.js';
import { containerInfo } from './container-info.js';
import type { Continuity } from './continuity.js';
import { decodeTimes, reorderDepth } from './decode-order.js';
import { fitDelay } from './fit.js';
import { TIMESCALE, type SourceFrame, type SourceOptions, type SourceTrack } from './source.js';

/** How the tracks of a container are read. */
export interface TrackReading {
  /** Packets that are read first, to find the order of decoding and the rates. */
  readonly probePackets: number;
  /** Makes timestamps continuous; only for a pipe, which has no index. */
  readonly continuity?: Continuity;
}

const CODECS: ReadonlyMap<MediaCodec, number> = new Map<MediaCodec, number>([
  ['avc', Codec.H264],
  ['hevc', Codec.H265],
  ['aac', Codec.AAC],
  ['mp3', Codec.MP3],
  ['opus', Codec.OPUS],
  ['ac3', Codec.AC3],
  ['eac3', Codec.EAC3],
]);

/** True for codecs that have a KMP codec id. */
export function isSupported(codec: MediaCodec | null): codec is MediaCodec {
  return codec !== null && CODECS.has(codec);
}

/** A packet with its timestamp in units of {@link TIMESCALE}. */
interface Packet {
  readonly pts: number;
  readonly packet: EncodedPacket;
}

/**
 * Prepares a track of a container file: finds its private data, the form of its frames and the order of decoding.
 *
 * @param begin presentation time in s to begin at; undefined for the first packet
 * @param path of the file, for messages
 */
export async function containerTrack(
  track: InputTrack,
  begin: number | undefined,
  path: string,
  options: SourceOptions,
  { probePackets, continuity }: TrackReading,
): Promise<SourceTrack> {
  const codec = await track.getCodec();
  const codecId = CODECS.get(codec ?? 'avc') ?? Codec.H264;
  const sink = new EncodedPacketSink(track);
  const form = await packetForm(track, sink, codecId);
  const { info, reorder } = await containerInfo(track, codecId, form.extraData, probePackets, continuity !== undefined);
  const depth = track.isVideoTrack() ? Math.max(reorder ?? 0, await probeDepth(sink, probePackets)) : 0;

  const reportDamage = (why: string): void =>
    options.onWarning?.(`${path}: the ${track.type} track ${track.id} ends early: ${why}`);

  async function* packets(): AsyncGenerator<Packet> {
    try {
      let last: EncodedPacket | undefined;
      const continuous = continuity?.track() ?? ((time: number) => time);
      const first = begin === undefined ? undefined : await firstPacket(track, sink, begin);
      if (first === null) return;
      for await (const packet of sink.packets(first)) {
        last = packet;
        const pts = continuous(Math.round(packet.timestamp * TIMESCALE) - form.delay);
        if (!Number.isSafeInteger(pts)) return reportDamage(`it is damaged (a time of ${packet.timestamp} s)`);
        yield { pts, packet };
      }
      // The index has a packet whose bytes are not in the file.
      if (last !== undefined && (await sink.getNextPacket(last, { metadataOnly: true })) !== null)
        reportDamage('the rest of the file is missing');
    } catch (error) {
      if (error instanceof KmpRtmpError && error.code === 'source_damaged') throw error;
      reportDamage(`it is damaged (${messageOf(error)})`);
    }
  }

  async function* frames(): AsyncGenerator<SourceFrame> {
    for await (const { packet: timed, dts } of decodeTimes(packets(), depth)) {
      const data = form.convert(bufferOf(timed.packet.data));
      if (data.length === 0) continue;
      yield {
        dts,
        ptsDelay: fitDelay(timed.pts - dts),
        key: info.mediaType === 'audio' || timed.packet.type === 'key',
        data,
      };
    }
  }

  return { info, frames };
}

/** Video starts at a key frame, audio at the packet that is played at that time. */
function firstPacket(track: InputTrack, sink: EncodedPacketSink, begin: number): Promise<EncodedPacket | null> {
  const found = track.isVideoTrack() ? sink.getKeyPacket(begin) : sink.getPacket(begin);
  return found.then((packet) => packet ?? sink.getFirstPacket());
}

/** {@link reorderDepth} of the first packets. */
async function probeDepth(sink: EncodedPacketSink, packets: number): Promise<number> {
  const times: number[] = [];
  for await (const packet of sink.packets(undefined, undefined, { metadataOnly: true })) {
    times.push(packet.timestamp);
    if (times.length >= packets) break;
  }
  return reorderDepth(times);
}
