/** Pieces up to this many bytes are copied in between the headers: cheaper than an entry of their own in writev. */
const COPY_LIMIT = 768;

/** Bytes of one slab that headers and small pieces are written into. */
const SLAB_SIZE = 16 * 1024;

/**
 * Gathers what is to be sent as a list of buffers for one writev: headers and small pieces go into slabs, big payloads
 * are passed on as slices of what was read, uncopied.
 */
export class OutputBuffer {
  /** The current slab and the place in it: `reserve` first, then write here and add to `pos`. */
  slab: Buffer = Buffer.allocUnsafeSlow(SLAB_SIZE);
  pos = 0;
  private runStart = 0;
  private closed: Buffer[] = [];
  private closedBytes = 0;
  private sliceBytes = 0;

  /** Bytes gathered and not yet taken. */
  get length(): number {
    return this.closedBytes + this.pos - this.runStart;
  }

  /** Of {@link length}, what was written or copied here: memory beside that of the payloads. */
  get copied(): number {
    return this.length - this.sliceBytes;
  }

  /** Makes room for `n` bytes in one piece at `slab[pos]`. */
  reserve(n: number): void {
    if (this.slab.length - this.pos >= n) return;
    this.closeRun();
    this.slab = Buffer.allocUnsafeSlow(Math.max(SLAB_SIZE, n));
    this.pos = 0;
    this.runStart = 0;
  }

  /** Adds bytes `start` .. `end` of `piece`: copied when few, else as a slice that keeps `piece`'s memory in use. */
  append(piece: Buffer, start = 0, end = piece.length): void {
    const n = end - start;
    if (n <= COPY_LIMIT) {
      this.reserve(n);
      piece.copy(this.slab, this.pos, start, end);
      this.pos += n;
      return;
    }
    this.closeRun();
    this.closed.push(start === 0 && end === piece.length ? piece : piece.subarray(start, end));
    this.closedBytes += n;
    this.sliceBytes += n;
  }

  /** Everything gathered so far, in order; the buffer is empty afterwards. */
  take(): Buffer[] {
    this.closeRun();
    const taken = this.closed;
    this.closed = [];
    this.closedBytes = 0;
    this.sliceBytes = 0;
    return taken;
  }

  private closeRun(): void {
    if (this.pos === this.runStart) return;
    this.closed.push(this.slab.subarray(this.runStart, this.pos));
    this.closedBytes += this.pos - this.runStart;
    this.runStart = this.pos;
  }
}
