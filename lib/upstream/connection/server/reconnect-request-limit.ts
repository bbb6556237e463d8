import type { Logger } from '../../../base/logger.js';
import { TokenBucket } from '../../../time/token-bucket.js';

/**
 * How often a server may ask to reconnect: a few times at once, then once every 10 s. Each request costs a connection
 * to an address that the server chooses.
 */
const REQUESTS = { burst: 5, perSecond: 0.1 };

/** Decides whether a server's request to reconnect is handled. */
export class ReconnectRequestLimit {
  private readonly bucket: TokenBucket;
  private refusing = false;

  /** @param now monotonic ms */
  constructor(
    private readonly log: () => Logger,
    now: () => number,
  ) {
    this.bucket = new TokenBucket(REQUESTS.burst, REQUESTS.perSecond, now);
  }

  /** Returns false if there were too many requests. Logs that once. */
  allow(): boolean {
    const allowed = this.bucket.take();
    if (!allowed && !this.refusing) {
      this.log().warn('the server asks to reconnect too often; its requests are ignored for a while');
    }
    this.refusing = !allowed;
    return allowed;
  }
}
