import { PublishError } from '../../../rtmp/publish-error.js';
import type { Clock, Timer } from '../../../time/clock.js';
import type { RtmpConnection } from '../rtmp-connection.js';

/**
 * Limits the time of an attempt to connect while there is another destination to try (`kmp_rtmp_out_failover_timeout`):
 * from the look-up of the name to the end of the RTMP handshake. The limit doubles with each attempt in sequence, so
 * that a destination that is slow to answer is still reached.
 */
export class AttemptLimit {
  private timer: Timer | undefined;

  constructor(
    private readonly clock: Clock,
    /** ms */
    private readonly limit: number,
    private readonly onLate: (connection: RtmpConnection, error: Error) => void,
  ) {}

  /** @param failures in sequence at this destination before this attempt */
  begin(connection: RtmpConnection, failures: number): void {
    this.stop();
    const ms = this.limit * 2 ** Math.min(failures, 20);
    this.timer = this.clock.after(
      ms,
      () => {
        if (connection.isOver || connection.state === 'publishing' || connection.state === 'closing') return;
        const problem = `${connection.server}: no RTMP handshake within ${ms} ms, and there is another destination`;
        this.onLate(connection, new PublishError('handshake', problem));
      },
      false,
    );
  }

  stop(): void {
    this.timer?.cancel();
  }
}
