import net from 'node:net';
import { once } from 'node:events';
import { systemClock, type Clock } from '../../lib/clock.js';
import { mediaSettings, type MediaSettings } from '../../lib/config/settings.js';
import type { LogFields, Logger } from '../../lib/log.js';
import { systemResolve, type Resolve } from '../../lib/rtmp/resolve.js';
import type { CloseReason } from '../../lib/upstream/close-reason.js';
import type { Input } from '../../lib/upstream/input.js';
import { openKmpConnection, type KmpConnectionOptions } from '../../lib/upstream/kmp-connection.js';
import { Registry } from '../../lib/upstream/registry.js';
import type { Upstream } from '../../lib/upstream/upstream.js';

export interface EndedUpstream {
  readonly upstream: Upstream;
  readonly reason: CloseReason;
}

export interface LogLine {
  readonly level: 'error' | 'warn' | 'info' | 'debug';
  readonly message: string;
  readonly fields: LogFields;
}

/** Keeps every line, so that a spec can ask what was said. */
export class LogKeeper implements Logger {
  constructor(
    readonly lines: LogLine[] = [],
    private readonly fields: LogFields = {},
  ) {}
  error(message: string, fields?: LogFields): void {
    this.keep('error', message, fields);
  }
  warn(message: string, fields?: LogFields): void {
    this.keep('warn', message, fields);
  }
  info(message: string, fields?: LogFields): void {
    this.keep('info', message, fields);
  }
  debug(message: string, fields?: LogFields): void {
    this.keep('debug', message, fields);
  }
  child(fields: LogFields): Logger {
    return new LogKeeper(this.lines, { ...this.fields, ...fields });
  }
  private keep(level: LogLine['level'], message: string, fields?: LogFields): void {
    this.lines.push({ level, message, fields: { ...this.fields, ...fields } });
  }
}

export interface KmpServiceOptions {
  readonly clock?: Clock;
  readonly resolve?: Resolve;
  readonly permit?: (address: string, port: number) => boolean;
}

/** A KMP listener on loopback with a registry behind it: the media path, without configuration files and HTTP. */
export class KmpService {
  readonly registry: Registry;
  readonly log = new LogKeeper();
  /** The inputs of all connections, in order. */
  readonly inputs: Input[] = [];
  private readonly server: net.Server;
  private readonly sockets = new Set<net.Socket>();
  private readonly over: EndedUpstream[] = [];
  private readonly waiting: (() => void)[] = [];
  private handedOut = 0;
  private connections = 0;

  constructor(settings: MediaSettings, { clock = systemClock, resolve = systemResolve, permit }: KmpServiceOptions) {
    const nextConnection = (): number => ++this.connections;
    const { log } = this;
    this.registry = new Registry({
      clock,
      log,
      nextConnection,
      onEnd: (upstream, reason) => {
        this.over.push({ upstream, reason });
        for (const wake of this.waiting.splice(0)) wake();
      },
    });
    const context = { settings, resolve, ...(permit === undefined ? {} : { permit }) };
    this.server = net.createServer((socket) => {
      this.sockets.add(socket);
      socket.on('close', () => this.sockets.delete(socket));
      const join: KmpConnectionOptions['join'] = (data, codec) => this.registry.join(data, context, codec);
      this.inputs.push(openKmpConnection(socket, { connection: nextConnection(), settings, clock, log, join }));
    });
  }

  get port(): number {
    const address = this.server.address();
    if (address === null || typeof address === 'string') throw new Error('not listening');
    return address.port;
  }

  async listen(): Promise<void> {
    this.server.listen(0, '127.0.0.1');
    await once(this.server, 'listening');
  }

  /** The upstreams that end, in order, each handed out once. */
  async ended(): Promise<EndedUpstream> {
    for (;;) {
      const found = this.over[this.handedOut];
      if (found !== undefined) {
        this.handedOut++;
        return found;
      }
      await new Promise<void>((resolve) => this.waiting.push(resolve));
    }
  }

  /** Ends whatever is left. */
  async close(): Promise<void> {
    this.registry.destroy();
    for (const socket of this.sockets) socket.destroy();
    this.server.close();
    await once(this.server, 'close');
  }
}

/** Starts one on a free port of 127.0.0.1, with the defaults where `settings` says nothing. */
export async function startKmp(
  settings: Partial<MediaSettings> = {},
  options: KmpServiceOptions = {},
): Promise<KmpService> {
  const service = new KmpService(mediaSettings(settings), options);
  await service.listen();
  return service;
}
