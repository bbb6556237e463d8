import dgram from 'node:dgram';
import { lookup } from 'node:dns/promises';
import { connect } from 'node:net';
import { hostname } from 'node:os';
import type { SyslogTarget } from '../config/syslog.js';
import { messageOf } from '../base/errors.js';
import type { LogLevel } from '../base/logger.js';
import type { Clock } from '../time/clock.js';
import type { LineSink, LogFileOptions } from './log-file.js';

/** Severities of syslog (RFC 5424, 6.2.1). */
const SEVERITY: Readonly<Record<LogLevel, number>> = { error: 3, warn: 4, info: 6, debug: 7 };
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/** Maximum size of a message, in bytes. Longer ones are cut. */
const MAX_MESSAGE = 8192;
/** Maximum number of messages that wait for the connection. */
const MAX_QUEUED = 1000;
/** Time between two attempts to connect, in ms. */
const RETRY_INTERVAL = 5000;

/** The connection to a syslog server. */
interface Transport {
  send(message: string): void;
  close(done: () => void): void;
}

/**
 * Sends lines to a syslog server, in the format of nginx (RFC 3164): over UDP, or over a Unix-domain stream socket.
 * Node has no Unix-domain datagram sockets. If the server cannot be reached, lines are lost and counted; the process is
 * not affected.
 */
export class SyslogSink implements LineSink {
  private readonly queue: string[] = [];
  private transport: Transport | undefined;
  private connecting = false;
  private retryAt = -Infinity;
  private lost = 0;
  private closed = false;

  constructor(
    private readonly target: SyslogTarget,
    private readonly clock: Clock,
    private readonly options: Pick<LogFileOptions, 'onLoss' | 'onRecovered'> = {},
  ) {}

  write(line: string, level: LogLevel): void {
    if (this.closed) return;
    const message = this.message(line, level);
    if (this.transport !== undefined) this.transport.send(message);
    else if (this.clock.now() < this.retryAt || this.queue.length >= MAX_QUEUED) this.lost++;
    else {
      this.queue.push(message);
      void this.connect();
    }
  }

  reopen(): void {}

  flushSync(): void {}

  async close(): Promise<void> {
    this.closed = true;
    const { transport } = this;
    this.transport = undefined;
    await new Promise<void>((resolve) => (transport === undefined ? resolve() : transport.close(resolve)));
  }

  private message(line: string, level: LogLevel): string {
    const { facility, tag, hostname: named } = this.target;
    const head = `<${facility * 8 + SEVERITY[level]}>${timestamp(this.clock.wall())} ${named ? `${hostname()} ` : ''}${tag}: `;
    const text = Buffer.from(head + line.replaceAll('\n', ' '));
    // A character that is cut becomes a replacement character of up to 3 bytes.
    return text.length <= MAX_MESSAGE ? text.toString() : text.toString('utf8', 0, MAX_MESSAGE - 4);
  }

  private async connect(): Promise<void> {
    if (this.connecting) return;
    this.connecting = true;
    try {
      const failed = (error: unknown): void => this.fail(error);
      const { path, host = '', port = 0 } = this.target;
      const transport = path === undefined ? await udp(host, port, failed) : await stream(path, failed);
      if (this.closed) {
        transport.close(() => {});
        return;
      }
      this.transport = transport;
      for (const message of this.queue.splice(0)) transport.send(message);
      if (this.lost > 0) this.options.onRecovered?.(this.lost);
      this.lost = 0;
    } catch (error) {
      this.fail(error);
    } finally {
      this.connecting = false;
    }
  }

  private fail(error: unknown): void {
    const first = this.lost === 0;
    this.transport?.close(() => {});
    this.transport = undefined;
    this.lost += this.queue.splice(0).length + 1;
    this.retryAt = this.clock.now() + RETRY_INTERVAL;
    if (first && !this.closed) this.options.onLoss?.(messageOf(error));
  }
}

async function udp(host: string, port: number, failed: (error: unknown) => void): Promise<Transport> {
  const { address, family } = await lookup(host);
  const socket = dgram.createSocket(family === 6 ? 'udp6' : 'udp4');
  socket.unref();
  socket.on('error', failed);
  await new Promise<void>((resolve, reject) => {
    socket.once('error', reject);
    socket.connect(port, address, () => {
      socket.off('error', reject);
      resolve();
    });
  });
  let open = true;
  return {
    send: (message) => socket.send(message),
    close: (done) => {
      if (!open) return done();
      open = false;
      // Datagrams that were sent in this turn still go out.
      setImmediate(() => socket.close(done));
    },
  };
}

async function stream(path: string, failed: (error: unknown) => void): Promise<Transport> {
  const socket = connect(path);
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve);
    socket.once('error', reject);
  });
  socket.removeAllListeners('error');
  socket.unref();
  let open = true;
  socket.on('error', failed);
  socket.on('close', () => {
    if (open) failed(new Error('the syslog server closed the connection'));
    open = false;
  });
  return {
    send: (message) => void socket.write(`${message}\n`),
    close: (done) => {
      if (!open) return done();
      open = false;
      socket.end(done);
    },
  };
}

/** `Feb  7 10:00:00`, local time. */
function timestamp(ms: number): string {
  const at = new Date(ms);
  const two = (value: number): string => String(value).padStart(2, '0');
  const day = String(at.getDate()).padStart(2, ' ');
  return `${MONTHS[at.getMonth()]} ${day} ${[at.getHours(), at.getMinutes(), at.getSeconds()].map(two).join(':')}`;
}
