import type { Frame } from '../media/frame.js';
import { sameMediaInfo, type MediaInfo } from '../media/media-info.js';
import { TrackQueue } from '../merge/track-queue.js';
import { TagHead } from '../rtmp/media-tags.js';

/** A track of a {@link StreamMerger}: its queue, and the media info that its frames are written with. */
export class StreamTrack extends TrackQueue {
  /** undefined before the first media info. */
  info: MediaInfo | undefined;
  tagHead: TagHead | undefined;
  /** Bytes of the queued frames. */
  pendingBytes = 0;
  /** Called when a frame was taken from the queue. */
  onTaken: (() => void) | undefined;
  private readonly changes: { readonly seq: number; readonly info: MediaInfo }[] = [];
  private nextSeq = 0;

  /** The media info of the next frame to come. */
  get latestInfo(): MediaInfo | undefined {
    return this.changes.at(-1)?.info ?? this.info;
  }

  /** Sets the media info of the frames that follow; true if it is the first one. */
  announce(info: MediaInfo): boolean {
    if (this.info === undefined) {
      this.use(info);
      return true;
    }
    if (!sameMediaInfo(info, this.latestInfo ?? this.info)) this.changes.push({ seq: this.nextSeq, info });
    return false;
  }

  override push(frame: Frame): void {
    frame.seq = this.nextSeq++;
    this.pendingBytes += frame.size;
    super.push(frame);
  }

  /** Applies the media info of frame `seq`; true if it has changed. */
  applyChanges(seq: number): boolean {
    let changed = false;
    for (let next = this.changes[0]; next !== undefined && next.seq <= seq; next = this.changes[0]) {
      this.changes.shift();
      this.use(next.info);
      changed = true;
    }
    return changed;
  }

  taken(frame: Frame): void {
    this.pendingBytes -= frame.size;
    this.onTaken?.();
  }

  private use(info: MediaInfo): void {
    this.info = info;
    this.tagHead = new TagHead(info);
  }
}
