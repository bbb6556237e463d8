import { KmpRtmpError } from '../../base/errors.js';
import type { Rejection } from '../report/rejection.js';

/** A track that may not join. Its connection is closed; the upstream continues. */
export class TrackRefused extends KmpRtmpError {
  constructor(message: string) {
    super('track_refused', message);
  }
}

/** The track has a sender already. That sender may be gone without having been noticed yet. */
export class TrackTaken extends TrackRefused {}

/** A sender that a rule rejects, whatever it sends. */
export class SenderRejected extends TrackRefused {
  constructor(
    readonly rejection: Rejection,
    message: string,
  ) {
    super(message);
  }
}
