import { createHash } from 'node:crypto';
import type { Route } from '../config/route.js';
import { KmpRtmpError } from '../base/errors.js';
import { matchWithin } from './match.js';

/** Where one input is published to. */
export interface Target {
  /** The upstream: the same for all tracks of the input, and after a restart or a new order of the routes. */
  readonly id: string;
  /** Holds the stream key. */
  readonly url: string;
}

/**
 * Asks the routes in order; the first whose pattern fits decides.
 *
 * @returns undefined if none fits
 * @throws KmpRtmpError `pattern_too_slow`, or `bad_name` if the name would lead to another host or app than the route's author
 *   had in mind
 */
export function targetsOf(routes: readonly Route[], name: string): Target[] | undefined {
  for (const { pattern, urls } of routes) {
    const match = matchWithin(pattern, name);
    if (match) return urls.map((url) => target(name, filledIn(url, match)));
  }
  return undefined;
}

function target(name: string, url: string): Target {
  const host = /^[a-z]+:\/\/(?:[^/]*@)?(\[[^\]]*\]|[^/:]*)/i.exec(url)?.[1] ?? '';
  const hash = createHash('sha256').update(`${name}\n${url}`).digest('hex').slice(0, 8);
  return { id: `${name}-${host}-${hash}`, url };
}

/** `url` with what the groups (`$1` to `$9`) and the whole pattern (`$&`) fit. */
function filledIn(url: string, match: RegExpExecArray): string {
  // Up to the stream: scheme, host and app.
  const fixed = /^[^/]*\/\/[^/]*\/[^/]*/.exec(url)?.[0].length ?? 0;
  return url.replace(/\$([1-9&])/g, (_, which: string, at: number) => {
    const value = match[which === '&' ? 0 : Number(which)] ?? '';
    if (at < fixed && !/^[\w-]+(\.[\w-]+)*$/.test(value)) {
      throw new KmpRtmpError(
        'bad_name',
        `$${which} stands in the host or the app of a route, where this name has more than letters, digits, "_", "-" and "."`,
      );
    }
    return value;
  });
}
