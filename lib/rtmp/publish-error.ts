import { KmpRtmpError } from '../base/errors.js';

/** The step in which a publisher failed. */
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

/** An RTMP connection that could not be established or has broken. `code` is `rtmp_` and the stage. */
export class PublishError extends KmpRtmpError {
  constructor(
    readonly stage: PublishStage,
    message: string,
    options?: { cause?: unknown },
  ) {
    super(`rtmp_${stage}` as const, message, options);
  }
}
