import { type EncodedPacketSink, type InputTrack } from 'mediabunny';
import { KmpRtmpError } from '../base/errors.js';
import { Codec, codecName } from '../media/codec.js';
import { annexBUnits, avccOf, hvccOf, lengthPrefixed } from './codec/annexb.js';
import { opusPreSkip, parseAdts } from './codec/audio-config.js';
import { TIMESCALE } from './source.js';

/** How packets of a track are converted to KMP frames. */
export interface PacketForm {
  /** Codec private data in the form that KMP needs. */
  readonly extraData: Buffer;
  /** Converts the bytes of a packet to the form that KMP needs; the result may be empty. */
  convert(data: Buffer): Buffer;
  /** Units of {@link TIMESCALE} to subtract from each timestamp. */
  readonly delay: number;
}

const NONE = Buffer.alloc(0);
const same = (data: Buffer): Buffer => data;

/**
 * Finds the private data of a track in the container or in its first packet: transport streams, and files that were
 * made from them, have video with start codes and AAC with ADTS headers.
 *
 * @throws KmpRtmpError `source_no_config` if there is none
 */
export async function packetForm(track: InputTrack, sink: EncodedPacketSink, codecId: number): Promise<PacketForm> {
  const description = await describe(track);
  switch (codecId) {
    case Codec.OPUS: {
      // Timestamps of Matroska include the samples that the decoder drops; those of MP4 do not.
      const matroska = ['Matroska', 'WebM'].includes((await track.input.getFormat()).name);
      const delay = matroska ? Math.round((opusPreSkip(description) * TIMESCALE) / 48000) : 0;
      return { extraData: description, convert: same, delay };
    }
    case Codec.H264:
    case Codec.H265:
    case Codec.AAC:
      if (description.length > 0) return { extraData: description, convert: same, delay: 0 };
      return { ...(await bareForm(track, sink, codecId)), delay: 0 };
    default:
      return { extraData: NONE, convert: same, delay: 0 };
  }
}

/** The conversion for a track without private data in the container. */
async function bareForm(
  track: InputTrack,
  sink: EncodedPacketSink,
  codecId: number,
): Promise<Pick<PacketForm, 'extraData' | 'convert'>> {
  const packet = track.isVideoTrack() ? await sink.getFirstKeyPacket() : await sink.getFirstPacket();
  const data = packet === null ? NONE : bufferOf(packet.data);
  if (codecId === Codec.AAC) {
    const adts = parseAdts(data);
    if (adts !== undefined)
      return { extraData: adts.config, convert: (frame) => frame.subarray(parseAdts(frame)?.headerSize ?? 0) };
  } else {
    const units = annexBUnits(data);
    const extraData = codecId === Codec.H264 ? avccOf(units) : hvccOf(units);
    if (extraData !== undefined) return { extraData, convert: (frame) => lengthPrefixed(annexBUnits(frame)) };
  }
  throw new KmpRtmpError(
    'source_no_config',
    `the ${track.type} track ${track.id} (${codecName(codecId)}) has no codec configuration, neither in the container nor ` +
      'in its first key frame; remux the file with ffmpeg -i FILE -c copy OUT.mp4',
  );
}

async function describe(track: InputTrack): Promise<Buffer> {
  const config = track.isVideoTrack() || track.isAudioTrack() ? await track.getDecoderConfig() : null;
  const description = config?.description;
  if (description === undefined) return NONE;
  // A copy: the library returns a view of a large cached block.
  return ArrayBuffer.isView(description)
    ? Buffer.from(bufferOf(new Uint8Array(description.buffer, description.byteOffset, description.byteLength)))
    : Buffer.from(new Uint8Array(description));
}

/** The same bytes as a Buffer. */
export function bufferOf(data: Uint8Array): Buffer {
  return Buffer.from(data.buffer, data.byteOffset, data.byteLength);
}
