import { KmpRtmpError } from '../base/errors.js';

/** What a publisher was doing when it failed. */
export type PublishStage =
  | 'start_resolve'
  | 'resolve'
  | 'start_connect'
  | 'handshake'
  | 'send'
  | 'recv'
  | 'connect_rejected'
  | 'publish_rejected'
  | 'stream_id';

/** An RTMP connection that could not be made or did not last. `code` is `RTMP_` and the stage in capitals. */
export class PublishError extends KmpRtmpError {
  constructor(
    readonly stage: PublishStage,
    message: string,
    options?: { cause?: unknown },
  ) {
    super(`RTMP_${stage.toUpperCase()}`, message, options);
  }
}
