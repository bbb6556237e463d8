import { KmpRtmpError } from '../../base/errors.js';
import type { ConnectData } from '../../kmp/connect-data.js';
import { streamNameOf } from './stream-name.js';

/** A track that may not join: its connection is closed, the upstream goes on. */
export class TrackRefused extends KmpRtmpError {
  constructor(message: string) {
    super('TRACK_REFUSED', message);
  }
}

/** There is a sender on the track already; maybe one that is gone, which has not been noticed yet. */
export class TrackTaken extends TrackRefused {}

/** @throws TrackRefused if the connect data names no stream */
export function requireStreamName(data: ConnectData): string {
  const name = streamNameOf(data);
  if (name === '') throw new TrackRefused('neither "name" nor "url" of the connect data names a stream');
  return name;
}
