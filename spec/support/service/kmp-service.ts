import { systemClock, type Clock } from '../../../lib/time/clock.js';
import { mediaSettings, type MediaSettings } from '../../../lib/config/settings.js';
import { systemResolve, type Resolve } from '../../../lib/rtmp/network/resolve.js';
import type { CloseReason } from '../../../lib/upstream/report/close-reason.js';
import type { IntakeMemory } from '../../../lib/upstream/intake/intake-memory.js';
import { KmpCounter, KmpListener, type KmpRouter } from '../../../lib/upstream/intake/kmp-listener.js';
import { testInternals } from '../../../lib/node-internals/self-test.js';
import { Registry } from '../../../lib/upstream/registry.js';
import type { UpstreamEvent } from '../../../lib/upstream/report/upstream-event.js';
import type { Upstream } from '../../../lib/upstream/upstream.js';
import { eventually } from '../time/eventually.js';
import { LogLines } from './log-lines.js';

export interface EndedUpstream {
  readonly upstream: Upstream;
  readonly reason: CloseReason;
}

export interface KmpServiceOptions {
  readonly clock?: Clock;
  readonly resolve?: Resolve;
  readonly permit?: (address: string, port: number) => boolean;
  /** Bytes that the process may use, and that it uses. */
  readonly memLimit?: number;
  readonly measureMemory?: () => number;
  readonly intakeMemory?: IntakeMemory;
  /** As in a worker, one of several: the connect packet is read first. */
  readonly router?: KmpRouter;
  /** 0 to 1, for the lengths of waits. */
  readonly random?: () => number;
}

/** A KMP listener on loopback with a registry behind it: the media path, without configuration files and HTTP. */
export class KmpService {
  readonly registry: Registry;
  readonly log = new LogLines();
  readonly counter = new KmpCounter();
  /** The events of all upstreams, in order. */
  readonly events: UpstreamEvent[] = [];
  private readonly listener: KmpListener;
  private readonly over: EndedUpstream[] = [];
  private handedOut = 0;
  private connections = 0;

  constructor(
    settings: MediaSettings,
    {
      clock = systemClock,
      resolve = systemResolve,
      permit,
      random,
      memLimit,
      measureMemory,
      intakeMemory,
      router,
    }: KmpServiceOptions,
  ) {
    const { log, counter } = this;
    const nextConnection = (): number => ++this.connections;
    this.registry = new Registry({
      clock,
      log,
      nextConnection,
      ...(random === undefined ? {} : { random }),
      ...(memLimit === undefined ? {} : { memLimit }),
      ...(measureMemory === undefined ? {} : { measureMemory: () => ({ resident: measureMemory(), free: 0 }) }),
      onEvent: (_upstream, event) => this.events.push(event),
      onEnd: (upstream, reason) => this.over.push({ upstream, reason }),
    });
    const address = { host: '127.0.0.1', port: 0, ipv6Only: false, backlog: 511 };
    const join: Registry['join'] = (data, context, codec) => this.registry.join(data, context, codec);
    this.listener = new KmpListener(
      {
        ...{ address, clock, log, counter, nextConnection, join },
        ...(intakeMemory === undefined ? {} : { intakeMemory }),
        ...(router === undefined ? {} : { router }),
      },
      { settings, resolve, allowed: () => true, ...(permit === undefined ? {} : { permitFor: () => permit }) },
    );
  }

  get port(): number {
    return this.listener.port;
  }

  async listen(): Promise<void> {
    await testInternals();
    await this.listener.listen();
  }

  /** The upstreams that end, in order, each handed out once. */
  async ended(): Promise<EndedUpstream> {
    await eventually(() => this.over.length > this.handedOut, 'the end of an upstream');
    const found = this.over[this.handedOut];
    // Not kept: specs that count memory have many of them.
    delete this.over[this.handedOut++];
    if (found === undefined) throw new Error('unreachable');
    return found;
  }

  /** The upstream of that id, once there is one. */
  async upstream(id: string): Promise<Upstream> {
    await eventually(() => this.registry.get(id) !== undefined, `upstream ${id}`);
    const found = this.registry.get(id);
    if (found === undefined) throw new Error('unreachable');
    return found;
  }

  /** Ends whatever is left. */
  async close(): Promise<void> {
    this.registry.destroy();
    this.listener.destroy();
    await eventually(() => this.counter.open === 0 && !this.listener.listening, 'the end of all connections');
  }
}

/**
 * Starts one on a free port of 127.0.0.1, with the defaults where `settings` says nothing; but sockets are read when
 * bytes arrive. Turns of reading follow the clock, too: a spec that asks for them (`inReadInterval`) has to advance it.
 * Nothing is waited for from a server: most specs have one that never answers.
 */
export async function startKmp(
  settings: Partial<MediaSettings> = {},
  options: KmpServiceOptions = {},
): Promise<KmpService> {
  const service = new KmpService(mediaSettings({ inReadInterval: 0, outAnswerTimeout: 0, ...settings }), options);
  await service.listen();
  return service;
}
