import { createHash } from 'node:crypto';
import { SIGNATURE_LIFETIME, signConnectData } from '../kmp/signature.js';
import type { ErrorCode } from '../base/errors.js';
import type { TrackCallback } from './callback.js';
import type { Target } from './targets.js';

/** Answer to a rejected callback, and to one that needs no further data. */
export interface PlainAnswer {
  /** What senders read. */
  readonly code: 'ok' | 'error';
  /** The code of the error. */
  readonly error?: ErrorCode;
  readonly message: string;
}

export const OK: PlainAnswer = { code: 'ok', message: 'ok' };

export interface UpstreamAnswer {
  readonly id: string;
  /** `kmp://ip:port` */
  readonly url: string;
  /** A sender that reconnects continues at the first unacknowledged frame. */
  readonly resume_from: 'last_acked';
  /**
   * Whether the end of this upstream ends the whole input. Senders assume true if the field is missing, so one dead
   * destination would end all destinations of an input.
   */
  readonly required: boolean;
  /** Connect data of the KMP connection: JSON in base64. */
  readonly connect_data: string;
}

export interface PublishAnswer extends PlainAnswer {
  readonly channel_id: string;
  readonly track_id: string;
  readonly upstreams: readonly UpstreamAnswer[];
}

/**
 * Answer to a republish callback, which is about one upstream. Senders read `url` and `connect_data` at the top level.
 */
export interface RepublishAnswer extends PublishAnswer {
  readonly url: string;
  readonly connect_data: string;
}

/** A destination, and the KMP server that its senders are sent to. */
export interface PlacedTarget extends Target {
  /** `kmp://ip:port` */
  readonly kmpUrl: string;
  /** In a fleet: the node, and the epoch of its ownership. */
  readonly fleet?: { readonly node: string; readonly epoch: number };
}

/** How connect data is signed. */
export interface Signing {
  /** What connect data is signed with; undefined: it is not signed. */
  readonly secret: string | undefined;
  /** ms since 1970. */
  readonly now: number;
}

export function publishAnswer(
  { name, media }: Pick<TrackCallback, 'name' | 'media'>,
  targets: readonly PlacedTarget[],
  { secret, now }: Signing,
): PublishAnswer {
  const ids = { channel_id: kmpId(name), track_id: media === 'video' ? 'v1' : 'a1' };
  const text = (target: PlacedTarget): string => {
    const data = connectData(target);
    if (secret === undefined) return JSON.stringify(data);
    return signConnectData({ ...data, ...ids }, secret, Math.ceil(now / 1000) + SIGNATURE_LIFETIME);
  };
  return {
    ...OK,
    ...ids,
    upstreams: targets.map((target) => ({
      id: target.id,
      url: target.kmpUrl,
      resume_from: 'last_acked',
      required: target.required,
      connect_data: Buffer.from(text(target)).toString('base64'),
    })),
  };
}

function connectData({ id, url, backupUrls, fleet }: PlacedTarget): object {
  return {
    upstream_id: id,
    url,
    ...(backupUrls.length > 0 ? { backup_urls: backupUrls } : {}),
    ...(fleet === undefined ? {} : { fleet_node: fleet.node, fleet_epoch: fleet.epoch }),
  };
}

/** @param targets the one target of the callback */
export function republishAnswer(
  callback: Pick<TrackCallback, 'name' | 'media'>,
  targets: readonly PlacedTarget[],
  signing: Signing,
): RepublishAnswer {
  const answer = publishAnswer(callback, targets, signing);
  const [upstream] = answer.upstreams;
  return { ...answer, url: upstream?.url ?? '', connect_data: upstream?.connect_data ?? '' };
}

/** Size of the channel id in bytes (docs/protocol/kmp.md, Connect packet). */
const ID_SIZE = 32;

/** `name`, or its beginning and a hash if it is too long, so that different names stay different. */
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
