import type { LogFields, Logger } from '../base/logger.js';
import { TokenBucket } from '../time/token-bucket.js';
import type { Clock } from '../time/clock.js';

/** Lines about what the connections of one address do wrong: this many at once, and then one a second. */
const BURST = 20;
const PER_SECOND = 1;
/** Maximum number of addresses that are remembered; the one that was remembered first is forgotten. */
const MAX_ADDRESSES = 1000;

/** Logs what peers do wrong. One that does so without end cannot fill the log. */
export class PeerLog {
  private readonly byAddress = new Map<string, { readonly bucket: TokenBucket; skipped: number }>();

  constructor(private readonly clock: Clock) {}

  /** @param address of the peer */
  error(address: string, log: Logger, message: string): void {
    this.line(address, (text) => log.error(text), message);
  }

  /** @param address of the peer */
  warn(address: string, log: Logger, message: string, fields: LogFields): void {
    this.line(address, (text) => log.warn(text, fields), message);
  }

  private line(address: string, write: (text: string) => void, message: string): void {
    const entry = this.entryOf(address);
    if (!entry.bucket.take()) {
      entry.skipped++;
      return;
    }
    const skipped = entry.skipped === 0 ? '' : ` (${entry.skipped} such lines about this address were left out)`;
    entry.skipped = 0;
    write(`${message}${skipped}`);
  }

  private entryOf(address: string): { readonly bucket: TokenBucket; skipped: number } {
    let entry = this.byAddress.get(address);
    if (entry === undefined) {
      const [first] = this.byAddress.keys();
      if (this.byAddress.size >= MAX_ADDRESSES && first !== undefined) this.byAddress.delete(first);
      entry = { bucket: new TokenBucket(BURST, PER_SECOND, () => this.clock.now()), skipped: 0 };
      this.byAddress.set(address, entry);
    }
    return entry;
  }
}
