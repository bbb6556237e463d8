/**
 * The description of an audio or video message by its first bytes: the FLV tag (docs/protocol/rtmp.md, Frames;
 * docs/protocol/enhanced-rtmp.md, Video messages).
 */
export interface MediaBody {
  readonly codec: string;
  readonly isKey: boolean;
  /** True for coded media; false for a header, a command or an end mark. */
  readonly isFrame: boolean;
  /** Bytes before the media. */
  readonly headerSize: number;
  readonly fields: Readonly<Record<string, unknown>>;
  readonly problem?: string;
}

const VIDEO_CODECS: Readonly<Record<number, string>> = { 2: 'H.263', 4: 'VP6', 7: 'H.264', 8: 'H.265', 12: 'H.265' };
const AUDIO_CODECS: Readonly<Record<number, string>> = {
  0: 'PCM',
  1: 'ADPCM',
  2: 'MP3',
  3: 'PCM',
  10: 'AAC',
  11: 'Speex',
};
const FRAME_TYPES: Readonly<Record<number, string>> = {
  1: 'key',
  2: 'inter',
  3: 'disposable',
  4: 'generated key',
  5: 'command',
};
const AVC_PACKETS: Readonly<Record<number, string>> = { 0: 'sequence header', 1: 'frame', 2: 'end of sequence' };
const EX_PACKETS: Readonly<Record<number, string>> = {
  0: 'sequence header',
  1: 'frame',
  2: 'end of sequence',
  3: 'frame',
  4: 'metadata',
  5: 'multitrack',
  6: 'multitrack',
  7: 'extension',
};
/** FourCCs whose frames begin with a composition time. */
const TIMED = new Set(['avc1', 'hvc1', 'vvc1']);

/** Bit 7 of a video message: a FourCC follows. */
const EX_VIDEO = 0x80;
/** Sound format of an audio message: a FourCC follows. */
const EX_AUDIO = 9;

function broken(problem: string): MediaBody {
  return { codec: '', isKey: false, isFrame: false, headerSize: 0, fields: {}, problem };
}

function fourCc(bytes: Buffer): string {
  return bytes.toString('latin1', 1, 5);
}

/** Describes a video message by its tag. */
export function describeVideo(bytes: Buffer): MediaBody {
  const first = bytes[0];
  if (first === undefined) return broken('an empty video message');
  const frame = FRAME_TYPES[(first >> 4) & 7] ?? `type ${(first >> 4) & 7}`;
  const isKey = frame === 'key' || frame === 'generated key';
  if ((first & EX_VIDEO) !== 0) return exVideo(bytes, first, frame, isKey);
  const codec = VIDEO_CODECS[first & 15] ?? `codec ${first & 15}`;
  const isAvc = codec === 'H.264' || codec === 'H.265';
  const headerSize = isAvc ? 5 : 1;
  if (bytes.length < headerSize) return broken(`a video message of ${bytes.length} bytes`);
  if (!isAvc) return { codec, isKey, isFrame: frame !== 'command', headerSize, fields: { codec, frame } };
  const packet = AVC_PACKETS[bytes.readUInt8(1)] ?? `packet ${bytes.readUInt8(1)}`;
  const compositionTime = bytes.readIntBE(2, 3);
  const fields = { codec, frame, packet, ...(packet === 'frame' ? { compositionTime } : {}) };
  return { codec, isKey, isFrame: packet === 'frame', headerSize, fields };
}

function exVideo(bytes: Buffer, first: number, frame: string, isKey: boolean): MediaBody {
  const packet = EX_PACKETS[first & 15] ?? `packet ${first & 15}`;
  // For these, the field in place of the FourCC differs.
  if (packet === 'extension' || packet === 'multitrack' || frame === 'command') {
    return { codec: 'enhanced', isKey, isFrame: packet === 'multitrack', headerSize: 1, fields: { frame, packet } };
  }
  if (bytes.length < 5) return broken(`a video message of ${bytes.length} bytes, where a FourCC is needed`);
  const codec = fourCc(bytes);
  const isTimed = packet === 'frame' && (first & 15) === 1 && TIMED.has(codec);
  if (isTimed && bytes.length < 8) return broken(`a video message of ${bytes.length} bytes, without composition time`);
  const fields = { codec, frame, packet, ...(isTimed ? { compositionTime: bytes.readIntBE(5, 3) } : {}) };
  return { codec, isKey, isFrame: packet === 'frame', headerSize: isTimed ? 8 : 5, fields };
}

/** Describes an audio message by its tag. */
export function describeAudio(bytes: Buffer): MediaBody {
  const first = bytes[0];
  if (first === undefined) return broken('an empty audio message');
  const format = first >> 4;
  if (format === EX_AUDIO) {
    const packet = EX_PACKETS[first & 15] ?? `packet ${first & 15}`;
    if (packet === 'multitrack' || packet === 'extension') {
      return { codec: 'enhanced', isKey: false, isFrame: packet === 'multitrack', headerSize: 1, fields: { packet } };
    }
    if (bytes.length < 5) return broken(`an audio message of ${bytes.length} bytes, where a FourCC is needed`);
    const codec = fourCc(bytes);
    return { codec, isKey: false, isFrame: packet === 'frame', headerSize: 5, fields: { codec, packet } };
  }
  const codec = AUDIO_CODECS[format] ?? `codec ${format}`;
  if (codec !== 'AAC') return { codec, isKey: false, isFrame: true, headerSize: 1, fields: { codec, packet: 'frame' } };
  if (bytes.length < 2) return broken('an AAC message of one byte');
  const packet = bytes.readUInt8(1) === 0 ? 'sequence header' : 'frame';
  return { codec, isKey: false, isFrame: packet === 'frame', headerSize: 2, fields: { codec, packet } };
}
