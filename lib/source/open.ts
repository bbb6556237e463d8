import { open } from 'node:fs/promises';
import { fileErrorText, KmpRtmpError } from '../base/errors.js';
import { openContainer } from './container.js';
import { openFlv } from './flv/flv.js';
import { isFlv } from './flv/flv-tags.js';
import { isKmpDump, openKmpDump } from './kmp-dump.js';
import type { MediaSource, SourceOptions } from './source.js';

/**
 * Opens a file for sending. Its first bytes decide about the format, not its name: FLV, a KMP dump, or one of the
 * containers of {@link openContainer}.
 *
 * @throws KmpRtmpError `source_open` if it cannot be opened; `source_format` if it is none of these, or too damaged;
 * `source_no_tracks` if nothing in it can be sent; `source_no_config` if a track cannot be decoded; with `strict`,
 * `source_damaged` and `source_missing_track`
 */
export async function openSource(path: string, given: SourceOptions = {}): Promise<MediaSource> {
  const options = given.strict === true ? { ...given, ...THROWING } : given;
  const head = await firstBytes(path);
  if (head.length === 0)
    throw new KmpRtmpError('source_format', `${path} is empty; expected a media file, such as .mp4 or .flv`);
  if (isKmpDump(head)) return openKmpDump(path, options);
  return isFlv(head) ? openFlv(path, options) : openContainer(path, options);
}

const THROWING: Pick<SourceOptions, 'onWarning' | 'onMissingTrack'> = {
  onWarning(message) {
    throw new KmpRtmpError('source_damaged', message);
  },
  onMissingTrack(message) {
    throw new KmpRtmpError('source_missing_track', message);
  },
};

async function firstBytes(path: string): Promise<Buffer> {
  try {
    const handle = await open(path, 'r');
    try {
      const head = Buffer.alloc(16);
      const { bytesRead } = await handle.read(head, 0, head.length, 0);
      return head.subarray(0, bytesRead);
    } finally {
      await handle.close();
    }
  } catch (error) {
    throw new KmpRtmpError('source_open', `${path} cannot be opened: ${fileErrorText(error)}`, { cause: error });
  }
}
