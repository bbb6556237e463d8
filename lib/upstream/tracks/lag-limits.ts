/** ms that a healthy frame may need beside the delays that are wanted: reading in turns, the way to the server. */
const SLACK = 1_000;

/** The directives that decide the limits; all times in ms. */
export interface LagSettings {
  readonly outMaxLag: number;
  readonly outOverload: string;
  readonly outMinProcessDelay: number;
  readonly outMaxProcessDelay: number;
  readonly outFlushTimeout: number;
}

/** Limits of the lag of a server, all in ms from the arrival of a frame. */
export interface LagLimits {
  /** True if video is dropped when the limit is reached (`kmp_rtmp_out_overload drop_frames`). */
  readonly drops: boolean;
  /** `kmp_rtmp_out_max_lag`, but more than the delays that the configuration asks for. Infinity: no limit. */
  readonly limit: number;
  /** From here on, the server counts as one that may be too slow, and is watched closely. */
  readonly watch: number;
  /** The lag of a server that takes everything at once. */
  readonly usual: number;
}

export function lagLimitsOf(settings: LagSettings): LagLimits {
  const { outMaxLag, outOverload, outMinProcessDelay, outMaxProcessDelay, outFlushTimeout } = settings;
  const usual = outMinProcessDelay + outFlushTimeout;
  const least = Math.max(outMinProcessDelay, outMaxProcessDelay) + outFlushTimeout + SLACK;
  const limit = outMaxLag === 0 ? Infinity : Math.max(outMaxLag, least);
  const watch = limit === Infinity ? 2 * least : Math.max(limit / 2, usual + SLACK / 2);
  return { drops: outOverload === 'drop_frames' && limit !== Infinity, limit, watch, usual };
}
