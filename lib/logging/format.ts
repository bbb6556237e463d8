import type { LogFields, LogLevel } from '../base/logger.js';
import { maskText } from '../base/mask.js';
import { escapeInvisible } from '../base/visible.js';

/** A log line before formatting. */
export interface LogEntry {
  readonly level: LogLevel;
  readonly message: string;
  readonly fields: LogFields;
  /** Wall-clock ms since 1970. */
  readonly time: number;
}

/** Formats a line, without the line break. Must not throw. */
export type LineFormat = (entry: LogEntry) => string;

/** Maximum length of a message and of a field, in UTF-16 units. Texts of senders and servers may be long. */
const MAX_MESSAGE = 4000;
const MAX_FIELD = 500;

/**
 * The format of nginx's error_log, which log tools understand: `2026/01/31 12:00:00 [error] 77#0: *5 message, upstream:
 * id1`. The time is local; `*5` is the connection. Text that could end the line or look like another field is escaped
 * or quoted.
 */
export const textLine: LineFormat = ({ level, message, fields, time }) => {
  const { connection, ...others } = fields;
  const about = connection === undefined ? '' : `*${fieldText(connection)} `;
  const given = Object.entries(others).filter(([, value]) => value !== undefined);
  const rest = given.map(([name, value]) => `, ${name}: ${fieldText(value)}`);
  return `${localTime(time)} [${level}] ${process.pid}#0: ${about}${escapeInvisible(truncate(maskText(message), MAX_MESSAGE))}${rest.join('')}`;
};

/** One JSON object for each line: time (ISO 8601), level, pid, message, and the fields. */
export const jsonLine: LineFormat = ({ level, message, fields, time }) => {
  const line: Record<string, unknown> = Object.create(null) as Record<string, unknown>;
  line['time'] = new Date(time).toISOString();
  line['level'] = level;
  line['pid'] = process.pid;
  line['message'] = truncate(maskText(message), MAX_MESSAGE);
  for (const [name, value] of Object.entries(fields)) if (!(name in line)) line[name] = jsonValue(value);
  return escapeInvisible(JSON.stringify(line));
};

/** The text and the fields of a line, masked and shortened, for a log that formats lines itself. */
export function masked(message: string, fields: LogFields): { message: string; fields: LogFields } {
  const given = Object.entries(fields).filter(([, value]) => value !== undefined);
  return {
    message: truncate(maskText(message), MAX_MESSAGE),
    fields: Object.fromEntries(given.map(([name, value]) => [name, jsonValue(value)])),
  };
}

/** Converts the value of a field to a JSON value. */
function jsonValue(value: unknown): string | number | boolean | null | undefined {
  if (value === undefined || value === null || typeof value === 'boolean') return value;
  if (typeof value === 'number') return Number.isFinite(value) ? value : String(value);
  return truncate(maskText(textOf(value)), MAX_FIELD);
}

function textOf(value: unknown): string {
  if (typeof value === 'string') return value;
  if (value instanceof Error) return value.stack ?? value.message;
  try {
    return typeof value === 'object' ? JSON.stringify(value) : String(value);
  } catch {
    // A circular object, a bigint inside, or an object without a prototype.
    return Object.prototype.toString.call(value);
  }
}

/** The value of a field in a text line, quoted unless it is a simple word. */
function fieldText(value: unknown): string {
  const text = String(jsonValue(value));
  return /^[\w.:/@[\]*?+-]+$/.test(text) ? text : escapeInvisible(JSON.stringify(text));
}

function truncate(text: string, most: number): string {
  return text.length <= most ? text : `${text.slice(0, most)}… (${text.length} characters)`;
}

function localTime(ms: number): string {
  const at = new Date(ms);
  const two = (value: number): string => String(value).padStart(2, '0');
  const date = [at.getFullYear(), two(at.getMonth() + 1), two(at.getDate())].join('/');
  return `${date} ${[at.getHours(), at.getMinutes(), at.getSeconds()].map(two).join(':')}`;
}
