import { KmpRtmpError } from '../../base/errors.js';

/** A track that may not join: its connection is closed, the upstream goes on. */
export class TrackRefused extends KmpRtmpError {
  constructor(message: string) {
    super('TRACK_REFUSED', message);
  }
}

/** There is a sender on the track already; maybe one that is gone, which has not been noticed yet. */
export class TrackTaken extends TrackRefused {}
