/**
 * What the load writes at the start of every payload and the ingest looks for at the other end, little-endian:
 * sent at f64 (machineMs), number u32 (0, 1, 2 ... a track), size of the payload u32, track u32.
 * The top bit of the track tells audio.
 */
export const Stamp = { sentAt: 0, number: 8, size: 12, track: 16, bytes: 20 } as const;

const AUDIO = 0x8000_0000;

export interface StampFields {
  readonly sentAt: number;
  readonly number: number;
  readonly size: number;
  readonly track: number;
  readonly audio: boolean;
}

export function writeStamp(to: Buffer, at: number, fields: StampFields): void {
  to.writeDoubleLE(fields.sentAt, at + Stamp.sentAt);
  to.writeUInt32LE(fields.number, at + Stamp.number);
  to.writeUInt32LE(fields.size, at + Stamp.size);
  to.writeUInt32LE(fields.track + (fields.audio ? AUDIO : 0), at + Stamp.track);
}

export function readStamp(from: Buffer, at: number): StampFields {
  const track = from.readUInt32LE(at + Stamp.track);
  return {
    sentAt: from.readDoubleLE(at + Stamp.sentAt),
    number: from.readUInt32LE(at + Stamp.number),
    size: from.readUInt32LE(at + Stamp.size),
    track: track % AUDIO,
    audio: track >= AUDIO,
  };
}
