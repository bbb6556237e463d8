import { createReadStream } from 'node:fs';
import { KmpRtmpError, messageOf } from '../base/errors.js';
import { readDump } from '../kmp/dump.js';
import type { KmpPacket } from '../kmp/packet.js';
import { Frame } from '../media/frame.js';
import { sameMediaInfo, type MediaInfo } from '../media/media-info.js';
import type { DumpConnect, MediaSource, SourceFrame, SourceOptions } from './source.js';

/** Bytes of one read from the disk. */
const BLOCK = 256 * 1024;
const TYPES = new Set(['cnct', 'minf', 'fram', 'null', 'eost']);

/** True for the first bytes of a KMP dump. */
export function isKmpDump(head: Buffer): boolean {
  return TYPES.has(head.toString('latin1', 0, 4));
}

/** What the beginning of a dump contains, and how many frames to skip for the start offset. */
interface DumpHead {
  readonly info: MediaInfo;
  readonly connect: DumpConnect | undefined;
  readonly skip: number;
}

/**
 * Opens a KMP dump: the packets of one KMP connection, with or without its connect packet. It has one track. Frames are
 * unchanged, `created` included. Frames before the first media info are skipped, because they cannot be decoded. A
 * truncated or damaged dump is read up to the damage.
 *
 * @throws KmpRtmpError `source_no_tracks` if no media info is in it
 */
export async function openKmpDump(path: string, options: SourceOptions = {}): Promise<MediaSource> {
  const reported = new Set<string>();
  const warn = (what: string): void => {
    if (!reported.has(what)) options.onWarning?.(`${path} ${what}`);
    reported.add(what);
  };
  const head = await readHead(path, options.start ?? 0, warn);
  if (head === undefined)
    throw new KmpRtmpError('source_no_tracks', `${path} has no media info packet, so its frames cannot be sent`);
  const track = { info: head.info, frames: () => frames(path, head, warn) };
  return {
    format: 'KMP',
    absolute: true,
    tracks: [track],
    ...(head.connect === undefined ? {} : { connect: head.connect }),
    close: () => Promise.resolve(),
  };
}

/** The packets up to the end of the dump or to the damage, which is reported and not thrown. */
async function* packets(path: string, warn: (what: string) => void): AsyncGenerator<KmpPacket> {
  const file = createReadStream(path, { highWaterMark: BLOCK });
  try {
    yield* readDump(file as AsyncIterable<Buffer>);
  } catch (error) {
    warn(`is damaged, the rest is left out: ${messageOf(error)}`);
  } finally {
    file.destroy();
  }
}

/** Reads up to the start offset, or for 0 up to the first frame. */
async function readHead(path: string, start: number, warn: (what: string) => void): Promise<DumpHead | undefined> {
  let connect: DumpConnect | undefined;
  let info: MediaInfo | undefined;
  let first: number | undefined;
  let frame = 0;
  let head: DumpHead | undefined;
  for await (const packet of packets(path, warn)) {
    if (!(packet instanceof Frame)) {
      if (packet.kind === 'mediaInfo') info = packet.info;
      else if (packet.kind === 'connect')
        connect = { channelId: packet.channelId, trackId: packet.trackId, data: packet.data };
      else if (packet.kind === 'end') break;
      continue;
    }
    if (info === undefined) continue;
    first ??= packet.dts;
    if (head !== undefined && (packet.dts - first) * 1000 > start * info.timescale) break;
    if (head === undefined || info.mediaType === 'audio' || packet.isKey) head = { info, connect, skip: frame };
    if (start <= 0) break;
    frame++;
  }
  // A media info without frames is a track too.
  return head ?? (info === undefined ? undefined : { info, connect, skip: 0 });
}

async function* frames(path: string, head: DumpHead, warn: (what: string) => void): AsyncGenerator<SourceFrame> {
  let current: MediaInfo | undefined;
  let sent = head.info;
  let frame = 0;
  for await (const packet of packets(path, warn)) {
    if (!(packet instanceof Frame)) {
      if (packet.kind === 'mediaInfo') current = packet.info;
      else if (packet.kind === 'end') return;
      continue;
    }
    if (current === undefined) {
      warn('has frames before its first media info, which are left out');
      continue;
    }
    if (frame++ < head.skip || packet.size === 0) continue;
    // A repeated media info, as after a reconnect, is no change.
    const changed = current !== sent && !sameMediaInfo(current, sent);
    yield {
      dts: packet.dts,
      ptsDelay: packet.ptsDelay,
      key: packet.isKey,
      data: packet.payload(),
      created: packet.created,
      ...(changed ? { info: current } : {}),
    };
    sent = current;
  }
}
