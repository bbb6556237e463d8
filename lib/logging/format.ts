import type { LogFields, LogLevel } from '../base/logger.js';
import { maskText } from '../base/mask.js';

/** One line before it is written. */
export interface LogEntry {
  readonly level: LogLevel;
  readonly message: string;
  readonly fields: LogFields;
  /** Wall-clock ms since 1970. */
  readonly time: number;
}

/** Makes a line, without its end. Must not throw. */
export type LineFormat = (entry: LogEntry) => string;

/** Characters kept of a message and of a field; what senders and servers say may be long. */
const MAX_MESSAGE = 4000;
const MAX_FIELD = 500;

/**
 * A line as nginx's error_log has it, which log tools know: `2026/01/31 12:00:00 [error] 77#0: *5 message, upstream: id1`.
 * Local time; `*5` is the connection. Whatever could end the line or pass for another field is escaped or quoted.
 */
export const textLine: LineFormat = ({ level, message, fields, time }) => {
  const { connection, ...others } = fields;
  const about = connection === undefined ? '' : `*${shown(connection)} `;
  const given = Object.entries(others).filter(([, value]) => value !== undefined);
  const rest = given.map(([name, value]) => `, ${name}: ${shown(value)}`);
  return `${localTime(time)} [${level}] ${process.pid}#0: ${about}${escaped(cut(maskText(message), MAX_MESSAGE))}${rest.join('')}`;
};

/** A JSON object a line: time (ISO 8601), level, pid, message, then the fields. */
export const jsonLine: LineFormat = ({ level, message, fields, time }) => {
  const line: Record<string, unknown> = Object.create(null) as Record<string, unknown>;
  line['time'] = new Date(time).toISOString();
  line['level'] = level;
  line['pid'] = process.pid;
  line['message'] = cut(maskText(message), MAX_MESSAGE);
  for (const [name, value] of Object.entries(fields)) if (!(name in line)) line[name] = plain(value);
  return JSON.stringify(line);
};

/** A line's text and fields, with secrets masked and long values cut, for a log that formats by itself. */
export function masked(message: string, fields: LogFields): { message: string; fields: LogFields } {
  const given = Object.entries(fields).filter(([, value]) => value !== undefined);
  return {
    message: cut(maskText(message), MAX_MESSAGE),
    fields: Object.fromEntries(given.map(([name, value]) => [name, plain(value)])),
  };
}

/** A field's value as JSON can hold it. */
function plain(value: unknown): string | number | boolean | null | undefined {
  if (value === undefined || value === null || typeof value === 'boolean') return value;
  if (typeof value === 'number') return Number.isFinite(value) ? value : String(value);
  return cut(maskText(textOf(value)), MAX_FIELD);
}

function textOf(value: unknown): string {
  if (typeof value === 'string') return value;
  if (value instanceof Error) return value.stack ?? value.message;
  try {
    return typeof value === 'object' ? JSON.stringify(value) : String(value);
  } catch {
    // A circle, a bigint within, an object without a prototype: its kind must do.
    return Object.prototype.toString.call(value);
  }
}

/** A field's value as a text line shows it: bare if it is a plain word, else quoted. */
function shown(value: unknown): string {
  const text = String(plain(value));
  return /^[\w.:/@[\]*?+-]+$/.test(text) ? text : escaped(JSON.stringify(text));
}

function cut(text: string, most: number): string {
  return text.length <= most ? text : `${text.slice(0, most)}… (${text.length} characters)`;
}

/** Control characters, line ends of Unicode and marks that turn the direction of text, as \uXXXX. */
function escaped(text: string): string {
  return text.replace(
    // eslint-disable-next-line no-control-regex
    /[\u0000-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

function localTime(ms: number): string {
  const at = new Date(ms);
  const two = (value: number): string => String(value).padStart(2, '0');
  const date = [at.getFullYear(), two(at.getMonth() + 1), two(at.getDate())].join('/');
  return `${date} ${[at.getHours(), at.getMinutes(), at.getSeconds()].map(two).join(':')}`;
}
