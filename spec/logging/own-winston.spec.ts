// A program that embeds the service can pass its own winston loggers and transports.
import assert from 'node:assert/strict';
import { Writable } from 'node:stream';
import { afterEach, describe, it } from 'node:test';
import winston from 'winston';
import { Logging, parseConfig, Service, winstonLog, type Logger } from '../../lib/index.js';
import { eventually } from '../support/time/eventually.js';
import { KmpSender } from '../support/kmp/kmp-sender.js';

/** The entries that a transport was given. */
class Entries {
  readonly lines: Record<string, unknown>[] = [];

  transport(level?: string): winston.transport {
    const write = (line: Buffer, _encoding: string, done: () => void): void => {
      this.lines.push(JSON.parse(String(line)) as Record<string, unknown>);
      done();
    };
    return new winston.transports.Stream({
      stream: new Writable({ write }),
      ...(level === undefined ? {} : { level }),
    });
  }

  find(message: string): Record<string, unknown> | undefined {
    return this.lines.find((line) => line['message'] === message);
  }
}

const CONFIG = 'stream { server { listen 127.0.0.1:0; kmp_rtmp; } }';
const SECRET = 'live_4711_abcdefgh';

describe('a winston logger of the embedding program', () => {
  let closing: (() => unknown)[] = [];
  afterEach(() => {
    for (const close of closing.splice(0).reverse()) close();
    closing = [];
  });

  /** Runs a service and connects a sender to it. */
  async function connected(log: Logger | winston.Logger): Promise<void> {
    const service = new Service(parseConfig(CONFIG), { log });
    await service.start();
    closing.push(() => service.kill());
    const url = `rtmp://127.0.0.1:1/live/${SECRET}`;
    const sender = await KmpSender.open(service.kmpAddresses[0]?.port ?? 0, { upstream_id: 'u1', url });
    closing.push(() => sender.destroy());
  }

  it('gets the lines of the service, with their fields, and masked', async () => {
    const entries = new Entries();
    const logger = winston.createLogger({ level: 'debug', transports: [entries.transport()] });
    await connected(logger);
    await eventually(() => entries.find('KMP connected') !== undefined, 'the line');
    const { level, channel, track, upstream, connection } = entries.find('KMP connected') ?? {};
    assert.deepEqual([level, channel, track, upstream, typeof connection], ['info', 'ch1', 'v1', 'u1', 'number']);
    const log = winstonLog(logger);
    log.child({ url: `rtmp://host/live/${SECRET}` }).warn(`publishing to rtmp://host/live/${SECRET}`, { message: 'x' });
    await eventually(() => entries.lines.some((line) => line['level'] === 'warn'), 'the warning');
    assert.ok(!JSON.stringify(entries.lines).includes(SECRET), JSON.stringify(entries.lines));
    assert.match(String(entries.lines.at(-1)?.['message']), /^publishing to rtmp:/);
  });

  it('is asked for its level, and may have the levels of syslog', async () => {
    const entries = new Entries();
    const levels = winston.config.syslog.levels;
    const log = winstonLog(winston.createLogger({ level: 'warning', levels, transports: [entries.transport()] }));
    assert.deepEqual(
      (['error', 'warn', 'info', 'debug'] as const).map((level) => log.isEnabled?.(level)),
      [true, true, false, false],
    );
    log.info('not this');
    log.warn('this');
    await eventually(() => entries.lines.length > 0, 'the line');
    assert.deepEqual(
      entries.lines.map(({ level, message }) => [level, message]),
      [['warning', 'this']],
    );
  });

  it('transports get lines beside the targets of error_log, also after these have changed', async () => {
    const entries = new Entries();
    let text = '';
    const stderr = { write: (line: string) => (text += line) };
    const target = { target: 'stderr', level: 'error', format: 'text' } as const;
    const logging = new Logging([target], { stderr, transports: [entries.transport('debug')] });
    closing.push(() => logging.close());
    await connected(logging.log);
    await eventually(() => entries.find('KMP connected') !== undefined, 'the line');
    assert.equal(text, '');
    assert.match(String(entries.find('KMP connected')?.['timestamp']), /^\d{4}-\d\d-\d\dT/);
    logging.configure([]);
    logging.log.debug('after a reload', { key: `rtmp://host/live/${SECRET}` });
    await eventually(() => entries.find('after a reload') !== undefined, 'the line after the reload');
    assert.ok(!JSON.stringify(entries.lines).includes(SECRET));
    const quiet = new Logging([], { transports: [new Entries().transport()] });
    assert.deepEqual([quiet.log.isEnabled?.('info'), quiet.log.isEnabled?.('debug')], [true, false]);
  });
});
