import winston from 'winston';
import { systemClock, type Clock } from '../time/clock.js';
import type { ErrorLog } from '../config/error-log.js';
import { messageOf } from '../base/errors.js';
import type { LogFields, Logger, LogLevel } from '../base/logger.js';
import { jsonLine, textLine, type LogEntry } from './format.js';
import { LogFile, type LineSink } from './log-file.js';
import { SyslogSink } from './syslog-sink.js';
import { winstonLog } from './winston-adapter.js';
import { Writable } from '../base/streams.js';

/** Severities in winston: a smaller number is more severe. */
const LEVELS: Readonly<Record<LogLevel, number>> = { error: 0, warn: 1, info: 2, debug: 3 };

export interface LoggingOptions {
  readonly clock?: Clock;
  /** Stream for the target `stderr`. Default: process.stderr. */
  readonly stderr?: ErrorStream;
  /**
   * Transports of winston that get all lines too, each from its own `level` on (default `info`), with text and fields
   * masked and a `timestamp`. They stay when the targets change, and are never closed.
   */
  readonly transports?: readonly winston.transport[];
}

/**
 * The log of the process. It implements the {@link Logger} of the layers with winston, and has the targets, levels and
 * formats of `error_log`. If a target cannot be written, its lines are lost, but the process is not affected.
 */
export class Logging {
  readonly log: Logger;
  private readonly clock: Clock;
  private readonly stderr: ErrorStream;
  private readonly winston: winston.Logger;
  private readonly root: LogRoot;
  private sinks: LineSink[] = [];

  /** @throws LogFileError if a file cannot be opened */
  constructor(targets: readonly ErrorLog[], options: LoggingOptions = {}) {
    this.clock = options.clock ?? systemClock;
    this.stderr = options.stderr ?? process.stderr;
    this.winston = winston.createLogger({ levels: LEVELS, exitOnError: false });
    this.winston.on('error', (error) => this.reportFailure(`logging failed: ${messageOf(error)}`));
    this.root = {
      winston: this.winston,
      clock: this.clock,
      enabled: -1,
      targetLevel: -1,
      ...embedded(options.transports),
    };
    this.log = new WinstonLogger(this.root, {});
    this.configure(targets);
  }

  /**
   * Replaces the targets, for a reload.
   *
   * @throws LogFileError if a file cannot be opened; the previous targets stay in use then
   */
  configure(targets: readonly ErrorLog[]): void {
    const sinks: LineSink[] = [];
    const transports: winston.transport[] = [];
    try {
      for (const target of targets) {
        const sink = this.sink(target.target);
        sinks.push(sink);
        const stream = new SinkStream(sink, target.format);
        transports.push(new winston.transports.Stream({ stream, level: target.level }));
      }
    } catch (error) {
      for (const sink of sinks) void sink.close();
      throw error;
    }
    const old = this.sinks;
    this.sinks = sinks;
    this.winston.clear();
    for (const transport of transports) this.winston.add(transport);
    this.root.targetLevel = Math.max(-1, ...targets.map(({ level }) => LEVELS[level]));
    this.root.enabled = Math.max(this.root.targetLevel, this.root.embeddedLevel);
    for (const sink of old) void sink.close();
  }

  /**
   * Reopens the files after they were renamed, for example by logrotate. A file that cannot be opened again stays in
   * use.
   */
  reopen(): void {
    for (const sink of this.sinks) {
      try {
        sink.reopen();
      } catch (error) {
        this.log.error(messageOf(error));
      }
    }
  }

  /** Writes all queued lines synchronously, for a process that is about to end. */
  flushSync(): void {
    for (const sink of this.sinks) sink.flushSync();
  }

  /** Resolves when all lines are written. Later lines are discarded. */
  async close(): Promise<void> {
    this.root.enabled = -1;
    await Promise.all(this.sinks.map((sink) => sink.close()));
  }

  private sink(target: ErrorLog['target']): LineSink {
    if (target === 'stderr') return new StderrSink(this.stderr);
    if ('file' in target) return this.file(target.file);
    const { path, host = '', port } = target.syslog;
    const name = `syslog:${path === undefined ? `${host}:${port}` : `unix:${path}`}`;
    return new SyslogSink(target.syslog, this.clock, {
      onLoss: (why) => this.reportFailure(`log lines for ${name} are lost: ${why}`),
      onRecovered: (lost) => this.log.warn(`${lost} log lines for ${name} were lost`),
    });
  }

  private file(path: string): LogFile {
    return new LogFile(path, {
      onLoss: (why) => this.reportFailure(`log lines for ${path} are lost: ${why}`),
      onRecovered: (lost) => this.log.warn(`${lost} log lines for ${path} were lost`),
    });
  }

  /** Reports a failure of logging itself. */
  private reportFailure(message: string): void {
    new StderrSink(this.stderr).write(textLine({ level: 'error', message, fields: {}, time: this.clock.wall() }));
  }
}

/** State that all loggers of one log share. */
interface LogRoot {
  readonly winston: winston.Logger;
  readonly clock: Clock;
  /** The least severe level that any target writes, as a number of winston; -1: none. */
  enabled: number;
  /** The same, of the targets of `error_log` alone. */
  targetLevel: number;
  /** The transports of the embedding program, and their least severe level; -1: there are none. */
  readonly embedded: Logger | undefined;
  readonly embeddedLevel: number;
}

/** A logger for transports of the embedding program. */
function embedded(transports: readonly winston.transport[] = []): Pick<LogRoot, 'embedded' | 'embeddedLevel'> {
  if (transports.length === 0) return { embedded: undefined, embeddedLevel: -1 };
  const { combine, timestamp, json } = winston.format;
  const logger = winston.createLogger({
    levels: LEVELS,
    exitOnError: false,
    format: combine(timestamp(), json()),
    transports: [...transports],
  });
  const levels = transports.map(({ level = 'info' }) => Object.entries(LEVELS).find(([name]) => name === level)?.[1]);
  return { embedded: winstonLog(logger), embeddedLevel: Math.max(...levels.map((level) => level ?? LEVELS.debug)) };
}

/** A disabled level costs one comparison; winston sees only lines that a target writes. */
class WinstonLogger implements Logger {
  constructor(
    private readonly shared: LogRoot,
    private readonly fields: LogFields,
  ) {}

  error(message: string, fields?: LogFields): void {
    if (this.shared.enabled >= LEVELS.error) this.write('error', message, fields);
  }

  warn(message: string, fields?: LogFields): void {
    if (this.shared.enabled >= LEVELS.warn) this.write('warn', message, fields);
  }

  info(message: string, fields?: LogFields): void {
    if (this.shared.enabled >= LEVELS.info) this.write('info', message, fields);
  }

  debug(message: string, fields?: LogFields): void {
    if (this.shared.enabled >= LEVELS.debug) this.write('debug', message, fields);
  }

  child(fields: LogFields): Logger {
    return new WinstonLogger(this.shared, { ...this.fields, ...fields });
  }

  isEnabled(level: LogLevel): boolean {
    return this.shared.enabled >= LEVELS[level];
  }

  private write(level: LogLevel, message: string, fields: LogFields | undefined): void {
    const entry: LogEntry = {
      level,
      message,
      // Fields are in their own object, because winston interprets fields such as "stack" and "exception".
      fields: fields === undefined ? this.fields : { ...this.fields, ...fields },
      time: this.shared.clock.wall(),
    };
    // Without a target, winston writes a complaint with the unmasked line to stderr.
    if (this.shared.targetLevel >= LEVELS[level]) this.shared.winston.log(entry);
    this.shared.embedded?.[level](message, entry.fields);
  }
}

/**
 * The last stage of winston: formats lines and passes them to a sink, which limits its queue. Never applies
 * backpressure.
 */
class SinkStream extends Writable {
  private readonly line: typeof textLine;

  constructor(
    private readonly sink: LineSink,
    format: ErrorLog['format'],
  ) {
    super({ objectMode: true });
    this.line = format === 'json' ? jsonLine : textLine;
  }

  override _write(entry: LogEntry, _encoding: BufferEncoding, callback: () => void): void {
    this.sink.write(this.line(entry), entry.level);
    callback();
  }
}

/** Maximum size of lines that wait in the process, in bytes, when nobody reads the pipe. */
const MAX_STDERR_BYTES = 4 * 2 ** 20;

/** The parts of stderr that {@link StderrSink} uses. */
interface ErrorStream {
  write(text: string): unknown;
  /** Bytes that wait to be written. */
  readonly writableLength?: number;
}

/**
 * Writes to stderr. If it is a pipe that nobody reads, lines are lost and counted, and the process is not affected.
 * Errors are ignored: there is no place to report them.
 */
class StderrSink implements LineSink {
  private lost = 0;

  constructor(private readonly stream: ErrorStream) {
    if (stream === process.stderr && process.stderr.listenerCount('error') === 0) process.stderr.on('error', () => {});
  }

  write(line: string): void {
    if ((this.stream.writableLength ?? 0) > MAX_STDERR_BYTES) {
      this.lost++;
      return;
    }
    const lost = this.lost === 0 ? '' : `${this.lost} log lines were lost here, because nobody read stderr\n`;
    this.lost = 0;
    this.stream.write(`${lost}${line}\n`);
  }

  reopen(): void {}

  flushSync(): void {}

  close(): Promise<void> {
    return Promise.resolve();
  }
}
