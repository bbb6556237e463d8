import type { ConnectData } from './connect-data.js';

/** How much longer than a name its query, and the whole URL, may be: they have room for signed tokens. */
const QUERY_FACTOR = 8;
const URL_FACTOR = 16;

/**
 * Checks the length of ids and names (`kmp_rtmp_in_max_name_length`: `most`; 0: any). They appear in logs, the API and
 * metrics, and one sender could fill these with a few of them. Returns what is wrong; undefined: nothing.
 */
export function tooLong(
  { upstreamId, name, app, url, fleet }: Omit<ConnectData, 'header' | 'opaque'>,
  most: number,
): string | undefined {
  if (most === 0) return undefined;
  const texts: [field: string, length: number, most: number][] = [
    ['upstream_id', upstreamId.length, most],
    ['name without its query', name?.split('?', 1)[0]?.length ?? 0, most],
    ['name', name?.length ?? 0, most * QUERY_FACTOR],
    ['app', app?.length ?? 0, most * QUERY_FACTOR],
    ['url', url.length, most * URL_FACTOR],
    ['fleet_node', fleet?.node.length ?? 0, most],
  ];
  for (const [field, length, limit] of texts) {
    if (length > limit)
      return `${field} has ${length} characters, the maximum is ${limit} (kmp_rtmp_in_max_name_length)`;
  }
  return undefined;
}
