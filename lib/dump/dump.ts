import { open, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf } from '../base/errors.js';
import type { Logger } from '../base/logger.js';

/** Everything that a connection receives, on its way to a file. */
export interface Dump {
  /** Takes bytes at once; they are let go as soon as the disk has them. */
  write(bytes: Buffer): void;
  /** No more will come: what waits is written, then the file closed. */
  close(): void;
}

/** Most bytes of a dump that wait for the disk, and of all dumps together. */
const MAX_QUEUED = 2 ** 20;
const MAX_QUEUED_IN_ALL = 64 * 2 ** 20;

/** Most pieces in one write. */
const MAX_PIECES = 512;

/** Names that are tried where files are there already: a pid and the numbers of connections come again after a restart. */
const MAX_NAMES = 10_000;

/** What all dumps of the process share. */
const all = {
  queued: 0,
  open: new Set<FileDump>(),
  /** Folders that cannot be written to, with what was logged of them: it is said once, not for each connection. */
  troubles: new Map<string, string>(),
};

/**
 * A dump in `folder`. The file is made when the first bytes come. Whatever goes wrong with it is logged once and ends the
 * dump, never the connection; so does a disk that is slower than the connection, since a dump with a hole would mislead.
 *
 * @param folder relative to the folder that the process was started in
 * @param name the file's name, without any folder
 */
export function openDump(folder: string, name: string, log: Logger): Dump {
  return new FileDump(folder, name, log, 'wx');
}

/** Resolves when all dumps that were closed are on disk. */
export async function flushDumps(): Promise<void> {
  await Promise.all([...all.open].map((dump) => dump.done));
}

/** For specs, which need another way to open files: see {@link openDump}. */
export class FileDump implements Dump {
  /** Resolves when the file is closed, or idle. */
  done: Promise<void> = Promise.resolve();
  private queue: Buffer[] = [];
  private queued = 0;
  private running = false;
  private closing = false;
  private broken = false;
  private handle: FileHandle | undefined;

  constructor(
    private readonly folder: string,
    private readonly name: string,
    private readonly log: Logger,
    private readonly flags: string,
  ) {}

  write(bytes: Buffer): void {
    if (this.broken || this.closing || bytes.length === 0) return;
    if (this.queued + bytes.length > MAX_QUEUED || all.queued + bytes.length > MAX_QUEUED_IN_ALL) {
      this.fail('the disk is slower than the connection');
      return;
    }
    // A small slice would hold a whole block in memory.
    this.queue.push(bytes.length * 4 < bytes.buffer.byteLength ? Buffer.from(bytes) : bytes);
    this.queued += bytes.length;
    all.queued += bytes.length;
    this.run();
  }

  close(): void {
    if (this.closing) return;
    this.closing = true;
    this.run();
  }

  private run(): void {
    if (this.running) return;
    this.running = true;
    all.open.add(this);
    this.done = this.work();
  }

  private async work(): Promise<void> {
    for (;;) {
      try {
        await this.writeQueue();
      } catch (error) {
        this.fail(messageOf(error));
      }
      const { handle } = this;
      if (handle !== undefined && (this.closing || this.broken)) {
        this.handle = undefined;
        await handle.close().catch((error: unknown) => this.fail(messageOf(error)));
      }
      // Nothing is waited for between this look and the end: what is written later starts anew.
      if (this.queue.length === 0 && (this.handle === undefined || !(this.closing || this.broken))) break;
    }
    this.running = false;
    all.open.delete(this);
  }

  private async writeQueue(): Promise<void> {
    while (this.queue.length > 0) {
      const fresh = this.handle === undefined;
      this.handle ??= await this.create();
      const pieces = this.queue.splice(0, MAX_PIECES);
      try {
        await writeAll(this.handle, pieces);
      } finally {
        this.release(pieces);
      }
      // A new file that can be written: whatever was wrong with the folder is over.
      if (fresh) all.troubles.delete(this.folder);
    }
  }

  private async create(): Promise<FileHandle> {
    for (let i = 1; ; i++) {
      const name = i === 1 ? this.name : this.name.replace(/(\.\w+)?$/, (end) => `-${i}${end}`);
      try {
        // Dumps hold stream keys: nobody else may read them. Neither is a file or link of somebody else's followed.
        return await open(join(this.folder, name), this.flags, 0o600);
      } catch (error) {
        const taken = error instanceof Error && 'code' in error && error.code === 'EEXIST';
        if (!taken || i >= MAX_NAMES) throw error;
      }
    }
  }

  private fail(why: string): void {
    if (this.broken) return;
    this.broken = true;
    this.release(this.queue.splice(0));
    // Closes the file.
    this.run();
    // The code is the same for all files of a folder, the path in the text is not.
    const kind = /^[A-Z]+/.exec(why)?.[0] ?? why;
    if (all.troubles.get(this.folder) === kind) return;
    all.troubles.set(this.folder, kind);
    this.log.error(`dump ${this.name} given up: ${why}; others that fail alike are not logged`, {
      folder: this.folder,
    });
  }

  private release(pieces: readonly Buffer[]): void {
    for (const { length } of pieces) {
      this.queued -= length;
      all.queued -= length;
    }
  }
}

/** Node writes what the system takes at once; the rest is written again. */
async function writeAll(handle: FileHandle, pieces: readonly Buffer[]): Promise<void> {
  let left = pieces;
  while (left.length > 0) {
    let { bytesWritten } = await handle.writev(left);
    if (bytesWritten === 0) throw new Error('the disk takes nothing');
    let done = 0;
    while (done < left.length && bytesWritten >= (left[done]?.length ?? 0)) bytesWritten -= left[done++]?.length ?? 0;
    const [first, ...others] = left.slice(done);
    left = first === undefined ? [] : [first.subarray(bytesWritten), ...others];
  }
}
