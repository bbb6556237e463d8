/**
 * Counts received bytes and says when the peer is owed an acknowledgement (RTMP 1.0, 5.4.3). Numbers on the wire are
 * modulo 2^32: the count goes on beyond 4 GiB, what is told is its low 32 bits.
 */
export class AckWindow {
  private total = 0;
  private acknowledged = 0;
  private window = 0;

  /** Bytes received in all; exact up to 2^53. */
  get received(): number {
    return this.total;
  }

  /** The peer's Window Acknowledgement Size; 0: no acknowledgements. */
  setWindow(bytes: number): void {
    this.window = bytes;
  }

  receive(bytes: number): void {
    this.total += bytes;
  }

  /** The number to acknowledge if a window or more has come since the last time; each is told once. */
  due(): number | undefined {
    if (this.window === 0 || this.total - this.acknowledged < this.window) return undefined;
    this.acknowledged = this.total;
    return this.total % 0x1_0000_0000;
  }
}
