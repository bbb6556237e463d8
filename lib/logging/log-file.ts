import { closeSync, openSync, write, writeSync } from 'node:fs';
import { KmpRtmpError, messageOf } from '../base/errors.js';

/** A log file that cannot be opened: at the start that is an end, later the file before is kept. */
export class LogFileError extends KmpRtmpError {
  constructor(path: string, cause: unknown) {
    super('LOG_FILE', `the log file ${path} cannot be opened: ${messageOf(cause)} (error_log)`, { cause });
  }
}

/** Takes lines. Nothing that goes wrong with it reaches the one who logs. */
export interface LineSink {
  /** @param line without its end */
  write(line: string): void;
  /** Closes and opens again, for a file that was moved away. */
  reopen(): void;
  /** Writes what waits now, at once. */
  flushSync(): void;
  /** Resolves when all is written, or has failed to. */
  close(): Promise<void>;
}

export interface LogFileOptions {
  /** Most bytes that wait for the disk; further lines are lost, and counted. Default 4 MiB. */
  readonly maxQueuedBytes?: number;
  /** Called once when lines begin to be lost. */
  readonly onTrouble?: (why: string) => void;
  /** Called once writing works again. */
  readonly onRecovered?: (lost: number) => void;
}

/**
 * Appends lines to a file without holding up the event loop. A disk that is full or slow costs lines, never the process: they
 * are counted, and writing is tried anew with each further line.
 */
export class LogFile implements LineSink {
  private fd: number | undefined;
  private queue: string[] = [];
  private queuedBytes = 0;
  private writing = false;
  private lost = 0;
  private troubled = false;
  private closing: Promise<void> | undefined;
  private closed: (() => void) | undefined;
  /** Files that were replaced while a write to them was under way. */
  private readonly retired: number[] = [];
  private readonly maxQueuedBytes: number;

  /**
   * @param path relative to the folder that the process was started in
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
      this.lose(1, 'the disk is too slow');
      return;
    }
    this.queue.push(line);
    this.queuedBytes += bytes;
    this.next();
  }

  /** @throws LogFileError if it cannot be opened; the one before stays in use */
  reopen(): void {
    const fresh = this.open();
    // What was logged until now belongs into the file before.
    this.flushSync();
    const old = this.fd;
    this.fd = fresh;
    if (old === undefined) return;
    if (this.writing) this.retired.push(old);
    else closeSync(old);
  }

  flushSync(): void {
    const lines = this.take();
    if (lines.length === 0 || this.fd === undefined) return;
    try {
      const bytes = Buffer.from(`${lines.join('\n')}\n`);
      for (let at = 0; at < bytes.length;) at += writeSync(this.fd, bytes, at);
      this.recovered();
    } catch (error) {
      this.lose(lines.length, messageOf(error));
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
      return openSync(this.path, 'a', 0o644);
    } catch (error) {
      throw new LogFileError(this.path, error);
    }
  }

  private take(): string[] {
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
    // All that one turn of the event loop logs goes out together.
    setImmediate(() => {
      const lines = this.take();
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
      if (error === null) this.recovered();
      else this.lose(lines, messageOf(error));
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

  private lose(lines: number, why: string): void {
    this.lost += lines;
    if (this.troubled) return;
    this.troubled = true;
    this.options.onTrouble?.(why);
  }

  private recovered(): void {
    if (!this.troubled) return;
    const { lost } = this;
    this.troubled = false;
    this.lost = 0;
    this.options.onRecovered?.(lost);
  }
}
