import { systemClock, type Clock } from '../time/clock.js';
import { mediaSettings, type MediaSettings } from '../config/settings.js';
import { KmpRtmpError } from '../base/errors.js';
import { noLog, type Logger } from '../base/logger.js';
import { AddressPenalties } from '../rtmp/network/address-penalties.js';
import { TcpQueues } from '../rtmp/network/tcp-queues.js';
import { systemResolve } from '../rtmp/network/resolve.js';
import type { Writable } from '../base/streams.js';
import type { CloseReason } from '../upstream/report/close-reason.js';
import { destinationOf } from '../upstream/connection/destination.js';
import { Input } from '../upstream/intake/input.js';
import type { UpstreamStatus } from '../upstream/report/status.js';
import { Destinations } from '../upstream/destination/destinations.js';
import { Upstream } from '../upstream/upstream.js';
import { PausableInput } from './pausable-input.js';
import { connectDataOf, type PublishOptions } from './publish-options.js';

/** Options of {@link publishTo}. */
export interface PublishToOptions extends PublishOptions {
  /** Default: nothing is logged. */
  readonly log?: Logger;
}

/** The end of a publication. */
export interface PublicationEnd {
  /** `done` if all tracks have ended and all bytes were sent; otherwise the error (docs/api.md, Close reasons). */
  readonly reason: CloseReason;
  /** The reason in words. */
  readonly message: string;
}

/** Queued frames on a track from which on its writer is held back. */
const MAX_WAITING = 4096;

/** The result of {@link publishTo}: one RTMP connection, and inputs for its tracks. */
export class Publication {
  /** Resolves when the publication has ended, for whatever reason. Never rejects. */
  readonly done: Promise<PublicationEnd>;
  private readonly settings: MediaSettings;
  private readonly clock: Clock;
  private readonly log: Logger;
  private readonly inputs = new Set<Writable>();
  private upstream: Upstream | undefined;
  private connections = 0;
  private end: PublicationEnd | undefined;
  private resolveDone: (end: PublicationEnd) => void = () => {};

  constructor(
    private readonly url: string,
    private readonly options: PublishToOptions,
  ) {
    this.settings = mediaSettings(options.settings);
    this.clock = options.clock ?? systemClock;
    this.log = options.log ?? noLog;
    // Throws if the URL is wrong: here, not when the first track comes.
    destinationOf(connectDataOf(url, options.connect), this.settings);
    this.done = new Promise((resolve) => (this.resolveDone = resolve));
  }

  /**
   * A Writable for one track, that takes the batches of a `KmpDecoder`. Holds its writer back while half of
   * `outMemLimit` is in use, so that a file may be piped in as fast as it is read. If the publication fails before the
   * track has ended, the input is destroyed with a KmpRtmpError publication_failed that says why.
   *
   * @param stream the RTMP stream that the track belongs to; default: the one of the URL
   * @throws KmpRtmpError stream_ended if the publication has ended
   */
  input(stream?: string): Writable {
    if (this.end !== undefined) {
      throw new KmpRtmpError('stream_ended', `the publication has ended (${this.end.reason}); create another one`);
    }
    const { settings, clock, options } = this;
    const connection = ++this.connections;
    const fields = stream === undefined ? options.connect : { ...options.connect, name: stream };
    const connectData = connectDataOf(this.url, fields);
    const join = (_data: unknown, codec: number): Upstream => this.join(codec);
    const log = this.log.child({ connection });
    const input = new Input({ connection, peer: 'local', settings, clock, log, join, connectData });
    const paused = new PausableInput(
      input,
      clock,
      () => this.hasEnough(),
      () => this.failure(),
    );
    this.inputs.add(paused);
    paused.on('close', () => {
      this.inputs.delete(paused);
      if (this.inputs.size === 0 && this.upstream === undefined) this.finish('done', 'nothing was published');
    });
    return paused;
  }

  /** The status, as the management API shows it; undefined before the first media info. */
  status(): UpstreamStatus | undefined {
    return this.upstream?.status();
  }

  /** Ends the publication at once. Queued frames are lost. */
  destroy(): void {
    if (this.upstream === undefined) this.finish('shutdown', 'the publication was destroyed');
    else this.upstream.fail('shutdown', 'the publication was destroyed');
    for (const input of [...this.inputs]) input.destroy();
  }

  private join(codec: number): Upstream {
    if (this.upstream?.isOpen === true) return this.upstream;
    if (this.upstream !== undefined) throw new KmpRtmpError('stream_ended', 'the publication has ended');
    const { settings, clock, log, options, url } = this;
    const { permit, resolve = systemResolve } = options;
    this.upstream = new Upstream({
      id: 'local',
      connection: ++this.connections,
      data: connectDataOf(url, options.connect),
      settings,
      clock,
      log,
      resolve,
      destinations: new Destinations(clock),
      addresses: new AddressPenalties(clock),
      queues: new TcpQueues(clock),
      ...(permit === undefined ? {} : { permit }),
      onEnd: (reason, message) => this.finish(reason, message),
    });
    this.upstream.start(codec);
    return this.upstream;
  }

  private hasEnough(): boolean {
    const { upstream } = this;
    if (upstream === undefined || upstream.ended) return false;
    if (upstream.ledger.used > upstream.ledger.limit / 2) return true;
    for (const stream of upstream.streams.values()) {
      for (const track of stream.queues) if (track.length > MAX_WAITING) return true;
    }
    return false;
  }

  private failure(): KmpRtmpError | undefined {
    if (this.end === undefined || this.end.reason === 'done') return undefined;
    return new KmpRtmpError('publication_failed', `${this.end.reason}: ${this.end.message}`);
  }

  private finish(reason: CloseReason, message: string): void {
    if (this.end !== undefined) return;
    this.end = { reason, message };
    this.resolveDone(this.end);
  }
}

/**
 * Publishes to an RTMP server as an upstream of the service does: with merging, metadata, reconnecting, login and a
 * memory limit.
 *
 *     const publication = publishTo('rtmp://127.0.0.1/live/name');
 *     const files = ['video.kmp', 'audio.kmp'];
 *     await Promise.all(
 *       files.map((file) => pipeline(createReadStream(file), new KmpDecoder({ dump: true }), publication.input())),
 *     );
 *     console.log((await publication.done).reason);
 *
 * It ends when all inputs have ended. Two publications need a decoder each, because a frame belongs to one publication.
 *
 * @param url `[rtmp://|rtmps://][user:password@]host[:port]/app/stream`
 * @throws RtmpUrlError; KmpRtmpError config_unknown for an unknown setting
 */
export function publishTo(url: string, options: PublishToOptions = {}): Publication {
  return new Publication(url, options);
}
