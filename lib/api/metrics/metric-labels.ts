import { createHash } from 'node:crypto';
import type { UpstreamStatus, StreamStatus, TrackStatus } from '../../upstream/report/status.js';

const MAX_LABEL_LENGTH = 128;
/** What Prometheus refuses, and what changes how a dashboard shows the label: see lib/base/visible.ts. */
// eslint-disable-next-line no-control-regex
const INVALID = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\p{Surrogate}]/gu;

/**
 * The label value of an upstream id. Ids come from senders and may contain anything. Prometheus rejects the whole
 * scrape for a NUL or half a surrogate pair, and for two equal labels. So such ids, and those of more than 128
 * characters, are corrected, shortened and made unique with a part of their hash.
 */
export function upstreamLabel(id: string): string {
  const corrected = id.replace(INVALID, '\ufffd');
  if (corrected === id && id.length <= MAX_LABEL_LENGTH) return id;
  const hash = createHash('sha256').update(id, 'utf16le').digest('hex').slice(0, 12);
  return `${[...corrected].slice(0, MAX_LABEL_LENGTH).join('')}~${hash}`;
}

/** The label value of a word of this service, which another node of the fleet may have sent: it may be any text. */
export function wordLabel(word: string): string {
  return word.slice(0, MAX_LABEL_LENGTH).replace(INVALID, '\ufffd');
}

const MEDIA = ['video', 'audio'] as const;

/** The tracks of a stream with their labels. Another node of the fleet may have tracks of other kinds. */
export function tracksWithLabels({ tracks }: StreamStatus): { media: string; of: TrackStatus }[] {
  return MEDIA.flatMap((media) => {
    const of = tracks[media];
    return of === undefined ? [] : [{ media, of }];
  });
}

/**
 * The streams of an upstream with their labels. The label is the RTMP stream id, never the name, which may be a stream
 * key. If several connections of an upstream use the same id, the later ones are `1-2`, `1-3` and so on.
 */
export function streamsWithLabels(upstream: UpstreamStatus): { label: string; stream: StreamStatus }[] {
  const seen = new Map<number, number>();
  return Object.values(upstream.streams).map((stream) => {
    const nth = (seen.get(stream.id) ?? 0) + 1;
    seen.set(stream.id, nth);
    return { label: nth === 1 ? `${stream.id}` : `${stream.id}-${nth}`, stream };
  });
}
