import { messageOf } from '../base/errors.js';
import { splitHostPort } from './addresses.js';
import { ValueError } from './errors.js';
import { hasControl, type ValueType } from './types.js';

/** Where to publish what a pattern fits. */
export interface Route {
  readonly pattern: RegExp;
  /** RTMP URLs, in which `$1` to `$9` and `$&` stand for what the groups and the whole pattern fit. */
  readonly urls: readonly string[];
}

/** The arguments of `kmp_rtmp_route`. */
export const route: ValueType<Route> = {
  syntax: 'pattern url ...',
  expected: 'a regular expression and at least one RTMP URL',
  args: [2, 65],
  parse([text = '', ...urls]) {
    const { pattern, groups } = compile(text);
    for (const url of urls) {
      if (!/^rtmps?:\/\/[^/]+\/./i.test(url) || hasControl(url)) {
        throw new ValueError(`"${url}" is not a URL such as rtmp://host/app/name or rtmps://host/app/$1`);
      }
      const beyond = [...url.matchAll(/\$(\d)/g)].find(([, n]) => Number(n) > groups || Number(n) === 0);
      if (beyond !== undefined) {
        throw new ValueError(
          `"${beyond[0]}" in "${url}": the pattern "${text}" has ${groups} group${groups === 1 ? '' : 's'}`,
        );
      }
    }
    return { pattern, urls };
  },
};

function compile(text: string): { pattern: RegExp; groups: number } {
  try {
    const pattern = new RegExp(text, 'u');
    // An alternative that fits the empty text tells how many groups the rest has.
    return { pattern, groups: (new RegExp(`${text}|`, 'u').exec('')?.length ?? 1) - 1 };
  } catch (error) {
    throw new ValueError(`"${text}" is not a regular expression: ${messageOf(error)}`);
  }
}

/** What `kmp_rtmp_control` says. */
export interface Control {
  /** Where senders are told to send KMP to; undefined: the KMP server's own address. */
  readonly kmp: { readonly host: string; readonly port: number } | undefined;
}

/** The arguments of `kmp_rtmp_control`. */
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
