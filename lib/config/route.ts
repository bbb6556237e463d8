import { messageOf } from '../base/errors.js';
import { maskUrl } from '../base/mask.js';
import { splitHostPort } from './access/addresses.js';
import { ValueError } from './errors.js';
import { linearPattern } from './linear-pattern.js';
import { hasControlCharacter, type ValueType } from './types.js';

/** A pattern for the names of inputs, and the destinations of the inputs that match. */
export interface Route {
  /** It is matched in linear time (RE2), so it must not have lookahead, lookbehind or backreferences. */
  readonly pattern: RegExp;
  /** RTMP URLs. `$1` to `$9` stand for the groups of the pattern, `$&` for the whole match. */
  readonly urls: readonly string[];
  /** For each URL, its backups: the destinations that are tried, in this order, when it fails. undefined: none. */
  readonly backups?: readonly (readonly string[])[];
  /**
   * For each URL, whether a sender ends the whole input when this destination ends for good. undefined: only if it is
   * the only destination of the route.
   */
  readonly required?: readonly (boolean | undefined)[];
}

/** Type of the arguments of `kmp_rtmp_route`. */
export const route: ValueType<Route> = {
  syntax: 'pattern url[|backup-url ...] [required | optional] ...',
  expected:
    'a regular expression and at least one RTMP URL, each with optional backups (url|url) and an optional "required" or "optional"',
  args: [2, 129],
  secret: true,
  parse([text = '', ...args]) {
    const { pattern, groups } = compile(text);
    const urls: string[] = [];
    const backups: (readonly string[])[] = [];
    const required: (boolean | undefined)[] = [];
    for (const arg of args) {
      if (arg === 'required' || arg === 'optional') {
        if (urls.length === 0 || required.at(-1) !== undefined) throw new ValueError(`"${arg}" must follow a URL`);
        required[required.length - 1] = arg === 'required';
        continue;
      }
      const [primary = '', ...others] = arg.split(BACKUP);
      for (const url of [primary, ...others]) checkUrl(url, text, groups);
      if (others.length > MAX_BACKUPS) {
        throw new ValueError(`"${maskUrl(primary)}" has ${others.length} backups; the maximum is ${MAX_BACKUPS}`);
      }
      checkRepeated([primary, ...others]);
      urls.push(primary);
      backups.push(others);
      required.push(undefined);
    }
    checkRepeated(urls);
    return {
      pattern,
      urls,
      ...(backups.some((some) => some.length > 0) ? { backups } : {}),
      ...(required.some((one) => one !== undefined) ? { required } : {}),
    };
  },
};

/** Stands between a URL and its backup. Any other `|` is a part of a stream name. */
const BACKUP = /\|(?=[a-z][a-z\d+.-]*:\/\/)/i;
/** A `|` that no stream name contains: at the end, before another one, or before a URL without a scheme. */
const LOST_BACKUP = /\|(?=$|\||[^|]*\/)/;

/** The most backups of a URL, as in connect data (`backup_urls`). */
const MAX_BACKUPS = 8;

/** Messages show the URL masked: it contains the stream key, and perhaps a password. @throws ValueError */
function checkUrl(url: string, pattern: string, groups: number): void {
  if (!/^rtmps?:\/\/[^/]+\/./i.test(url) || hasControlCharacter(url)) {
    throw new ValueError(`"${maskUrl(url)}" is not a URL such as rtmp://host/app/name or rtmps://host/app/$1`);
  }
  if (LOST_BACKUP.test(url)) {
    throw new ValueError(
      `a "|" in "${maskUrl(url)}" is not followed by the URL of a backup; expected rtmp://host/app/name`,
    );
  }
  const beyond = [...url.matchAll(/\$(\d)/g)].find(([, n]) => Number(n) > groups || Number(n) === 0);
  if (beyond !== undefined) {
    throw new ValueError(
      `"${beyond[0]}" in "${maskUrl(url)}": the pattern "${pattern}" has ${groups} group${groups === 1 ? '' : 's'}`,
    );
  }
}

/** @throws ValueError if a URL is there twice */
function checkRepeated(urls: readonly string[]): void {
  const twice = urls.find((url, index) => urls.indexOf(url) !== index);
  if (twice !== undefined) throw new ValueError(`"${maskUrl(twice)}" is given twice in one route`);
}

function compile(text: string): { pattern: RegExp; groups: number } {
  try {
    const pattern = new RegExp(text, 'u');
    linearPattern(pattern);
    // With an empty alternative the pattern matches the empty text; the match shows the number of groups.
    return { pattern, groups: (new RegExp(`${text}|`, 'u').exec('')?.length ?? 1) - 1 };
  } catch (error) {
    const why = /\(\?<?[=!]|\\[1-9k]/.test(text)
      ? 'lookahead, lookbehind and backreferences are not supported'
      : messageOf(error);
    throw new ValueError(`"${text}" is not a regular expression that can be used here: ${why}`);
  }
}

/** The parameters of `kmp_rtmp_control`. */
export interface Control {
  /** Address that senders connect to by KMP; undefined: the address of the KMP server of this service. */
  readonly kmp: { readonly host: string; readonly port: number } | undefined;
}

/** Type of the arguments of `kmp_rtmp_control`. */
export const control: ValueType<Control> = {
  syntax: '[kmp=host:port]',
  expected: 'nothing, or kmp=host:port',
  args: [0, 1],
  parse([text]) {
    if (text === undefined) return { kmp: undefined };
    const parts = text.startsWith('kmp=') ? splitHostPort(text.slice(4)) : undefined;
    const { host, port } = parts ?? {};
    if (host === undefined || host === '*' || port === undefined || port === 0) {
      throw new ValueError(`"${text}" is not kmp=host:port`);
    }
    return { kmp: { host, port } };
  },
};
