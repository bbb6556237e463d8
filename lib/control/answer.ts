import { createHash } from 'node:crypto';
import type { TrackCallback } from './callback.js';
import type { Target } from './targets.js';

/** Answer to what is refused, and to what needs no more than a yes. */
export interface PlainAnswer {
  readonly code: 'ok' | 'error';
  readonly message: string;
}

export const OK: PlainAnswer = { code: 'ok', message: 'ok' };

export interface UpstreamAnswer {
  readonly id: string;
  /** `kmp://ip:port` */
  readonly url: string;
  /** A sender that comes back begins behind the last frame that was acknowledged. */
  readonly resume_from: 'last_acked';
  /** Connect data of the KMP connection: base64 of JSON. */
  readonly connect_data: string;
}

export interface PublishAnswer extends PlainAnswer {
  readonly channel_id: string;
  readonly track_id: string;
  readonly upstreams: readonly UpstreamAnswer[];
}

/** A republish callback is about one upstream: senders read `url` and `connect_data` beside the rest. */
export interface RepublishAnswer extends PublishAnswer {
  readonly url: string;
  readonly connect_data: string;
}

export function publishAnswer(
  { name, media }: Pick<TrackCallback, 'name' | 'media'>,
  targets: readonly Target[],
  kmpUrl: string,
): PublishAnswer {
  return {
    ...OK,
    channel_id: kmpId(name),
    track_id: media === 'video' ? 'v1' : 'a1',
    upstreams: targets.map(({ id, url }) => ({
      id,
      url: kmpUrl,
      resume_from: 'last_acked',
      connect_data: Buffer.from(JSON.stringify({ upstream_id: id, url })).toString('base64'),
    })),
  };
}

/** @param targets the one that is asked for */
export function republishAnswer(
  callback: Pick<TrackCallback, 'name' | 'media'>,
  targets: readonly Target[],
  kmpUrl: string,
): RepublishAnswer {
  const answer = publishAnswer(callback, targets, kmpUrl);
  return { ...answer, url: kmpUrl, connect_data: answer.upstreams[0]?.connect_data ?? '' };
}

/** Bytes of a channel id in KMP's connect packet (docs/protocol/kmp.md, Connect packet). */
const ID_SIZE = 32;

/** `name`, or as much of it as fits with something behind that tells it from others of the same beginning. */
function kmpId(name: string): string {
  if (Buffer.byteLength(name) <= ID_SIZE) return name;
  const hash = createHash('sha256').update(name).digest('hex').slice(0, 8);
  let start = '';
  for (const character of name) {
    if (Buffer.byteLength(start + character) > ID_SIZE - hash.length - 1) break;
    start += character;
  }
  return `${start}-${hash}`;
}
