import { systemClock, type Clock } from '../time/clock.js';
import { mediaSettings, type MediaSettings } from '../config/settings.js';
import { KmpRtmpError } from '../base/errors.js';
import { noLog, type Logger } from '../base/logger.js';
import { systemResolve } from '../rtmp/resolve.js';
import type { Writable } from '../base/streams.js';
import type { CloseReason } from '../upstream/report/close-reason.js';
import { destinationOf } from '../upstream/connection/destination.js';
import { Input } from '../upstream/intake/input.js';
import type { UpstreamStatus } from '../upstream/report/status.js';
import { Upstream } from '../upstream/upstream.js';
import { HeldInput } from './held-input.js';
import { connectDataOf, type PublishOptions } from './publish-options.js';

/** Options of {@link publishTo}. */
export interface PublishToOptions extends PublishOptions {
  /** Default: nothing is logged. */
  readonly log?: Logger;
}

/** How a publication ended. */
export interface PublicationEnd {
  /** `done` if all tracks ended and every byte was sent; else what went wrong (docs/api.md, Close reasons). */
  readonly reason: CloseReason;
  /** The same for people. */
  readonly message: string;
}

/** Frames that may wait on a track before its writer is held back. */
const MAX_WAITING = 4096;

/** What {@link publishTo} gives: one RTMP connection, and inputs for its tracks. */
export class Publication {
  /** Settles when it is over, whatever the reason; never rejects. */
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
    // What is wrong with the URL is said here, not when the first track is there.
    destinationOf(connectDataOf(url, options.connect), this.settings);
    this.done = new Promise((resolve) => (this.resolveDone = resolve));
  }

  /**
   * A Writable for one track, that takes the batches of a `KmpDecoder`. Holds its writer back while half of
   * `outMemLimit` is in use, so that a file may be piped in as fast as it is read. If the publication fails before the
   * track has ended, the input is destroyed with a KmpRtmpError PUBLICATION_FAILED that says why.
   *
   * @param stream the RTMP stream that the track belongs to; default: the one of the URL
   * @throws KmpRtmpError STREAM_ENDED if the publication is over
   */
  input(stream?: string): Writable {
    if (this.end !== undefined) {
      throw new KmpRtmpError('STREAM_ENDED', `the publication is over (${this.end.reason}); make another one`);
    }
    const { settings, clock, options } = this;
    const connection = ++this.connections;
    const fields = stream === undefined ? options.connect : { ...options.connect, name: stream };
    const connectData = connectDataOf(this.url, fields);
    const join = (_data: unknown, codec: number): Upstream => this.join(codec);
    const log = this.log.child({ connection });
    const input = new Input({ connection, peer: 'local', settings, clock, log, join, connectData });
    const held = new HeldInput(
      input,
      clock,
      () => this.hasEnough(),
      () => this.failure(),
    );
    this.inputs.add(held);
    held.on('close', () => {
      this.inputs.delete(held);
      if (this.inputs.size === 0 && this.upstream === undefined) this.over('done', 'nothing was published');
    });
    return held;
  }

  /** What the management API would say of it; undefined before the first media info. */
  status(): UpstreamStatus | undefined {
    return this.upstream?.status();
  }

  /** Gives up at once: what is queued is lost. */
  destroy(): void {
    if (this.upstream === undefined) this.over('shutdown', 'given up');
    else this.upstream.fail('shutdown', 'given up');
    for (const input of [...this.inputs]) input.destroy();
  }

  private join(codec: number): Upstream {
    if (this.upstream?.isOpen === true) return this.upstream;
    if (this.upstream !== undefined) throw new KmpRtmpError('STREAM_ENDED', 'the publication has ended');
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
      ...(permit === undefined ? {} : { permit }),
      onEnd: (reason, message) => this.over(reason, message),
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
    return new KmpRtmpError('PUBLICATION_FAILED', `${this.end.reason}: ${this.end.message}`);
  }

  private over(reason: CloseReason, message: string): void {
    if (this.end !== undefined) return;
    this.end = { reason, message };
    this.resolveDone(this.end);
  }
}

/**
 * Publishes to an RTMP server with all that the service does for its upstreams: merging, metadata, reconnecting and
 * logging in as set, the limit of memory.
 *
 *     const publication = publishTo('rtmp://127.0.0.1/live/name');
 *     const files = ['video.kmp', 'audio.kmp'];
 *     await Promise.all(
 *       files.map((file) => pipeline(createReadStream(file), new KmpDecoder({ dump: true }), publication.input())),
 *     );
 *     console.log((await publication.done).reason);
 *
 * It is over when all inputs have ended. Two publications need a decoder each: a frame belongs to one of them.
 *
 * @param url `[rtmp://|rtmps://][user:password@]host[:port]/app/stream`
 * @throws RtmpUrlError; KmpRtmpError CONFIG_UNKNOWN for a setting that there is not
 */
export function publishTo(url: string, options: PublishToOptions = {}): Publication {
  return new Publication(url, options);
}
