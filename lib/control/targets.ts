import { createHash } from 'node:crypto';
import { linearPattern } from '../config/linear-pattern.js';
import type { Route } from '../config/route.js';
import { KmpRtmpError } from '../base/errors.js';

/** A destination of an input. */
export interface Target {
  /**
   * The upstream id. It is the same for all tracks of the input, and does not change with a restart or the order of
   * routes.
   */
  readonly id: string;
  /** RTMP URL; contains the stream key. */
  readonly url: string;
  /** RTMP URLs that are tried, in this order, when `url` fails; with stream keys. */
  readonly backupUrls: readonly string[];
  /** Whether the sender ends the whole input when this destination ends for good. */
  readonly required: boolean;
}

/**
 * Returns the destinations of the first route that matches `name`.
 *
 * @returns undefined if no route matches
 * @throws KmpRtmpError `control_bad_name` if the name would change the host or the app in an unexpected way
 */
export function targetsOf(routes: readonly Route[], name: string): Target[] | undefined {
  for (const { pattern, urls, backups = [], required = [] } of routes) {
    const match = linearPattern(pattern)(name);
    if (match === null) continue;
    const only = urls.length === 1;
    return urls.map((url, index) => ({
      ...target(name, substitute(url, match)),
      backupUrls: (backups[index] ?? []).map((backup) => substitute(backup, match)),
      required: required[index] ?? only,
    }));
  }
  return undefined;
}

/** The id depends on the primary URL alone: a route that gets a backup keeps its upstream. */
function target(name: string, url: string): Pick<Target, 'id' | 'url'> {
  const host = /^[a-z]+:\/\/(?:[^/]*@)?(\[[^\]]*\]|[^/:]*)/i.exec(url)?.[1] ?? '';
  const hash = createHash('sha256').update(`${name}\n${url}`).digest('hex').slice(0, 8);
  return { id: `${name}-${host}-${hash}`, url };
}

/** Replaces `$1` to `$9` in `url` by the groups of the match, and `$&` by the whole match. */
function substitute(url: string, match: readonly (string | undefined)[]): string {
  // Length of the part before the stream: scheme, host and app.
  const fixed = /^[^/]*\/\/[^/]*\/[^/]*/.exec(url)?.[0].length ?? 0;
  return url.replace(/\$([1-9&])/g, (_, which: string, at: number) => {
    const value = match[which === '&' ? 0 : Number(which)] ?? '';
    if (at < fixed && !/^[\w-]+(\.[\w-]+)*$/.test(value)) {
      throw new KmpRtmpError(
        'control_bad_name',
        `$${which} is part of the host or the app of a route; there the name may contain only letters, digits, "_", "-" and "."`,
      );
    }
    return value;
  });
}
