import { Amf0Reader, asRecord } from '../../rtmp/amf0/amf0-reader.js';
import { RtmpError } from '../../rtmp/errors.js';

/** What `onMetaData` says that the codec data does not; 0 if it is unknown. */
export interface StreamRates {
  /** Frames per second. */
  readonly frameRate: number;
  /** Bits per second. */
  readonly videoBitrate: number;
  readonly audioBitrate: number;
}

export const NO_RATES: StreamRates = { frameRate: 0, videoBitrate: 0, audioBitrate: 0 };

/** Reads the body of a data message; undefined if it is not a readable `onMetaData`. */
export function readRates(payload: Buffer): StreamRates | undefined {
  const reader = new Amf0Reader(payload);
  try {
    let name = reader.next();
    if (name === '@setDataFrame') name = reader.next();
    if (name !== 'onMetaData' && name !== '@onMetaData') return undefined;
    const fields = asRecord(reader.next());
    const number = (key: string, most: number): number => {
      const value = fields?.[key];
      return typeof value === 'number' && value > 0 && value <= most ? value : 0;
    };
    return {
      frameRate: number('framerate', 1000),
      // In kbit/s.
      videoBitrate: number('videodatarate', 4_000_000) * 1000,
      audioBitrate: number('audiodatarate', 4_000_000) * 1000,
    };
  } catch (error) {
    if (error instanceof RtmpError) return undefined;
    throw error;
  }
}
