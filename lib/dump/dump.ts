import { open, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf } from '../base/errors.js';
import type { Logger } from '../base/logger.js';

/** A file of all bytes that a connection receives. */
export interface Dump {
  /** Takes bytes at once. Their memory is released as soon as they are written to the disk. */
  write(bytes: Buffer): void;
  /** No more bytes will come. Writes what is queued, then closes the file. */
  close(): void;
}

/** The most bytes that wait for the disk, of one dump and of all dumps together. */
const MAX_QUEUED = 2 ** 20;
const MAX_QUEUED_IN_ALL = 64 * 2 ** 20;

/** The most buffers in one write. */
const MAX_PIECES = 512;

/** How many names are tried if files exist already: process ids and connection numbers repeat after a restart. */
const MAX_NAMES = 10_000;

/** State shared by all dumps of the process. */
const all = {
  queued: 0,
  open: new Set<FileDump>(),
  /**
   * Folders that cannot be written to, with the error that was logged. An error is logged once, not for each
   * connection.
   */
  loggedErrors: new Map<string, string>(),
};

/**
 * A dump in `folder`. The file is created when the first bytes come. An error is logged once and ends the dump, but
 * never the connection. A disk slower than the connection ends the dump, too: a dump with missing bytes would mislead.
 *
 * @param folder relative to the working directory at the start of the process
 * @param name the file's name, without any folder
 */
export function openDump(folder: string, name: string, log: Logger): Dump {
  return new FileDump(folder, name, log, 'wx');
}

/** Resolves when all closed dumps are on disk. */
export async function flushDumps(): Promise<void> {
  await Promise.all([...all.open].map((dump) => dump.done));
}

/** Exported for specs that open files in another way: see {@link openDump}. */
export class FileDump implements Dump {
  /** Resolves when the file is closed or idle. */
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
    // Without a copy, a small slice would keep a whole block in memory.
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
      // There is no await between this check and the end, so a later write starts a new run.
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
      // A new file could be written, so the problem with the folder is over.
      if (fresh) all.loggedErrors.delete(this.folder);
    }
  }

  private async create(): Promise<FileHandle> {
    for (let i = 1; ; i++) {
      const name = i === 1 ? this.name : this.name.replace(/(\.\w+)?$/, (end) => `-${i}${end}`);
      try {
        // Dumps contain stream keys, so only the owner can read them. A file or link of another user is not opened,
        // either.
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
    // All files of a folder fail with the same error code, but the text contains the path.
    const kind = /^[A-Z]+/.exec(why)?.[0] ?? why;
    if (all.loggedErrors.get(this.folder) === kind) return;
    all.loggedErrors.set(this.folder, kind);
    this.log.error(`dump ${this.name} stopped: ${why}; further dumps with the same error are not logged`, {
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

/** Writes all buffers: one writev may write only a part, so the rest is written again. */
async function writeAll(handle: FileHandle, pieces: readonly Buffer[]): Promise<void> {
  let left = pieces;
  while (left.length > 0) {
    let { bytesWritten } = await handle.writev(left);
    if (bytesWritten === 0) throw new Error('the disk accepts no bytes');
    let done = 0;
    while (done < left.length && bytesWritten >= (left[done]?.length ?? 0)) bytesWritten -= left[done++]?.length ?? 0;
    const [first, ...others] = left.slice(done);
    left = first === undefined ? [] : [first.subarray(bytesWritten), ...others];
  }
}
