/** A small FLV parser for specs, apart from lib/: it trusts its input; anything odd throws. */

export interface FlvTag {
  /** 8 audio, 9 video, 18 script. */
  readonly type: number;
  /** ms, unsigned. */
  readonly timestamp: number;
  readonly payload: Buffer;
}

export class FlvParse {
  readonly tags: FlvTag[] = [];
  private pending: Buffer = Buffer.alloc(0);
  private begun = false;

  /** Takes the next bytes, cut anywhere. */
  push(bytes: Buffer): void {
    this.pending = Buffer.concat([this.pending, bytes]);
    if (!this.begun) {
      if (this.pending.length < 13) return;
      if (this.pending.toString('latin1', 0, 3) !== 'FLV') throw new Error('no FLV');
      this.pending = this.pending.subarray(13);
      this.begun = true;
    }
    while (this.pending.length >= 11) {
      const size = this.pending.readUIntBE(1, 3);
      const end = 11 + size;
      if (this.pending.length < end + 4) return;
      if (this.pending.readUInt32BE(end) !== end) throw new Error('the size behind a tag is not its size');
      const timestamp = this.pending.readUIntBE(4, 3) + this.pending.readUInt8(7) * 2 ** 24;
      const type = this.pending.readUInt8(0);
      this.tags.push({ type, timestamp, payload: Buffer.from(this.pending.subarray(11, end)) });
      this.pending = this.pending.subarray(end + 4);
    }
  }
}

/** All tags of a whole file. */
export function parseFlv(bytes: Buffer): FlvTag[] {
  const parse = new FlvParse();
  parse.push(bytes);
  return parse.tags;
}
