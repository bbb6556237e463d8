import { maskIn } from '../base/mask.js';
import type { Destination } from './connection/destination.js';

/** Values of a query with fewer characters are ordinary words or numbers, and may be in any text. */
const SHORTEST_TOKEN = 8;

/**
 * Masks in `text`, which may come from a server, the stream names, tokens, user names and passwords of an upstream.
 *
 * @param names of its streams
 */
export function maskSecrets(text: string, names: Iterable<string>, destinations: readonly Destination[]): string {
  const secrets = [...names].flatMap(partsOf);
  for (const { url, streamName, params } of destinations) {
    secrets.push(url.user ?? '', url.password ?? '', ...partsOf(streamName));
    for (const place of [params.app, params.tcUrl]) secrets.push(...tokensOf(queryOf(place)));
  }
  return maskIn(text, new Set(secrets.flatMap(spellings))).replaceAll(/\buser=[^&\s\]]*/g, 'user=***');
}

/** What a server may repeat of the name of a stream: all of it, the name without its query, a token of the query. */
function partsOf(name: string): string[] {
  return [name, name.replace(/[?#].*$/s, ''), ...tokensOf(queryOf(name))];
}

function queryOf(text: string): string {
  const at = text.search(/[?#]/);
  return at < 0 ? '' : text.slice(at + 1);
}

/** The values of a query that may be tokens. A virtual host is none. */
function tokensOf(query: string): string[] {
  return query
    .split(/[&?#]/)
    .filter((part) => !part.startsWith('vhost='))
    .map((part) => part.slice(part.indexOf('=') + 1))
    .filter((value) => value.length >= SHORTEST_TOKEN);
}

/** Servers repeat a name as it was sent, or without percent-encoding. */
function spellings(text: string): string[] {
  if (!text.includes('%')) return [text];
  try {
    return [text, decodeURIComponent(text)];
  } catch {
    return [text];
  }
}
