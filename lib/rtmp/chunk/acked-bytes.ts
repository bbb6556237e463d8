const MODULUS = 0x1_0000_0000;

/**
 * A count above this that goes back has restarted at 0. Servers count in 32 bits, and end at different values:
 * nginx-rtmp and SRS restart at 0xf0000000, some at 2^31, others count modulo 2^32 as RTMP specifies.
 */
const RESTARTS_FROM = 0x7f00_0000;

/**
 * How much of a connection a server has read, by its Acknowledgements (RTMP 1.0, 5.4.3): a lower bound. Servers count
 * different bytes: some leave out the handshake, or what precedes it. None counts more than all bytes of the TCP
 * connection, which are counted here. Numbers that cannot be such a count are ignored from then on.
 */
export class AckedBytes {
  private read = 0;
  private last = 0;
  private widest = 0;
  private trusted = true;

  /** Bytes that the server has read for certain, of all bytes of the TCP connection. */
  get bytes(): number {
    return this.read;
  }

  /** Most bytes between two acknowledgements: the server may have read so many more than it has acknowledged. */
  get step(): number {
    return this.widest;
  }

  /** True if the server acknowledges, with numbers that can be trusted. */
  get inUse(): boolean {
    return this.trusted && this.read > 0;
  }

  /** The server was asked for an acknowledgement every `window` bytes. */
  expect(window: number): void {
    this.widest = Math.max(this.widest, window);
  }

  /**
   * Evaluates an Acknowledgement.
   *
   * @param sequence bytes that the server has read, modulo 2^32
   * @param written bytes written to the TCP connection so far: the server cannot have read more
   */
  update(sequence: number, written: number): void {
    if (!this.trusted) return;
    const more = this.more(sequence, written);
    // A repeated number is no count either: some servers send the bytes since the last acknowledgement.
    this.trusted = more !== undefined;
    if (more === undefined) return;
    this.widest = Math.max(this.widest, more);
    this.last = sequence;
    this.read += more;
  }

  /**
   * True if the server acknowledges, and would have acknowledged more by now if it had read the bytes up to `end`.
   * The caller has given it the time to do so.
   */
  isBehind(end: number): boolean {
    return this.inUse && end - this.read >= this.widest;
  }

  private more(sequence: number, written: number): number | undefined {
    const room = written - this.read;
    const forward = (sequence - this.last + MODULUS) % MODULUS;
    if (forward > 0 && forward <= room) return forward;
    // It restarted at 0; how far it went before is not known.
    const restarted = sequence < this.last && this.last >= RESTARTS_FROM;
    return restarted && sequence <= room ? sequence : undefined;
  }
}
