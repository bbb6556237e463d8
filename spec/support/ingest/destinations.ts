import type { MediaSettings } from '../../../lib/config/settings.js';
import { FakeClock } from '../time/fake-clock.js';
import { eventually } from '../time/eventually.js';
import { mediaOf } from './ingest-media.js';
import { audioFrames, Live, videoFrames, type LiveOptions } from '../service/live.js';
import { ScriptableIngest, type IngestConnection, type Script } from './scriptable-ingest.js';

/** Times of the frames of a connection, in their order. */
export const timesOf = (connection: IngestConnection): number[] =>
  mediaOf(connection).flatMap(({ kind, ms }) => (kind === 'video' || kind === 'audio' ? [ms] : []));

/** An upstream with a primary destination and backups, on a manual clock. */
export class Destinations {
  readonly clock: FakeClock;
  private readonly ports: readonly number[];
  private constructor(
    readonly live: Live,
    readonly backups: ScriptableIngest[],
    clock: FakeClock,
  ) {
    this.clock = clock;
    this.ports = backups.map(({ port }) => port);
  }

  /** @param scripts one for each backup */
  static async start(
    scripts: readonly Script[] = [{}],
    { settings, ...options }: LiveOptions & { readonly settings?: Partial<MediaSettings> } = {},
  ): Promise<Destinations> {
    const clock = new FakeClock();
    const live = await Live.start({
      clock,
      random: () => 0,
      ...options,
      settings: { outReconnects: Infinity, ...settings },
    });
    const backups = [];
    for (const script of scripts) backups.push(await ScriptableIngest.start({ answers: true, ...script }));
    return new Destinations(live, backups, clock);
  }

  /** URL of a backup, with a stream name of its own. */
  url(backup: number): string {
    return `rtmp://127.0.0.1:${this.ports[backup - 1] ?? 0}/spare${backup}/key${backup}`;
  }

  /** The n-th backup, from 1. */
  backup(n: number): ScriptableIngest {
    const found = this.backups[n - 1];
    if (found === undefined) throw new Error(`there is no backup ${n}`);
    return found;
  }

  /** Both tracks of the stream `name`; frames up to number 7 have arrived: the second group is half out. */
  async publish(data: object = {}, name = 's'): Promise<Awaited<ReturnType<Live['both']>>> {
    const backup_urls = this.backups.map((_, n) => this.url(n + 1));
    const senders = await this.live.both({ backup_urls, ...data });
    senders.video.send(...videoFrames(0, 8));
    senders.audio.send(...audioFrames(0, 8));
    await this.live.received('video', 8, name);
    await this.live.received('audio', 8, name);
    return senders;
  }

  /** Settles when the stream is published at that destination. */
  async inUse(index: number): Promise<void> {
    const { live } = this;
    // The state of the upstream may say that its senders are silent, or that it lags.
    const used = (): boolean =>
      live.status().destination === index && live.upstream?.sessions.main.state === 'publishing';
    await eventually(used, `destination ${index} to be in use`);
  }

  async close(): Promise<void> {
    await this.live.close();
    for (const backup of this.backups) await backup.close();
  }
}
