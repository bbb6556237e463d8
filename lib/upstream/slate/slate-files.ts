import { stat } from 'node:fs/promises';
import { KmpRtmpError } from '../../base/errors.js';
import { readSlateFile, type SlateFile } from './slate-file.js';

/** The largest file, bytes: four times as much as the media that a slate may have. Its index is read into memory. */
const MAX_FILE = 128 * 2 ** 20;

interface Entry {
  /** Changes with the file. */
  readonly version: string;
  readonly file: SlateFile;
}

/** The slates of this process by path. Each is loaded once and shared by all upstreams. */
class SlateFiles {
  private readonly loaded = new Map<string, Entry>();

  /** The file, if it is loaded. */
  get(path: string): SlateFile | undefined {
    return this.loaded.get(path)?.file;
  }

  /**
   * Loads a file, or again if it has changed.
   *
   * @throws KmpRtmpError if it cannot be played; see {@link readSlateFile}
   */
  async load(path: string): Promise<SlateFile> {
    const found = await stat(path).catch(() => undefined);
    // The file may have gone: that is found out when it is read. A read of a pipe without a writer would never end.
    if (found?.isFile() === false) {
      const what = found.isDirectory() ? 'it is a folder' : 'it is not a regular file';
      throw new KmpRtmpError('slate_file', `${path} cannot be a slate: ${what}`);
    }
    if (found !== undefined && found.size > MAX_FILE)
      throw new KmpRtmpError('slate_file', `${path} cannot be a slate: it has more than ${MAX_FILE} bytes`);
    const version = found === undefined ? '' : `${found.mtimeMs} ${found.size} ${found.ino}`;
    const known = this.loaded.get(path);
    if (known !== undefined && known.version === version) return known.file;
    const file = await readSlateFile(path);
    this.loaded.set(path, { version, file });
    return file;
  }

  /** Forgets all other files. Upstreams that play one keep it. */
  keepOnly(paths: ReadonlySet<string>): void {
    for (const path of [...this.loaded.keys()]) if (!paths.has(path)) this.loaded.delete(path);
  }
}

/** The slates of this process. */
export const slateFiles = new SlateFiles();

/** The path of a slate; undefined if `slate` (`kmp_rtmp_out_slate`) is not a file. */
export function slatePath(slate: string): string | undefined {
  return slate === 'none' || slate === 'freeze' ? undefined : slate;
}
