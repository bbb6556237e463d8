import { systemClock, type Clock } from '../time/clock.js';
import { KmpRtmpError } from '../base/errors.js';
import { noLog, type Logger } from '../base/logger.js';
import type { MediaInfo } from '../media/media-info.js';

/** Where a connection goes, and what it says first. */
export interface KmpTarget {
  readonly host: string;
  readonly port: number;
  /** JSON with at least `upstream_id` and `url`. */
  readonly connectData: string | Buffer;
}

/** Rejection of {@link KmpClientOptions.renew}: no further attempt is wanted. */
export class UpstreamRefused extends KmpRtmpError {
  constructor(message: string, cause: unknown) {
    super('send_refused', message, { cause });
  }
}

/** Options of `KmpClient`. */
export interface KmpClientOptions extends KmpTarget {
  /** At most 32 bytes of UTF-8 each. */
  readonly channelId: string;
  readonly trackId: string;
  /** The media info that the track begins with. */
  readonly info: MediaInfo;
  /**
   * Id of the first frame. Default: the wall clock in units of 1/90000 s, as nginx-kmp-out does. A sender that is
   * started again then has higher ids than before, and its frames are not taken for repetitions.
   */
  readonly initialFrameId?: bigint;
  /**
   * Reconnect after a broken connection, and send the unacknowledged frames again from the key frame before them.
   * Default true.
   */
  readonly reconnect?: boolean;
  /** ms after which reconnecting is given up. Default 60000. */
  readonly retryFor?: number;
  /**
   * Called before each connection but the first; a controller may have moved the upstream. If it rejects, the attempt
   * has failed; with {@link UpstreamRefused}, the client fails. Default: the target stays the same.
   */
  readonly renew?: () => Promise<KmpTarget>;
  /** Treat a failure of the first connection like one of a later connection. Default false: it is final. */
  readonly retryFirst?: boolean;
  /**
   * The source is live and must not wait for acknowledgements: at `maxHeld`, frames that were written but not
   * acknowledged are forgotten, the oldest first, down to half of it. Default false.
   */
  readonly live?: boolean;
  /** ms that connecting may take. Default 10000. */
  readonly connectTimeout?: number;
  /** Bytes of memory for unsent and unacknowledged frames from which on `frame()` waits. Default 64 MiB. */
  readonly maxHeld?: number;
  /**
   * Whether the server acknowledges frames. Default true: the track is complete only if all its frames were
   * acknowledged. False is for servers that never acknowledge (`kmp_rtmp_in_ack off`, nginx-kmp-rtmp-module): a frame
   * that was written counts as delivered.
   */
  readonly expectAcks?: boolean;
  /**
   * ms to wait at the end of the track for the next acknowledgement, or for the first one ever. Default 10000 and 6000:
   * a stream of one track waits up to 3 seconds for its metadata before anything is published.
   */
  readonly ackTimeout?: number;
  readonly firstAckTimeout?: number;
  readonly clock?: Clock;
  readonly log?: Logger;
}

/** A frame for `KmpClient.frame`; times in units of the media info's timescale. */
export interface OutFrame {
  /** Wall-clock time since 1970. */
  readonly created: number;
  readonly dts: number;
  readonly ptsDelay: number;
  readonly key: boolean;
  readonly data: Buffer;
}

/** The options with all defaults filled in; `renew` has none. */
export type CompleteOptions = Required<Omit<KmpClientOptions, 'renew'>> & Pick<KmpClientOptions, 'renew'>;

export function withDefaults(options: KmpClientOptions): CompleteOptions {
  const clock = options.clock ?? systemClock;
  return {
    ...options,
    retryFirst: options.retryFirst ?? false,
    live: options.live ?? false,
    initialFrameId: options.initialFrameId ?? BigInt(Math.round(clock.wall())) * 90n,
    reconnect: options.reconnect ?? true,
    retryFor: options.retryFor ?? 60_000,
    connectTimeout: options.connectTimeout ?? 10_000,
    maxHeld: options.maxHeld ?? 64 * 1024 * 1024,
    expectAcks: options.expectAcks ?? true,
    ackTimeout: options.ackTimeout ?? 10_000,
    firstAckTimeout: options.firstAckTimeout ?? 6000,
    clock,
    log: options.log ?? noLog,
  };
}
