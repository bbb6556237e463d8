import {
  ADTS,
  EncodedPacketSink,
  Input,
  Logging,
  LogLevel,
  MATROSKA,
  MP3,
  MP4,
  MPEG_TS,
  OGG,
  QTFF,
  ReadableStreamSource,
  WEBM,
  type InputTrack,
} from 'mediabunny';
import { KmpRtmpError, messageOf } from '../base/errors.js';
import { containerFile } from './container-file.js';
import { containerTrack, isSupported, type TrackReading } from './container-track.js';
import { Continuity } from './continuity.js';
import { checkMp4 } from './mp4-check.js';
import type { PipeReader } from './pipe-reader.js';
import type { MediaSource, SourceOptions, SourceTrack } from './source.js';

/**
 * Formats that mediabunny may read. HLS is not among them: a playlist would make this program read from other hosts.
 */
const FORMATS = [MP4, QTFF, MATROSKA, WEBM, MPEG_TS, MP3, ADTS, OGG];
/** Those that can be read from front to back. */
const PIPE_FORMATS = [MATROSKA, WEBM, MPEG_TS];

/**
 * Packets of a track that are read before anything is sent. In a pipe, they are a delay: a second of video, less of
 * audio.
 */
const PROBE_PACKETS = 250;
const PIPE_PROBE_PACKETS = 25;

/**
 * Opens an MP4, MOV, Matroska, WebM, MPEG-TS, MP3, AAC or Ogg file. Frames are read on demand: memory does
 * not grow with the size of the file, except for the index of the file.
 *
 * @throws KmpRtmpError `source_format` if the file is none of these, or is too damaged;
 * `source_no_tracks` if it has no track that KMP can carry
 */
export async function openContainer(path: string, options: SourceOptions = {}): Promise<MediaSource> {
  // Its errors come as exceptions, which are reworded here; nothing may write to the console directly.
  Logging.level = LogLevel.Silent;
  const input = new Input({ source: containerFile(path), formats: FORMATS });
  try {
    const format = await input.getFormat();
    if (format === MP4 || format === QTFF) await checkMp4(path);
    const tracks = await openTracks(input, path, options, { probePackets: PROBE_PACKETS });
    const duration = (await input.getDurationFromMetadata()) ?? undefined;
    const close = (): Promise<void> => {
      input.dispose();
      return Promise.resolve();
    };
    return {
      format: format.name,
      ...(duration === undefined ? {} : { duration: duration * 1000 }),
      absolute: false,
      tracks,
      close,
    };
  } catch (error) {
    input.dispose();
    throw unreadable(path, error, 'is it complete, and one of flv, mp4, mov, mkv, webm, ts or kmp?');
  }
}

/**
 * Opens Matroska, WebM or MPEG-TS that comes through a pipe. What one track is ahead of the other one is kept, up to
 * 32 MiB.
 *
 * @throws KmpRtmpError as {@link openContainer}
 */
export async function openContainerPipe(
  reader: PipeReader,
  name: string,
  options: SourceOptions = {},
): Promise<MediaSource> {
  Logging.level = LogLevel.Silent;
  const stream = new ReadableStream<Uint8Array>({
    async pull(controller) {
      const chunk = await reader.next();
      if (chunk === undefined) controller.close();
      else controller.enqueue(chunk);
    },
  });
  const source = new ReadableStreamSource(stream, { handleUnhandledError: () => undefined });
  const input = new Input({ source, formats: PIPE_FORMATS });
  const close = (): Promise<void> => {
    input.dispose();
    return Promise.resolve(reader.close());
  };
  try {
    const format = await input.getFormat();
    const reading = { probePackets: PIPE_PROBE_PACKETS, continuity: new Continuity() };
    const tracks = await openTracks(input, name, options, reading);
    return { format: format.name, absolute: false, tracks, close };
  } catch (error) {
    await close();
    throw unreadable(name, error, 'is it complete?');
  }
}

function unreadable(name: string, error: unknown, question: string): KmpRtmpError {
  if (error instanceof KmpRtmpError) return error;
  const message = `${name} cannot be read: ${messageOf(error)}; ${question}`;
  return new KmpRtmpError('source_format', message, { cause: error });
}

async function openTracks(
  input: Input,
  path: string,
  options: SourceOptions,
  reading: TrackReading,
): Promise<SourceTrack[]> {
  const found = await input.getTracks();
  const usable: InputTrack[] = [];
  for (const track of found) {
    if (!track.isVideoTrack() && !track.isAudioTrack()) continue;
    const codec = await track.getCodec();
    if (isSupported(codec)) usable.push(track);
    else {
      const name = codec ?? String(await track.getInternalCodecId());
      const report = options.onMissingTrack ?? options.onWarning;
      report?.(`${path}: the ${track.type} track ${track.id} cannot be sent: KMP does not carry ${name}`);
    }
  }
  if (found.length === 0)
    throw new KmpRtmpError(
      'source_no_tracks',
      `${path} has no tracks; is it complete? A recording that was not finished has no index`,
    );
  if (usable.length === 0)
    throw new KmpRtmpError('source_no_tracks', `${path} has no video or audio track that KMP can carry`);
  const begin = await startOf(usable, options.start ?? 0);
  return Promise.all(usable.map((track) => containerTrack(track, begin, path, options, reading)));
}

/**
 * Presentation time, in s, at which the tracks begin: the last key frame of the first video track at or before `start`.
 */
async function startOf(tracks: readonly InputTrack[], start: number): Promise<number | undefined> {
  if (start <= 0) return undefined;
  const firsts = await Promise.all(tracks.map((track) => track.getFirstTimestamp()));
  const wanted = Math.min(...firsts) + start / 1000;
  const video = tracks.find((track) => track.isVideoTrack());
  if (video === undefined) return wanted;
  const key = await new EncodedPacketSink(video).getKeyPacket(wanted, { metadataOnly: true });
  return key === null ? undefined : key.timestamp;
}
