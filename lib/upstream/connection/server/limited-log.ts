import type { Logger } from '../../../base/logger.js';
import { TokenBucket } from '../../../time/token-bucket.js';

/** Log lines that one server may cause: a burst, then a number per second. */
const LINES = { burst: 50, perSecond: 1 };

/** Log lines about messages of a server. A server that sends many messages must not fill the log. */
export class LimitedLog {
  private readonly bucket: TokenBucket;
  private leftOut = 0;

  /** @param now monotonic ms */
  constructor(
    private readonly log: () => Logger,
    now: () => number,
  ) {
    this.bucket = new TokenBucket(LINES.burst, LINES.perSecond, now);
  }

  /** @param line called only if the line is written */
  write(level: 'info' | 'warn', line: () => string): void {
    if (!this.bucket.take()) {
      this.leftOut++;
      return;
    }
    const more = this.leftOut === 0 ? '' : ` (${this.leftOut} lines before this one were not logged)`;
    this.leftOut = 0;
    this.log()[level](line() + more);
  }
}
