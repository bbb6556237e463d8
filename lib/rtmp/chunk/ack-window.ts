/**
 * Counts received bytes, and says when an acknowledgement is due (RTMP 1.0, 5.4.3). The count continues beyond 4 GiB;
 * numbers on the wire are its low 32 bits.
 */
export class AckWindow {
  private total = 0;
  private acknowledged = 0;
  private window = 0;

  /** All bytes received; exact up to 2^53. */
  get received(): number {
    return this.total;
  }

  /** Window Acknowledgement Size of the peer, bytes; 0: no acknowledgements. */
  setWindow(bytes: number): void {
    this.window = bytes;
  }

  receive(bytes: number): void {
    this.total += bytes;
  }

  /**
   * The number to acknowledge, if a window or more was received since the last acknowledgement. Each number is
   * returned once.
   */
  due(): number | undefined {
    if (this.window === 0 || this.total - this.acknowledged < this.window) return undefined;
    this.acknowledged = this.total;
    return this.total % 0x1_0000_0000;
  }
}
