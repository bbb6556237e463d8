const MODULUS = 0x1_0000_0000;

/**
 * A count above this that goes back has begun at 0 again. The counts of servers are 32 bits, and end in different places:
 * nginx-rtmp's and SRS's begin anew at 0xf0000000, some at 2^31, others are modulo 2^32 as RTMP has it.
 */
const RESTARTS_FROM = 0x7f00_0000;

/**
 * How much of a connection a server has read, by its Acknowledgements (RTMP 1.0, 5.4.3): a lower bound. What servers count
 * differs (some leave out the handshake, or what came ahead of it), but none counts more than all bytes of the TCP
 * connection: those are counted here. A server whose numbers cannot be such a count is not believed any more.
 */
export class AckedBytes {
  private read = 0;
  private last = 0;
  /** The most bytes between two acknowledgements. */
  private step = 0;
  private believed = true;

  /** Bytes that the server's process is known to have read, of all that went over the TCP connection. */
  get bytes(): number {
    return this.read;
  }

  /** The server was asked for an acknowledgement every `window` bytes. */
  expect(window: number): void {
    this.step = Math.max(this.step, window);
  }

  /**
   * Takes an Acknowledgement.
   *
   * @param sequence what the server says that it has read, modulo 2^32
   * @param written bytes written to the TCP connection so far: more cannot have been read
   */
  take(sequence: number, written: number): void {
    if (!this.believed) return;
    const more = this.more(sequence, written);
    // The same once more is no count either: there are servers that tell the bytes since the last time.
    this.believed = more !== undefined;
    if (more === undefined) return;
    this.step = Math.max(this.step, more);
    this.last = sequence;
    this.read += more;
  }

  /**
   * True if the server acknowledges, and would have acknowledged more by now, had it read the bytes up to `end` and was
   * given the time to say so.
   */
  isBehind(end: number): boolean {
    return this.believed && this.read > 0 && end - this.read >= this.step;
  }

  private more(sequence: number, written: number): number | undefined {
    const room = written - this.read;
    const forward = (sequence - this.last + MODULUS) % MODULUS;
    if (forward > 0 && forward <= room) return forward;
    // From 0 on: how far it went before that is not told.
    const restarted = sequence < this.last && this.last >= RESTARTS_FROM;
    return restarted && sequence <= room ? sequence : undefined;
  }
}
