import type { MediaSettings } from '../../config/settings.js';
import type { ConnectData } from '../../kmp/connect-data.js';
import type { Logger } from '../../base/logger.js';
import type { Destination } from '../connection/destination.js';
import { dataElsewhere, destinationsOf, streamNamesOf } from '../connection/failover/backups.js';
import type { Elsewhere } from '../report/orders.js';
import { streamNameOf } from '../tracks/stream-name.js';
import type { UpstreamStream } from '../tracks/stream.js';

/**
 * Where an upstream publishes: where its senders ask for, or where an operator has sent it. The streams keep the names
 * that their senders gave them. What they are named at the destinations depends on this.
 */
export class Target {
  /** The destinations that the senders ask for. */
  private readonly asked: readonly Destination[];
  /** The primary destination, then its backups. */
  destinations: readonly Destination[];
  /** Where an operator has sent the upstream; undefined: it publishes where its senders ask for. */
  elsewhere: Elsewhere | undefined;
  /** The destinations before the last change. Messages about them may still come. */
  private before: readonly Destination[] = [];

  /**
   * @param data the connect data of the first track
   * @throws RtmpUrlError if a URL is invalid
   */
  constructor(
    private readonly data: ConnectData,
    private readonly settings: MediaSettings,
    log: Logger,
    elsewhere: Elsewhere | undefined,
  ) {
    this.asked = destinationsOf(data, settings, (problem) => log.warn(`connect data: ${problem}`));
    this.destinations = elsewhere === undefined ? this.asked : this.destinationsAt(elsewhere);
    this.elsewhere = elsewhere;
  }

  /** The URL of the primary destination, with its stream key. */
  get url(): string {
    return this.elsewhere?.url ?? this.data.url;
  }

  /** All destinations that messages may be about. */
  get known(): readonly Destination[] {
    return [...this.asked, ...this.before, ...this.destinations];
  }

  /**
   * Sends the upstream elsewhere; undefined: back. Returns false if it is there already.
   *
   * @throws RtmpUrlError if a URL is invalid; then nothing changes
   */
  change(elsewhere: Elsewhere | undefined): boolean {
    if (JSON.stringify(urlsOf(elsewhere)) === JSON.stringify(urlsOf(this.elsewhere))) return false;
    const destinations = elsewhere === undefined ? this.asked : this.destinationsAt(elsewhere);
    this.before = this.destinations;
    this.destinations = destinations;
    this.elsewhere = elsewhere;
    return true;
  }

  /** The names that the senders ask for, of the stream of `data`, at each destination that they ask for. */
  askedNames(data: ConnectData): readonly string[] {
    return streamNamesOf(data, this.asked);
  }

  /**
   * The names of a stream at the present destinations. Elsewhere, the stream of the first track has the name that the
   * operator has given; others keep theirs.
   */
  namesOf({ name, askedNames }: Pick<UpstreamStream, 'name' | 'askedNames'>): readonly string[] {
    if (this.elsewhere === undefined) return askedNames;
    const isFirst = name === streamNameOf(this.data);
    return this.destinations.map(({ streamName }) => (isFirst ? streamName : name));
  }

  /** The names of the first stream. */
  get mainNames(): readonly string[] {
    return this.namesOf({ name: streamNameOf(this.data), askedNames: this.askedNames(this.data) });
  }

  private destinationsAt(elsewhere: Elsewhere): readonly Destination[] {
    return destinationsOf(dataElsewhere(this.data, elsewhere), this.settings, () => {});
  }
}

function urlsOf(elsewhere: Elsewhere | undefined): readonly string[] {
  return elsewhere === undefined ? [] : [elsewhere.url, ...elsewhere.backupUrls];
}
