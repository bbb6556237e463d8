import { InvalidArgumentError } from 'commander';
import { splitHostPort } from '../../config/access/addresses.js';
import { parseTime } from '../../config/types.js';

/** A host and a port. */
export interface Address {
  readonly host: string;
  readonly port: number;
}

/** `HOST:PORT`, `[V6]:PORT`. @throws InvalidArgumentError */
export function address(text: string): Address {
  const { host, port } = splitHostPort(text) ?? {};
  if (host === undefined || port === undefined || port === 0)
    throw new InvalidArgumentError('It must be HOST:PORT, for example 127.0.0.1:8005 or [::1]:8005.');
  return { host, port };
}

/**
 * A time in ms: `90`, `90s`, `1m30s`, `1.5`, `1:30`, `0:01:30.5`. Without a unit, it is in seconds. @throws
 * InvalidArgumentError
 */
export function time(text: string): number {
  const clock = /^(?:(\d+):)?(\d+):(\d{1,2}(?:\.\d+)?)$/.exec(text);
  if (clock !== null) {
    const [, hours = '0', minutes = '0', seconds = '0'] = clock;
    return Math.round((Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds)) * 1000);
  }
  const ms = /^\d*\.\d+$/.test(text) ? Math.round(Number(text) * 1000) : parseTime(text);
  if (ms === undefined) throw new InvalidArgumentError('It must be a time, for example 90, 1m30s, 1:30 or 500ms.');
  return ms;
}

/** A factor above 0. @throws InvalidArgumentError */
export function speed(text: string): number {
  const factor = Number(text.replace(/x$/, ''));
  if (!(factor > 0 && factor <= 1000))
    throw new InvalidArgumentError('It must be a number above 0 and up to 1000, for example 1, 0.5 or 2.');
  return factor;
}

/** A number of passes, 1 or more. @throws InvalidArgumentError */
export function passes(text: string): number {
  if (!/^[1-9]\d{0,8}$/.test(text))
    throw new InvalidArgumentError('It must be a number from 1 on, or be left out. Files must come before --loop.');
  return Number(text);
}
