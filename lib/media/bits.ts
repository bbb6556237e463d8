/**
 * Reads bits, most significant first, as in the parameter sets of H.264 and H.265. After the end it reads zeros: a
 * truncated parameter set gives values, not an exception, and callers check the values that they need.
 */
export class BitReader {
  private position = 0;

  constructor(private readonly bytes: Buffer) {}

  /** True after a read past the end. */
  get overrun(): boolean {
    return this.position > this.bytes.length * 8;
  }

  /** @param count 0 .. 32 */
  bits(count: number): number {
    let value = 0;
    for (let i = 0; i < count; i++) {
      const byte = this.bytes[this.position >> 3] ?? 0;
      value = value * 2 + ((byte >> (7 - (this.position & 7))) & 1);
      this.position++;
    }
    return value;
  }

  flag(): boolean {
    return this.bits(1) === 1;
  }

  skip(count: number): void {
    this.position += count;
  }

  /** Unsigned Exp-Golomb, ue(v). */
  ue(): number {
    let zeros = 0;
    while (zeros < 32 && !this.overrun && this.bits(1) === 0) zeros++;
    return 2 ** zeros - 1 + this.bits(zeros);
  }

  /** Signed Exp-Golomb, se(v). */
  se(): number {
    const code = this.ue();
    return code % 2 === 1 ? (code + 1) / 2 : -code / 2;
  }
}

/** The payload of a NAL unit without its emulation prevention bytes (00 00 03 stands for 00 00). */
export function unescapeNal(nal: Buffer): Buffer {
  const out = Buffer.allocUnsafe(nal.length);
  let length = 0;
  let zeros = 0;
  for (const byte of nal) {
    if (zeros >= 2 && byte === 3) {
      zeros = 0;
      continue;
    }
    zeros = byte === 0 ? zeros + 1 : 0;
    out[length++] = byte;
  }
  return out.subarray(0, length);
}

/** Writes bits, most significant first. */
export class BitWriter {
  private readonly out: number[] = [];
  private count = 0;

  /** @param count 0 .. 31 */
  bits(value: number, count: number): void {
    for (let i = count - 1; i >= 0; i--) {
      if (this.count % 8 === 0) this.out.push(0);
      const last = this.out.length - 1;
      this.out[last] = (this.out[last] ?? 0) | (((value >> i) & 1) << (7 - (this.count % 8)));
      this.count++;
    }
  }

  /** The bits so far, filled up with zeros to whole bytes. */
  bytes(): Buffer {
    return Buffer.from(this.out);
  }
}
