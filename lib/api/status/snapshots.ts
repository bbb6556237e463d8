import type { GlobalStatus, UpstreamStatus } from '../../upstream/report/status.js';
import type { Ended, FullMessage, TickMessage, UpstreamInfo, UpstreamRow } from './public/wire.js';
import { serviceInfo, upstreamInfo, upstreamNumbers } from './rows.js';
import { sameInfo } from './same-info.js';

/** What was last told of an upstream, and what that was made of. */
interface Known {
  readonly key: number;
  readonly status: UpstreamStatus;
  readonly info: UpstreamInfo;
  readonly numbers: readonly number[];
}

/** Makes messages of snapshots: what differs from the one before, for those who have that, and all of it for the others. */
export class Snapshots {
  private known = new Map<string, Known>();
  private nextKey = 1;
  private latest: Omit<FullMessage, 'rows'> | undefined;
  private fullText: string | undefined;

  /**
   * Takes in a snapshot.
   *
   * @param t ms, monotonic
   * @param ended upstreams that have ended, by reason
   * @returns the {@link TickMessage} as JSON
   */
  tick(status: GlobalStatus, t: number, ended: Ended = {}): string {
    const rows: UpstreamRow[] = [];
    const counts: [number, readonly number[]][] = [];
    const before = this.known;
    this.known = new Map();
    for (const [id, upstream] of Object.entries(status.upstreams)) {
      const old = before.get(id);
      // Another connection under the same id: another upstream, whose counters begin anew.
      const same = old?.status.connection === upstream.connection;
      const told = same && sameInfo(old.status, upstream);
      const now: Known = {
        key: same ? old.key : this.nextKey++,
        status: upstream,
        info: told ? old.info : upstreamInfo(id, upstream),
        numbers: upstreamNumbers(upstream),
      };
      this.known.set(id, now);
      if (same) before.delete(id);
      if (!told) rows.push(rowOf(now));
      else if (now.numbers.some((number, index) => number !== old.numbers[index])) counts.push([now.key, now.numbers]);
    }
    const gone = [...before.values()].map(({ key }) => key);
    const { uptime } = status;
    this.latest = { t, uptime, service: serviceInfo(status), ended };
    this.fullText = undefined;
    const message: TickMessage = { t, uptime, ended, rows, counts, gone };
    return JSON.stringify(message);
  }

  /** The {@link FullMessage} of the last snapshot as JSON, made once however often it is asked for; undefined before the first. */
  full(): string | undefined {
    if (this.latest === undefined) return undefined;
    if (this.fullText === undefined) {
      const message: FullMessage = { ...this.latest, rows: [...this.known.values()].map(rowOf) };
      this.fullText = JSON.stringify(message);
    }
    return this.fullText;
  }

  /** Forgets everything: nobody has it any more. Keys are still never given twice. */
  clear(): void {
    this.known.clear();
    this.latest = undefined;
    this.fullText = undefined;
  }
}

function rowOf({ key, status, info, numbers }: Known): UpstreamRow {
  return { key, info, uptime: status.uptime, numbers };
}
