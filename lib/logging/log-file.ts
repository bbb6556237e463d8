import { closeSync, constants, openSync, write, writeSync } from 'node:fs';
import { KmpRtmpError, messageOf, writeErrorText } from '../base/errors.js';
import type { LogLevel } from '../base/logger.js';
import { systemClock } from '../time/clock.js';

/** Without O_NONBLOCK, a pipe that nobody reads would stop the process. Files ignore it; Windows does not have it. */
const FLAGS = constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | (constants.O_NONBLOCK ?? 0);

/** ms after which a pipe that was full is written to again. */
const PIPE_RETRY = 50;

/** A log file cannot be opened. At the start this is fatal; later the previous file stays in use. */
export class LogFileError extends KmpRtmpError {
  constructor(path: string, cause: unknown) {
    super('log_file', `the log file ${path} cannot be opened: ${writeErrorText(cause)} (error_log)`, { cause });
  }
}

/** Writes lines. Failures never reach the caller. */
export interface LineSink {
  /** @param line without the line break */
  write(line: string, level: LogLevel): void;
  /** Closes and opens the file again, after it was renamed. */
  reopen(): void;
  /** Writes all queued lines synchronously. */
  flushSync(): void;
  /** Resolves when all lines are written or have failed. */
  close(): Promise<void>;
}

export interface LogFileOptions {
  /** Maximum size of queued lines, in bytes. Further lines are lost and counted. Default 4 MiB. */
  readonly maxQueuedBytes?: number;
  /** Called once when the first line is lost. */
  readonly onLoss?: (why: string) => void;
  /** Called when writing works again. */
  readonly onRecovered?: (lost: number) => void;
}

/**
 * Appends lines to a file without blocking the event loop. If the disk is full or slow, lines are lost and counted, but
 * the process is not affected. Each further line is a new attempt to write.
 */
export class LogFile implements LineSink {
  private fd: number | undefined;
  private queue: string[] = [];
  private queuedBytes = 0;
  private writing = false;
  private lost = 0;
  private losing = false;
  private closing: Promise<void> | undefined;
  private closed: (() => void) | undefined;
  /** Descriptors of files that were replaced during a write. */
  private readonly retired: number[] = [];
  private readonly maxQueuedBytes: number;

  /**
   * @param path relative to the working directory
   * @throws LogFileError
   */
  constructor(
    readonly path: string,
    private readonly options: LogFileOptions = {},
  ) {
    this.maxQueuedBytes = options.maxQueuedBytes ?? 4 * 2 ** 20;
    this.fd = this.open();
  }

  write(line: string): void {
    const bytes = Buffer.byteLength(line) + 1;
    if (this.fd === undefined || this.queuedBytes + bytes > this.maxQueuedBytes) {
      this.countLost(1, 'the disk is too slow');
      return;
    }
    this.queue.push(line);
    this.queuedBytes += bytes;
    this.next();
  }

  /** @throws LogFileError if it cannot be opened; the previous file stays in use */
  reopen(): void {
    const fresh = this.open();
    // Lines logged so far belong to the old file.
    this.flushSync();
    const old = this.fd;
    this.fd = fresh;
    if (old === undefined) return;
    if (this.writing) this.retired.push(old);
    else closeSync(old);
  }

  flushSync(): void {
    const lines = this.takeQueue();
    if (lines.length === 0 || this.fd === undefined) return;
    try {
      const bytes = Buffer.from(`${lines.join('\n')}\n`);
      for (let at = 0; at < bytes.length;) at += writeSync(this.fd, bytes, at);
      this.recovered();
    } catch (error) {
      this.countLost(lines.length, messageOf(error));
    }
  }

  close(): Promise<void> {
    this.closing ??= new Promise((resolve) => {
      this.closed = resolve;
      if (!this.writing) this.finish();
    });
    return this.closing;
  }

  private open(): number {
    try {
      return openSync(this.path, FLAGS, 0o644);
    } catch (error) {
      throw new LogFileError(this.path, error);
    }
  }

  private takeQueue(): string[] {
    const lines = this.queue;
    this.queue = [];
    this.queuedBytes = 0;
    return lines;
  }

  private next(): void {
    if (this.writing || this.fd === undefined) return;
    if (this.queue.length === 0) {
      if (this.closed !== undefined) this.finish();
      return;
    }
    this.writing = true;
    // Lines of one turn of the event loop are written together.
    setImmediate(() => {
      const lines = this.takeQueue();
      this.append(this.fd, Buffer.from(lines.map((line) => `${line}\n`).join('')), lines.length);
    });
  }

  private append(fd: number | undefined, bytes: Buffer, lines: number): void {
    if (fd === undefined || bytes.length === 0) {
      this.written();
      return;
    }
    write(fd, bytes, 0, bytes.length, null, (error, count) => {
      if (error === null && count < bytes.length) {
        this.append(fd, bytes.subarray(count), lines);
        return;
      }
      // Neither the end nor a new file waits for a pipe.
      if (error?.code === 'EAGAIN' && this.closed === undefined && fd === this.fd) {
        systemClock.after(PIPE_RETRY, () => this.append(fd, bytes, lines));
        return;
      }
      if (error === null) this.recovered();
      else this.countLost(lines, messageOf(error));
      this.written();
    });
  }

  private written(): void {
    this.writing = false;
    for (const fd of this.retired.splice(0)) closeSync(fd);
    this.next();
  }

  private finish(): void {
    if (this.queue.length > 0) this.flushSync();
    if (this.fd !== undefined) closeSync(this.fd);
    this.fd = undefined;
    this.closed?.();
  }

  private countLost(lines: number, why: string): void {
    this.lost += lines;
    if (this.losing) return;
    this.losing = true;
    this.options.onLoss?.(why);
  }

  private recovered(): void {
    if (!this.losing) return;
    const { lost } = this;
    this.losing = false;
    this.lost = 0;
    this.options.onRecovered?.(lost);
  }
}
