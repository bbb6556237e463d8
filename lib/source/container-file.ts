import { open, type FileHandle } from 'node:fs/promises';
import { CustomSource } from 'mediabunny';
import { KmpRtmpError } from '../base/errors.js';

/**
 * The largest part of a file that is read at once, bytes. The index of a film of two days has 200 MB. A damaged file
 * can claim a part of gigabytes: Node aborts the process for a read of 2 GiB or more.
 */
const MAX_PART = 256 * 1024 * 1024;

/**
 * A file for mediabunny. Its own source for files reads as much as the file claims.
 *
 * @throws KmpRtmpError `source_format`, when a part is read that is too large
 */
export function containerFile(path: string): CustomSource {
  let file: Promise<FileHandle> | undefined;
  const opened = (): Promise<FileHandle> => (file ??= open(path, 'r'));
  return new CustomSource({
    getSize: async () => (await (await opened()).stat()).size,
    async read(start, end) {
      const length = end - start;
      if (length > MAX_PART) {
        throw new KmpRtmpError(
          'source_format',
          `${path} is damaged: it claims a part of ${length} bytes at byte ${start}`,
        );
      }
      const bytes = Buffer.alloc(length);
      const handle = await opened();
      for (let at = 0; at < length;) {
        const { bytesRead } = await handle.read(bytes, at, length - at, start + at);
        // The file has become shorter: the rest is zeros, which no format takes for media.
        if (bytesRead === 0) break;
        at += bytesRead;
      }
      return bytes;
    },
    dispose: () => void file?.then((handle) => handle.close()).catch(() => undefined),
    prefetchProfile: 'fileSystem',
    handleUnhandledError: () => undefined,
  });
}
