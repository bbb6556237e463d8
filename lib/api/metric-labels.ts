import { createHash } from 'node:crypto';
import type { UpstreamStatus, StreamStatus } from '../upstream/report/status.js';

const LONGEST = 128;

/**
 * An upstream's id as a label. Ids come from senders and may hold anything; a NUL or half a surrogate pair would make
 * Prometheus refuse the whole scrape, and so would two ids that look the same once they are mended. Such ids, and those of
 * more than 128 characters, are mended, cut, and told apart by a piece of their hash.
 */
export function upstreamLabel(id: string): string {
  // eslint-disable-next-line no-control-regex
  const mended = id.replace(/[\u0000-\u001f\u007f\p{Surrogate}]/gu, '\ufffd');
  if (mended === id && id.length <= LONGEST) return id;
  const hash = createHash('sha256').update(id, 'utf16le').digest('hex').slice(0, 12);
  return `${[...mended].slice(0, LONGEST).join('')}~${hash}`;
}

/**
 * The streams of an upstream with their labels: the RTMP stream id, never the name, which is the key to someone's channel.
 * Where several connections of an upstream use the same id, the later ones are `1-2`, `1-3`, ...
 */
export function labelledStreams(upstream: UpstreamStatus): { label: string; stream: StreamStatus }[] {
  const seen = new Map<number, number>();
  return Object.values(upstream.streams).map((stream) => {
    const nth = (seen.get(stream.id) ?? 0) + 1;
    seen.set(stream.id, nth);
    return { label: nth === 1 ? `${stream.id}` : `${stream.id}-${nth}`, stream };
  });
}
