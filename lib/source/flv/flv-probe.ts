import type { FileHandle } from 'node:fs/promises';
import type { MediaInfo } from '../../media/media-info.js';
import { parseAudioBody, parseVideoBody } from './flv-body.js';
import { flvInfo, needsConfig } from './flv-info.js';
import { flvTags, Tag } from './flv-tags.js';

/** The part of the file that is read to find tracks and rates: ms, and bytes. */
const PROBE_TIME = 10_000;
const PROBE_BYTES = 32 * 1024 * 1024;

/** What was found at the beginning of an FLV file. */
export interface FlvProbe {
  readonly tracks: readonly { readonly type: number; readonly info: MediaInfo }[];
  /** dts of the first frame of the file, ms. */
  readonly firstTime: number;
  /** Offset of the tag to begin at, and dts (ms) before which frames are skipped. */
  readonly beginOffset: number;
  readonly beginTime: number;
}

/** Where a reader of an FLV file reports what is wrong. Each text is a sentence whose subject is the file. */
export interface FlvReports {
  /** A part of the file is damaged or missing. */
  warn(what: string): void;
  /** A track, or a part of it, cannot be sent. */
  missing(what: string): void;
}

/** What is known of one track while the file is probed. */
class TrackProbe {
  codecId = 0;
  extraData: Buffer = Buffer.alloc(0);
  /** The last sequence header; it is used once a frame to begin at follows it. */
  private latest: { codecId: number; data: Buffer } | undefined;
  sample: Buffer | undefined;
  private frames = 0;
  private bytes = 0;
  private first = 0;
  private last = 0;

  constructor(readonly type: number) {}

  configure(codecId: number, data: Buffer): void {
    this.latest = { codecId, data };
    if (this.extraData.length === 0) this.begin();
  }

  /** The track begins here. */
  begin(): void {
    if (this.latest !== undefined) [this.codecId, this.extraData] = [this.latest.codecId, this.latest.data];
  }

  see(time: number, data: Buffer): void {
    if (this.sample === undefined) [this.sample, this.first] = [data, time];
    this.frames++;
    this.bytes += data.length;
    this.last = Math.max(this.last, time);
  }

  info(): MediaInfo | undefined {
    if (this.sample === undefined || (needsConfig(this.codecId) && this.extraData.length === 0)) return undefined;
    const span = (this.last - this.first) / 1000;
    const rate = span > 0 ? (this.frames - 1) / span : 0;
    const bitrate = span > 0 ? (this.bytes * 8) / (span + 1 / rate) : 0;
    return flvInfo({ codecId: this.codecId, extraData: this.extraData, sample: this.sample, bitrate, rate });
  }
}

/**
 * Finds the tracks, their media info, and where to begin.
 *
 * @param start ms from the first frame: begin at the last video key frame at or before it
 */
export async function probeFlv(handle: FileHandle, start: number, { warn, missing }: FlvReports): Promise<FlvProbe> {
  const video = new TrackProbe(Tag.VIDEO);
  const audio = new TrackProbe(Tag.AUDIO);
  let firstTime: number | undefined;
  let begin = { offset: 0, time: 0 };
  for await (const { type, time, offset, body } of flvTags(handle, 0, (tag) => tag !== Tag.SCRIPT, warn)) {
    const probe = type === Tag.VIDEO ? video : audio;
    const parsed = type === Tag.VIDEO ? parseVideoBody(body) : parseAudioBody(body);
    if (parsed.kind === 'unsupported') missing(`has ${parsed.what}, which is left out`);
    if (parsed.kind !== 'config' && parsed.kind !== 'frame') continue;
    const inHead = firstTime === undefined || (time <= firstTime + PROBE_TIME && offset <= PROBE_BYTES);
    const beforeBegin = time <= (firstTime ?? time) + start;
    if (!inHead && !beforeBegin) break;
    if (parsed.kind === 'config') {
      probe.configure(parsed.codecId, parsed.data);
      continue;
    }
    if (firstTime === undefined) [firstTime, begin] = [time, { offset, time: start > 0 ? time : 0 }];
    if (probe.codecId === 0) probe.codecId = parsed.codecId;
    if (inHead) probe.see(time, parsed.data);
    // Without a video track, it begins at the first audio frame at the offset.
    const place = type === Tag.VIDEO ? parsed.key : video.sample === undefined;
    if (start > 0 && beforeBegin && place) {
      begin = { offset, time };
      video.begin();
      audio.begin();
    }
  }
  const tracks = [video, audio].flatMap((probe) => {
    const info = probe.info();
    if (info === undefined && probe.sample !== undefined)
      missing(`has ${probe === video ? 'video' : 'audio'} without a sequence header, which is left out`);
    return info === undefined ? [] : [{ type: probe.type, info }];
  });
  const beginOffset = start > 0 ? begin.offset : 0;
  return { tracks, firstTime: firstTime ?? 0, beginOffset, beginTime: start > 0 ? begin.time : 0 };
}
