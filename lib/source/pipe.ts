import { KmpRtmpError } from '../base/errors.js';
import type { Readable } from '../base/streams.js';
import { openContainerPipe } from './container.js';
import { openFlvPipe } from './flv/flv-pipe.js';
import { PipeReader } from './pipe-reader.js';
import type { MediaSource, SourceOptions } from './source.js';

/** Bytes that the format is recognized by. */
const HEAD = 189;
const EBML = Buffer.from('1a45dfa3', 'hex');
/** Each packet of a transport stream begins with it. */
const TS_SYNC = 0x47;
const TS_PACKET = 188;

/**
 * Opens a stream of media of unknown length: FLV, Matroska, WebM or MPEG-TS. It is read as its frames are asked for,
 * and only once: `frames()` of a track can be called once, and no start offset is possible. Timestamps that wrap or
 * jump are made continuous.
 *
 * @param name of the stream in messages
 * @throws KmpRtmpError `source_format` if it is none of these; `source_no_tracks`, `source_no_config` as `openSource`
 */
export async function openPipe(stream: Readable, name: string, options: SourceOptions = {}): Promise<MediaSource> {
  const reader = new PipeReader(stream);
  const head = await reader.peek(HEAD);
  if (head.toString('latin1', 0, 3) === 'FLV') return openFlvPipe(reader, name, options);
  const isTs = head[0] === TS_SYNC && (head.length <= TS_PACKET || head[TS_PACKET] === TS_SYNC);
  if (isTs || head.subarray(0, EBML.length).equals(EBML)) return openContainerPipe(reader, name, options);
  const what = head.length === 0 ? 'is empty' : 'is none of FLV, Matroska, WebM and MPEG-TS';
  throw new KmpRtmpError('source_format', `${name} ${what}; pipe one of these into it: ffmpeg ... -f mpegts - | ...`);
}
