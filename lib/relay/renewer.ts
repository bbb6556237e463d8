import { UpstreamRefused, type KmpTarget } from '../send/client-options.js';
import {
  ControlError,
  type Controller,
  type PublishTargets,
  type TrackFields,
  type UpstreamTarget,
} from './controller.js';

/** Refusals of `republish` in a row after which the upstream ends. */
const MAX_REFUSED = 5;

export interface RenewerOptions {
  readonly controller: Controller;
  readonly track: TrackFields;
  readonly ids: Omit<PublishTargets, 'upstreams'>;
  readonly target: UpstreamTarget;
  /** The controller has refused so often in a row that the upstream ends. */
  readonly onRefused?: (why: string) => void;
}

/**
 * Asks a controller where an upstream is now, for `KmpClientOptions.renew`. An answer without connect data keeps that
 * of the answer before it. After 5 refusals in a row, it rejects with {@link UpstreamRefused}.
 */
export function renewer({ controller, track, ids, target, onRefused }: RenewerOptions): () => Promise<KmpTarget> {
  let { connectData } = target;
  let refused = 0;
  return async () => {
    try {
      const moved = await controller.republish(track, ids, target.id);
      refused = 0;
      connectData = moved.connectData ?? connectData;
      return { ...moved, connectData };
    } catch (error) {
      const isRefusal = error instanceof ControlError && error.code === 'control_refused';
      if (!isRefusal || ++refused < MAX_REFUSED) throw error;
      onRefused?.(error.message);
      throw new UpstreamRefused(error.message, error);
    }
  };
}
