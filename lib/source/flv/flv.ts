import { open, type FileHandle } from 'node:fs/promises';
import { KmpRtmpError } from '../../base/errors.js';
import type { MediaInfo } from '../../media/media-info.js';
import { parseAudioBody, parseVideoBody, type FlvBody } from './flv-body.js';
import { flvInfo, needsConfig } from './flv-info.js';
import { probeFlv, type FlvProbe, type FlvReports } from './flv-probe.js';
import { flvTags, isFlv, lastTime, Tag } from './flv-tags.js';
import { TIMESCALE, type MediaSource, type SourceFrame, type SourceOptions, type SourceTrack } from '../source.js';

const PER_MS = TIMESCALE / 1000;

/**
 * Opens an FLV file: H.264, H.265, AAC, MP3, Opus, AC-3 and E-AC-3, with legacy or enhanced headers; the first video
 * and the first audio track. Tags are read one by one, so the size of the file does not matter. A truncated or damaged
 * file is read up to the damage.
 *
 * @throws KmpRtmpError `source_format` if it is not an FLV file; `source_no_tracks` if nothing in it can be sent
 */
export async function openFlv(path: string, options: SourceOptions = {}): Promise<MediaSource> {
  const handle = await open(path, 'r');
  try {
    const head = Buffer.alloc(9);
    await handle.read(head, 0, head.length, 0);
    if (!isFlv(head))
      throw new KmpRtmpError('source_format', `${path} is not an FLV file: it does not begin with "FLV"`);
    // Several iterators read the file and find the same damage: it is reported once.
    const reported = new Set<string>();
    const once = (report: ((message: string) => void) | undefined) => (what: string) => {
      if (!reported.has(what)) report?.(`${path} ${what}`);
      reported.add(what);
    };
    const reports = { warn: once(options.onWarning), missing: once(options.onMissingTrack ?? options.onWarning) };
    const probe = await probeFlv(handle, options.start ?? 0, reports);
    const tracks: SourceTrack[] = probe.tracks.map(({ info, type }) => ({
      info,
      frames: () => frames(handle, type, info, probe, reports),
    }));
    if (tracks.length === 0)
      throw new KmpRtmpError('source_no_tracks', `${path} has no video or audio that KMP can carry`);
    const end = await lastTime(handle);
    return {
      format: 'FLV',
      ...(end === undefined ? {} : { duration: Math.max(0, end - probe.firstTime) }),
      absolute: false,
      tracks,
      close: () => handle.close(),
    };
  } catch (error) {
    await handle.close();
    throw error;
  }
}

/**
 * The frames of one type of tag, from the place that the probe found. A changed sequence header comes with the next
 * frame.
 */
async function* frames(
  handle: FileHandle,
  type: number,
  first: MediaInfo,
  probe: FlvProbe,
  { warn, missing }: FlvReports,
): AsyncGenerator<SourceFrame> {
  let info = first;
  let changed: MediaInfo | undefined;
  for await (const tag of flvTags(handle, probe.beginOffset, (other) => other === type, warn)) {
    const body = parseBody(type, tag.body);
    if (body.kind === 'unsupported') missing(`has ${body.what}, which is left out`);
    const codecChanged = body.kind === 'frame' && body.codecId !== info.codecId && !needsConfig(body.codecId);
    if (body.kind === 'config' ? !body.data.equals(info.extraData) || body.codecId !== info.codecId : codecChanged) {
      changed = info = changedInfo(info, body);
    }
    if (body.kind !== 'frame' || body.data.length === 0 || tag.time < probe.beginTime) continue;
    yield {
      dts: tag.time * PER_MS,
      ptsDelay: body.cts * PER_MS,
      key: body.key,
      data: body.data,
      ...(changed === undefined ? {} : { info: changed }),
    };
    changed = undefined;
  }
}

/** The body of an audio or video tag. */
export function parseBody(type: number, body: Buffer): FlvBody {
  return type === Tag.VIDEO ? parseVideoBody(body) : parseAudioBody(body);
}

function changedInfo(before: MediaInfo, body: FlvBody): MediaInfo {
  if (body.kind !== 'config' && body.kind !== 'frame') return before;
  const extraData = body.kind === 'config' ? body.data : Buffer.alloc(0);
  const rate = before.mediaType === 'video' ? before.frameRateNum / before.frameRateDenom : 0;
  return flvInfo({ codecId: body.codecId, extraData, sample: body.data, bitrate: before.bitrate, rate });
}
