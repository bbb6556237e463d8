import { sameMediaInfo, type MediaInfo } from '../../media/media-info.js';
import { TagHead } from '../../rtmp/media-tags.js';
import { infoCharge } from './ledger.js';

/** A media info that takes effect at a position in the queue (docs/protocol/rtmp.md, Improvements over the module). */
interface InfoChange {
  readonly seq: number;
  readonly info: MediaInfo;
}

/** The media infos of one track: the present one, those that wait in the queue, and those that may be needed again. */
export class InfoHistory {
  tagHead: TagHead;
  /** Those that wait, in order. */
  private readonly changes: InfoChange[] = [];
  /** Replaced ones. They are kept while earlier frames may have to be written again. */
  private readonly replaced: InfoChange[] = [];

  /** @param info the media info of the frames that are written now */
  constructor(public info: MediaInfo) {
    this.tagHead = new TagHead(info);
  }

  /** True if a media info waits in the queue. */
  get isWaiting(): boolean {
    return this.changes.length > 0;
  }

  /** The media info of the next frame that arrives. */
  get latest(): MediaInfo {
    return this.changes.at(-1)?.info ?? this.info;
  }

  /** The number of media infos beside the present one. */
  get others(): number {
    return this.changes.length + this.replaced.length;
  }

  /** The bytes charged for all of them. */
  get charge(): number {
    const others = [...this.changes, ...this.replaced];
    return others.reduce((sum, { info }) => sum + infoCharge(info), infoCharge(this.info));
  }

  /** The media info of the queued frame `seq`. */
  of(seq: number): MediaInfo {
    return this.changes.findLast((change) => change.seq <= seq)?.info ?? this.info;
  }

  /**
   * Queues a media info behind the frames received so far. If it is in force already, nothing changes.
   *
   * @param lastSeq the last queued frame; -1: none
   * @param nextSeq the next frame that arrives
   */
  queue(info: MediaInfo, lastSeq: number, nextSeq: number): void {
    // A waiting media info without frames was never in force.
    for (let last = this.changes.at(-1); last !== undefined && last.seq > lastSeq; last = this.changes.at(-1)) {
      this.changes.pop();
    }
    if (!sameMediaInfo(info, this.latest)) this.changes.push({ seq: nextSeq, info });
  }

  /**
   * Applies the changes due before frame `seq`. Returns true if there was one.
   *
   * @param mayReturn whether earlier frames may have to be written again
   */
  apply(seq: number, mayReturn: boolean): boolean {
    let changed = false;
    for (let next = this.changes[0]; next !== undefined && next.seq <= seq; next = this.changes[0]) {
      this.changes.shift();
      changed = !sameMediaInfo(next.info, this.info) || changed;
      if (mayReturn) this.replaced.push({ seq: next.seq, info: this.info });
      this.info = next.info;
    }
    if (changed) this.tagHead = new TagHead(this.info);
    return changed;
  }

  /** Returns to the media info of frame `seq`, which must be written again. */
  unapply(seq: number): void {
    let info: MediaInfo | undefined;
    for (let last = this.replaced.at(-1); last !== undefined && last.seq > seq; last = this.replaced.at(-1)) {
      this.replaced.pop();
      this.changes.unshift({ seq: last.seq, info: this.info });
      this.info = info = last.info;
    }
    this.replaced.length = 0;
    if (info !== undefined) this.tagHead = new TagHead(info);
  }

  /** Forgets replaced ones that only frames before `seq` needed. Returns true if there was one. */
  forgetReplaced(seq: number): boolean {
    const { length } = this.replaced;
    for (let first = this.replaced[0]; first !== undefined && first.seq <= seq; first = this.replaced[0]) {
      this.replaced.shift();
    }
    return this.replaced.length < length;
  }

  /** Forgets waiting ones that only frames before `seq` needed. Returns true if there was one. */
  forgetWaiting(seq: number): boolean {
    let superseded = 0;
    while ((this.changes[superseded + 1]?.seq ?? Infinity) <= seq) superseded++;
    return this.changes.splice(0, superseded).length > 0;
  }

  /** Forgets all that wait: their frames are dropped. */
  clearWaiting(): void {
    this.changes.length = 0;
  }
}
