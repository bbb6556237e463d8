import type { GlobalStatus } from '../../upstream/status.js';
import type { FullMessage, ServiceInfo, TickMessage, UpstreamInfo, UpstreamRow } from './public/wire.js';
import { serviceInfo, upstreamInfo, upstreamNumbers } from './rows.js';

interface Known {
  readonly key: number;
  readonly info: UpstreamInfo;
  readonly uptime: number;
  readonly numbers: readonly number[];
  /** `info` and `numbers` as they were sent, to see what differs. */
  readonly infoText: string;
  readonly numbersText: string;
}

/** Makes messages of snapshots: what differs from the one before, for those who have that, and all of it for the others. */
export class Snapshots {
  private known = new Map<string, Known>();
  private nextKey = 1;
  private latest: { t: number; uptime: number; service: ServiceInfo } | undefined;
  private fullText: string | undefined;

  /**
   * Takes in a snapshot.
   *
   * @param t ms, monotonic
   * @returns the {@link TickMessage} as JSON
   */
  tick(status: GlobalStatus, t: number): string {
    const rows: UpstreamRow[] = [];
    const counts: [number, readonly number[]][] = [];
    const before = this.known;
    this.known = new Map();
    for (const [id, upstream] of Object.entries(status.upstreams)) {
      const info = upstreamInfo(id, upstream);
      const numbers = upstreamNumbers(upstream);
      const old = before.get(id);
      // Another connection under the same id: another upstream, whose counters begin anew.
      const same = old?.info.connection === upstream.connection;
      const key = same ? old.key : this.nextKey++;
      const { uptime } = upstream;
      const now: Known = { key, info, uptime, numbers, infoText: JSON.stringify(info), numbersText: numbers.join() };
      this.known.set(id, now);
      if (!same || old.infoText !== now.infoText) rows.push({ key, info, uptime, numbers });
      else if (old.numbersText !== now.numbersText) counts.push([key, numbers]);
    }
    const keys = new Set([...this.known.values()].map(({ key }) => key));
    const gone = [...before.values()].map(({ key }) => key).filter((key) => !keys.has(key));
    this.latest = { t, uptime: status.uptime, service: serviceInfo(status) };
    this.fullText = undefined;
    const message: TickMessage = { t, uptime: status.uptime, rows, counts, gone };
    return JSON.stringify(message);
  }

  /** The {@link FullMessage} of the last snapshot as JSON, made once however often it is asked for; undefined before the first. */
  full(): string | undefined {
    if (this.latest === undefined) return undefined;
    if (this.fullText === undefined) {
      const rows = [...this.known.values()].map(({ key, info, uptime, numbers }) => ({ key, info, uptime, numbers }));
      const message: FullMessage = { ...this.latest, rows };
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
