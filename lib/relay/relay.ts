import type tls from 'node:tls';
import { systemClock, type Clock } from '../time/clock.js';
import { messageOf } from '../base/errors.js';
import { noLog, type Logger } from '../base/logger.js';
import { PeerLog } from '../net/peer-log.js';
import { maskKey } from '../base/mask.js';
import {
  Ingest,
  type ConnectRequest,
  type IngestStream,
  type PublishRequest,
  type Refusal,
  type Renamed,
} from '../ingest/ingest.js';
import { ControlError, type Controller, type InputFields } from './controller.js';
import { LiveInput, type StreamEnd } from './live-input.js';
import type { LiveSettings } from './live-track.js';
import { allowedName, type PublishKey } from './publish-keys.js';

export interface RelayOptions extends Partial<LiveSettings> {
  readonly controller: Controller;
  /** Keys that allow publishing; default: everyone may publish. */
  readonly keys?: readonly PublishKey[];
  /** App and name of every stream, for one stream at a time. Default: those of the publisher. */
  readonly name?: string;
  /** Listens for rtmps instead, with this key and certificate. */
  readonly tls?: tls.TlsOptions;
  /** See `IngestOptions`. Default 100. */
  readonly maxConnections?: number;
  /** ms; see `IngestOptions`. */
  readonly timeout?: number;
  readonly clock?: Clock;
  readonly log?: Logger;
}

/** ms for which the end of a stream is known: as long as a service may keep an upstream whose sender is gone. */
const REMEMBERED = 120_000;

/**
 * Takes RTMP from encoders and hands each published stream to KMP servers, as tracks with acknowledgements. A
 * controller decides where to.
 */
export class Relay {
  private readonly ingest: Ingest;
  private readonly inputs = new Set<LiveInput>();
  /** Streams that have ended, by app and name. */
  private readonly ends = new Map<string, StreamEnd>();
  private readonly clock: Clock;
  private readonly log: Logger;
  private readonly refusals: PeerLog;
  private keys: readonly PublishKey[] | undefined;

  constructor(private readonly options: RelayOptions) {
    this.keys = options.keys;
    const { clock = systemClock, log = noLog, tls, maxConnections = 100, timeout } = options;
    this.clock = clock;
    this.log = log;
    this.refusals = new PeerLog(clock);
    this.ingest = new Ingest({
      // A controller may look at the name only. Then it sends both streams of one name to the same upstream.
      ...{ clock, log, maxConnections, closeRefused: true, uniqueIn: 'all' as const },
      ...(tls === undefined ? {} : { tls }),
      ...(timeout === undefined ? {} : { timeout }),
      refuse: (request) => this.admit(request),
      refuseConnect: (request) => this.connect(request),
    });
    this.ingest.on('stream', (stream) => this.begin(stream));
  }

  /** Published streams. */
  get streams(): readonly IngestStream[] {
    return this.ingest.streams;
  }

  /** Starts listening; returns the port. @throws the errors of listening */
  listen(port: number, host?: string): Promise<number> {
    return this.ingest.listen(port, host);
  }

  /** Replaces keys and certificate. Encoders that publish stay. */
  reload({ keys, tls }: Pick<RelayOptions, 'keys' | 'tls'>): void {
    if (tls !== undefined) this.ingest.setTls(tls);
    this.keys = keys;
  }

  /** Disconnects all encoders, ends their tracks in order, and stops listening. */
  async close(): Promise<void> {
    await this.ingest.close();
    await Promise.all([...this.inputs].map(({ ended }) => ended));
  }

  /** Closes everything at once. */
  async kill(): Promise<void> {
    const closed = this.ingest.close();
    for (const input of this.inputs) input.destroy();
    await closed;
  }

  private admit({ name, remoteAddress }: PublishRequest): Refusal | Renamed | undefined {
    const { keys } = this;
    const { name: only } = this.options;
    const allowed = keys === undefined ? name : allowedName(keys, name);
    if (allowed !== undefined) return only === undefined ? { name: allowed } : { name: only, app: only };
    this.refused(remoteAddress, 'publish refused: the key is missing or wrong');
    const description = 'wrong or missing key: set the stream key of the encoder to KEY or to NAME?key=KEY';
    return { code: 'NetStream.Publish.Denied', description };
  }

  private async connect({ app, connect, remoteAddress, connection }: ConnectRequest): Promise<Refusal | undefined> {
    try {
      await this.options.controller.connect(inputFields({ app, connect, remoteAddress, connection }));
      return undefined;
    } catch (error) {
      if (!(error instanceof ControlError)) throw error;
      this.refused(remoteAddress, `connection refused: ${messageOf(error)}`);
      return { code: 'NetConnection.Connect.Rejected', description: error.message };
    }
  }

  private refused(peer: string, why: string): void {
    this.refusals.warn(addressOf(peer), this.log, why, { peer });
  }

  /** A stream name for the log. Where no key is asked for, the name may be the stream key of another service. */
  private labelOf(name: string): string {
    return this.keys === undefined && this.options.name === undefined ? maskKey(name) : name;
  }

  private forgetEnds(): void {
    const before = this.clock.now() - REMEMBERED;
    for (const [key, { at }] of this.ends) if (at < before) this.ends.delete(key);
  }

  private begin(stream: IngestStream): void {
    const name = stream.name.replace(/\?.*$/s, '');
    const label = this.labelOf(name);
    this.log.info(`"${label}" is published`, { peer: stream.remoteAddress, encoder: stream.connect.flashVer });
    const { maxHeld = 32 * 1024 * 1024, retryFor = 60_000, endWait = 5000, controller } = this.options;
    const settings = { maxHeld, retryFor, endWait };
    const context = { controller, settings, clock: this.clock, log: this.log, label };
    const key = `${stream.app}/${name}`;
    this.forgetEnds();
    const input = new LiveInput(stream, inputFields(stream), context, this.ends.get(key));
    this.inputs.add(input);
    stream.once('end', (reason) => {
      this.log.info(`"${label}" has ended: ${reason}`, { peer: stream.remoteAddress });
      if (input.end !== undefined) this.ends.set(key, input.end);
    });
    void input.ended.then(() => this.inputs.delete(input));
  }
}

function inputFields({ app, connect, remoteAddress, connection }: Omit<ConnectRequest, 'name'>): InputFields {
  return { app, ...connect, address: addressOf(remoteAddress), connection };
}

/** The address of a peer, without its port. */
function addressOf(peer: string): string {
  return peer.replace(/:\d+$/, '');
}
