import type { LogFields, Logger, LogLevel } from '../../../lib/base/logger.js';

export interface LogLine {
  readonly level: LogLevel;
  readonly message: string;
  readonly fields: LogFields;
}

/** A logger that keeps its lines, those of its children included. */
export class LogLines implements Logger {
  constructor(
    readonly lines: LogLine[] = [],
    private readonly fields: LogFields = {},
  ) {}

  /** All that could be read in the log, in one text. */
  get text(): string {
    return this.lines.map((line) => `${line.level} ${line.message} ${JSON.stringify(line.fields)}`).join('\n');
  }

  of(level: LogLevel): LogLine[] {
    return this.lines.filter((line) => line.level === level);
  }

  error(message: string, fields: LogFields = {}): void {
    this.add('error', message, fields);
  }

  warn(message: string, fields: LogFields = {}): void {
    this.add('warn', message, fields);
  }

  info(message: string, fields: LogFields = {}): void {
    this.add('info', message, fields);
  }

  debug(message: string, fields: LogFields = {}): void {
    this.add('debug', message, fields);
  }

  child(fields: LogFields): LogLines {
    return new LogLines(this.lines, { ...this.fields, ...fields });
  }

  private add(level: LogLevel, message: string, fields: LogFields): void {
    this.lines.push({ level, message, fields: { ...this.fields, ...fields } });
  }
}
