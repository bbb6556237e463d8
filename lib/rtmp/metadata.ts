import type { AudioInfo, VideoInfo } from '../media/media-info.js';
import { writeAmf0, type Amf0Value } from './amf0/amf0-writer.js';
import { metadataCodecId } from './media-tags.js';

/**
 * Name of the metadata event as the module writes it, including "@" (docs/protocol/rtmp.md, Metadata and headers).
 */
export const DEFAULT_METADATA_NAME = '@onMetaData';

/**
 * The body of a stream's metadata message, with the fields of the tracks that exist.
 *
 * @param enhanced H.265 is named by its FourCC; default false: by the number that the module uses
 */
export function metadataBody(
  name: string,
  video: VideoInfo | undefined,
  audio: AudioInfo | undefined,
  enhanced = false,
): Buffer {
  const fields = new Map<string, Amf0Value>();
  if (video !== undefined) {
    fields.set('width', video.width);
    fields.set('height', video.height);
    fields.set('videodatarate', video.bitrate / 1000);
    fields.set('framerate', video.frameRateDenom === 0 ? 0 : video.frameRateNum / video.frameRateDenom);
    fields.set('videocodecid', metadataCodecId(video.codecId, enhanced));
  }
  if (audio !== undefined) {
    fields.set('audiodatarate', audio.bitrate / 1000);
    fields.set('audiosamplerate', audio.sampleRate);
    fields.set('audiosamplesize', audio.bitsPerSample);
    fields.set('stereo', audio.channels >= 2);
    fields.set('audiocodecid', metadataCodecId(audio.codecId, enhanced));
  }
  return writeAmf0('@setDataFrame', name, fields);
}

const twoDigits = (n: number): string => String(n).padStart(2, '0');

/** What comes before, between and after date and time in the body of onFI, if the year has four digits. */
const [BEFORE = '', BETWEEN = '', AFTER = ''] = onFi('dd-mm-yyyy', 'hh:mm:ss.mmm')
  .toString('latin1')
  .split(/dd-mm-yyyy|hh:mm:ss\.mmm/);

function onFi(sd: string, st: string): Buffer {
  return writeAmf0(
    'onFI',
    new Map([
      ['sd', sd],
      ['st', st],
    ]),
  );
}

/**
 * The body of an onFI message.
 *
 * @param createdMs wall-clock ms since 1970; written in UTC
 */
export function onFiBody(createdMs: number): Buffer {
  const at = new Date(createdMs);
  // A `created` that Date cannot represent, from a broken or hostile sender, is written as 1970.
  const date = Number.isNaN(at.getTime()) ? new Date(0) : at;
  const year = String(date.getUTCFullYear()).padStart(4, '0');
  const sd = `${twoDigits(date.getUTCDate())}-${twoDigits(date.getUTCMonth() + 1)}-${year}`;
  const ms = String(date.getUTCMilliseconds()).padStart(3, '0');
  const st = `${twoDigits(date.getUTCHours())}:${twoDigits(date.getUTCMinutes())}:${twoDigits(date.getUTCSeconds())}.${ms}`;
  // Each stream gets one every few seconds.
  return year.length === 4 ? Buffer.from(`${BEFORE}${sd}${BETWEEN}${st}${AFTER}`, 'latin1') : onFi(sd, st);
}
