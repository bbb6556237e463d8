import { open } from 'node:fs/promises';
import type { Clock, Timer } from '../../time/clock.js';
import { within } from '../../time/within.js';
import { otherEnd, readTcpTable, tableKey, type TcpEnds, type TcpQueueSizes } from './tcp-table.js';

/** A connection whose queue in the kernel is measured. */
export interface QueueWatcher {
  /** How old the last measurement may be, ms; Infinity: there is no need for another one. @param now monotonic ms */
  measureAfter(now: number): number;
  /**
   * The queue was measured.
   *
   * @param queues `unsent` of this end; `unread` of the other end, if that is on this machine, else 0
   * @param asOf bytes handed to the kernel when the measurement began, of those that {@link QueueWatcher.handed} counts
   */
  measured(queues: TcpQueueSizes, asOf: number): void;
  /** Bytes that were handed to the kernel so far. */
  readonly handed: number;
}

/** The text of the kernel's tables of TCP connections. undefined: this system has none. */
export type ReadTables = () => Promise<string | undefined>;

/** ms between two looks at the watchers. */
const TICK = 1_000;

/**
 * ms from one reading to the next: a part for the hash table that the kernel walks through, and a part for each
 * character of the text (measured: 12 ms for 4000 connections, 640,000 characters). So readings never take more than
 * 2 % of a processor.
 */
const PAUSE = { fixed: 200, perCharacter: 0.001 } as const;

/** A watcher that wants a measurement at least this often, ms, has a server that may be slow. */
const URGENT = 1_000;

/**
 * Other readings happen up to ten times less often, and take about 0.2 % of a processor. But a server that becomes slow
 * is noticed after this time, ms, unless the pause itself is longer.
 */
const ROUTINE = { pauses: 10, longest: 5_000 } as const;

/** Maximum age of a measurement that is returned without a new reading, ms. */
const FRESH = 1_000;

/** How long an answer of the API waits for a measurement, ms. On a busy machine, one reading can take seconds. */
const PATIENCE = 250;

/** Bytes of one reading of a table, and the most that is read: a machine with 500,000 connections. */
const CHUNK = 64 * 1024;
const MOST = 64 * 1024 * 1024;

/**
 * Measures how many bytes wait in the kernel's queues of TCP connections. Node does not tell (it has neither SIOCOUTQ
 * nor TCP_INFO), but Linux prints it for all connections (proc(5), /proc/net/tcp). One reading serves all watchers of
 * the process. Nothing is read while nobody needs it.
 */
export class TcpQueues {
  private readonly watchers = new Map<QueueWatcher, string>();
  private timer: Timer | undefined;
  private reading: Promise<boolean> | undefined;
  /** Monotonic ms. */
  private readAt = -Infinity;
  /** ms that pass after the last reading. */
  private pause = 0;
  private isSupported = true;

  constructor(
    private readonly clock: Clock,
    private readonly readTables: ReadTables = readLinuxTables,
  ) {}

  /** True unless this system does not show the queues. */
  get supported(): boolean {
    return this.isSupported;
  }

  /** Measures the connection for `watcher` from now on, until {@link remove}. */
  add(watcher: QueueWatcher, ends: TcpEnds): void {
    const key = tableKey(ends);
    if (key === undefined || !this.isSupported) return;
    this.watchers.set(watcher, key);
    this.schedule();
  }

  remove(watcher: QueueWatcher): void {
    if (!this.watchers.delete(watcher) || this.watchers.size > 0) return;
    this.timer?.cancel();
    this.timer = undefined;
  }

  /**
   * Measures now, unless the last measurement is fresh. Resolves when the watchers know, at once if this system does
   * not show the queues; with false if the measurement failed. Never rejects.
   *
   * @param maxAge of a fresh measurement, ms
   */
  refresh(maxAge = FRESH): Promise<boolean> {
    if (this.reading !== undefined) return this.reading;
    return this.clock.now() - this.readAt < maxAge ? Promise.resolve(true) : this.measure();
  }

  /** {@link refresh}, but it waits only a moment: an answer with the last measurement is better than a late one. */
  async refreshBriefly(): Promise<void> {
    await within(
      this.clock,
      PATIENCE,
      this.refresh().then(() => {}),
    );
  }

  private measure(): Promise<boolean> {
    this.reading ??= this.read().finally(() => (this.reading = undefined));
    return this.reading;
  }

  private schedule(): void {
    if (this.timer !== undefined || this.watchers.size === 0 || !this.isSupported) return;
    this.timer = this.clock.after(TICK, () => this.tick(), false);
  }

  private tick(): void {
    this.timer = undefined;
    const now = this.clock.now();
    let after = Infinity;
    for (const watcher of this.watchers.keys()) after = Math.min(after, watcher.measureAfter(now));
    const routine = after > URGENT ? Math.min(ROUTINE.pauses * this.pause, ROUTINE.longest) : 0;
    if (after < Infinity && now - this.readAt >= Math.max(after, this.pause, routine)) void this.measure();
    this.schedule();
  }

  private async read(): Promise<boolean> {
    if (!this.isSupported || this.watchers.size === 0) return true;
    const now = this.clock.now();
    // Bytes that are written during the reading may or may not be counted by the table. They count as written later.
    const asked = [...this.watchers].map(([watcher, key]) => ({ watcher, key, asOf: watcher.handed }));
    let text: string | undefined;
    try {
      text = await this.readTables();
    } catch {
      // No descriptor is free, for example. The next tick tries again.
      return false;
    }
    this.readAt = now;
    if (text === undefined) {
      this.isSupported = false;
      return true;
    }
    this.pause = PAUSE.fixed + PAUSE.perCharacter * text.length;
    const found = new Map<string, TcpQueueSizes>();
    readTcpTable(text, new Set(asked.flatMap(({ key }) => [key, otherEnd(key)])), found);
    for (const { watcher, key, asOf } of asked) {
      const own = found.get(key);
      if (own === undefined || !this.watchers.has(watcher)) continue;
      watcher.measured({ unsent: own.unsent, unread: found.get(otherEnd(key))?.unread ?? 0 }, asOf);
    }
    return true;
  }
}

async function readLinuxTables(): Promise<string | undefined> {
  if (process.platform !== 'linux') return undefined;
  const parts: string[] = [];
  for (const path of ['/proc/self/net/tcp', '/proc/self/net/tcp6']) {
    // A machine without IPv6 has no second table.
    const file = await open(path).catch(() => undefined);
    if (file === undefined) continue;
    try {
      const buffer = Buffer.allocUnsafe(CHUNK);
      for (let n = 0; n < MOST;) {
        const { bytesRead } = await file.read(buffer, 0, CHUNK, null);
        if (bytesRead === 0) break;
        parts.push(buffer.toString('latin1', 0, bytesRead));
        n += bytesRead;
      }
    } finally {
      await file.close();
    }
  }
  return parts.length === 0 ? undefined : parts.join('');
}
