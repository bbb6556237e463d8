/** What the private data of an audio codec, or a frame header, contains. */
export interface AudioParameters {
  /** Samples per second. */
  readonly sampleRate: number;
  readonly channels: number;
}

/** Sampling frequencies by index (ISO/IEC 14496-3, table 1.18). */
const AAC_RATES = [96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350];
/** Channels by channel configuration (the same, table 1.19); for 0, the stream itself has them. */
const AAC_CHANNELS = [0, 1, 2, 3, 4, 5, 6, 8];
const EXPLICIT_RATE = 15;
const ESCAPED_TYPE = 31;

/** Reads the fixed part of an AudioSpecificConfig (ISO/IEC 14496-3, 1.6.2.1). */
export function parseAudioSpecificConfig(config: Buffer): AudioParameters | undefined {
  if (config.length < 2) return undefined;
  // 8 bytes contain all fields that are read, even with both escapes: 5 + 6 + 4 + 24 + 4 bits.
  const bits = Buffer.concat([config, Buffer.alloc(8)]).readBigUInt64BE(0);
  let at = 64;
  const take = (count: number): number => {
    at -= count;
    return Number((bits >> BigInt(at)) & ((1n << BigInt(count)) - 1n));
  };
  if (take(5) === ESCAPED_TYPE) take(6);
  const index = take(4);
  const sampleRate = index === EXPLICIT_RATE ? take(24) : AAC_RATES[index];
  const channels = AAC_CHANNELS[take(4)];
  return sampleRate === undefined || sampleRate === 0 || channels === undefined ? undefined : { sampleRate, channels };
}

/** The header before an AAC frame in a transport stream or an .aac file (ISO/IEC 13818-7, 6.2). */
export interface Adts {
  /** The equivalent AudioSpecificConfig. */
  readonly config: Buffer;
  /** Offset of the raw frame. */
  readonly headerSize: number;
}

/** Reads an ADTS header; undefined if there is none. */
export function parseAdts(frame: Buffer): Adts | undefined {
  const [b0 = 0, b1 = 0, b2 = 0, b3 = 0] = frame;
  if (frame.length < 7 || b0 !== 0xff || (b1 & 0xf6) !== 0xf0) return undefined;
  const objectType = (b2 >> 6) + 1;
  const rateIndex = (b2 >> 2) & 15;
  const channelConfig = ((b2 & 1) << 2) | (b3 >> 6);
  return {
    config: Buffer.from([(objectType << 3) | (rateIndex >> 1), ((rateIndex & 1) << 7) | (channelConfig << 3)]),
    headerSize: (b1 & 1) === 1 ? 7 : 9,
  };
}

/** Samples that an Opus decoder drops at the beginning, at 48 kHz (RFC 7845, 5.1); 0 if `head` is no OpusHead. */
export function opusPreSkip(head: Buffer): number {
  return head.length >= 12 && head.toString('latin1', 0, 8) === 'OpusHead' ? head.readUInt16LE(10) : 0;
}

/** Channels of an OpusHead (RFC 7845, 5.1). Opus always runs at 48 kHz. */
export function parseOpusHead(head: Buffer): AudioParameters | undefined {
  if (head.length < 19 || head.toString('latin1', 0, 8) !== 'OpusHead') return undefined;
  return { sampleRate: 48000, channels: head[9] ?? 2 };
}

/** The usual speakers for a number of channels, as a bit mask (front left 1, right 2, centre 4, LFE 8 ...). */
export function defaultLayout(channels: number): bigint {
  return [0n, 0x4n, 0x3n, 0x7n, 0x107n, 0x37n, 0x3fn, 0x13fn, 0x63fn][channels] ?? 0n;
}
