import type { MediaInfo } from '../../media/media-info.js';

/** A media info that takes effect at a position in the queue (docs/protocol/rtmp.md, Improvements over the module). */
export interface InfoChange {
  readonly seq: number;
  readonly info: MediaInfo;
}
