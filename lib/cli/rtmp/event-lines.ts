import { maskText } from '../../base/mask.js';
import type { LogFields, Logger } from '../../base/logger.js';
import { printable } from '../../inspect/printable.js';
import type { Clock } from '../../time/clock.js';

/** Where the lines go, and how they are made. */
export interface EventLinesOptions {
  readonly write: (line: string) => void;
  readonly clock: Clock;
  /** What a line without a known upstream is about. */
  readonly subject: string;
  /** What to print for an upstream, by its id. */
  readonly upstreams?: ReadonlyMap<string, string>;
  /** Messages of the level `info` that are printed; default: all. */
  readonly shown?: RegExp;
  /** Messages that are never printed. */
  readonly hidden?: RegExp;
}

/** Fields that are printed behind the message. */
const PRINTED: readonly string[] = ['peer', 'encoder', 'url'];

/**
 * A logger for people who watch a terminal: the time, what it is about, and the message, in one line. Warnings and
 * errors are always printed.
 */
export class EventLines implements Logger {
  constructor(
    private readonly options: EventLinesOptions,
    private readonly fields: LogFields = {},
  ) {}

  error(message: string, fields?: LogFields): void {
    this.print(message, fields);
  }

  warn(message: string, fields?: LogFields): void {
    this.print(message, fields);
  }

  info(message: string, fields?: LogFields): void {
    if (this.options.shown?.test(message) !== false) this.print(message, fields);
  }

  debug(): void {}

  child(fields: LogFields): EventLines {
    return new EventLines(this.options, { ...this.fields, ...fields });
  }

  isEnabled(level: string): boolean {
    return level !== 'debug';
  }

  private print(message: string, more: LogFields = {}): void {
    const { write, clock, subject, upstreams, hidden } = this.options;
    if (hidden?.test(message) === true) return;
    const fields: LogFields = { ...this.fields, ...more };
    const about = upstreams?.get(String(fields['upstream'])) ?? subject;
    const extra = PRINTED.flatMap((name) => (typeof fields[name] === 'string' ? [fields[name]] : []));
    // Events have their type in front, for programs that read logs.
    const text = [message.replace(/^[a-z]+_[a-z]+: /, ''), ...extra].join(', ');
    const at = new Date(clock.wall());
    const time = [at.getHours(), at.getMinutes(), at.getSeconds()].map((part) => String(part).padStart(2, '0'));
    // Texts of servers and encoders must not control the terminal.
    write(`${time.join(':')}  ${printable(maskText(`${about}  ${text}`))}\n`);
  }
}
