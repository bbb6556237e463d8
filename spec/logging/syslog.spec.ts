import assert from 'node:assert/strict';
import dgram from 'node:dgram';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import net from 'node:net';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { errorLog, type ErrorLog } from '../../lib/config/error-log.js';
import { Logging } from '../../lib/logging/winston-log.js';
import { FakeClock } from '../support/time/fake-clock.js';

const read = (text: string): ErrorLog => errorLog.parse(text.split(' '), () => {});

/** The header and the text of a message in the form of nginx (RFC 3164): `<PRI>Mmm dd hh:mm:ss host tag: text`. */
const MESSAGE = /^<(\d+)>([A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d) (?:(\S+) )?(\w+): (.*)$/;

describe('error_log syslog:', () => {
  async function udp(parameters: string, write: (logging: Logging) => void, count: number): Promise<string[]> {
    const server = dgram.createSocket('udp4');
    server.bind(0, '127.0.0.1');
    await once(server, 'listening');
    const clock = new FakeClock();
    const logging = new Logging([read(`syslog:server=127.0.0.1:${server.address().port}${parameters} debug`)], {
      clock,
    });
    try {
      const messages: string[] = [];
      const all = new Promise<void>((resolve) => {
        server.on('message', (bytes: Buffer) => {
          messages.push(bytes.toString());
          if (messages.length === count) resolve();
        });
      });
      write(logging);
      await all;
      return messages;
    } finally {
      await logging.close();
      server.close();
    }
  }

  it('sends one datagram for each line, with the severity of the line and facility local7', async () => {
    const lines = await udp(
      '',
      ({ log }) => {
        log.error('it broke', { upstream: 'u1' });
        log.warn('careful');
        log.info('news');
        log.debug('details');
      },
      4,
    );
    const found = lines.map((line) => MESSAGE.exec(line) ?? []);
    // local7 is 23; the severities are 3, 4, 6 and 7 (RFC 5424, 6.2.1).
    assert.deepEqual(
      found.map(([, pri]) => Number(pri)),
      [23 * 8 + 3, 23 * 8 + 4, 23 * 8 + 6, 23 * 8 + 7],
    );
    assert.deepEqual(
      found.map(([, , , host]) => host),
      Array.from({ length: 4 }, () => hostname()),
    );
    assert.deepEqual(
      found.map(([, , , , tag]) => tag),
      Array.from({ length: 4 }, () => 'kmp_rtmp'),
    );
    assert.match(found[0]?.[5] ?? '', /^\d{4}\/\d\d\/\d\d .* \[error\] \d+#0: it broke, upstream: u1$/);
  });

  it('takes facility, tag and nohostname, and ignores severity, as nginx does', async () => {
    const parameters = ',facility=daemon,tag=live_1,severity=emerg,nohostname';
    const [line = ''] = await udp(parameters, ({ log }) => log.error('it broke'), 1);
    const [, pri, , host, tag] = MESSAGE.exec(line) ?? [];
    assert.deepEqual([pri, host, tag], [String(3 * 8 + 3), undefined, 'live_1']);
  });

  it('writes JSON, limits long lines, and masks stream keys', async () => {
    const [line = '', long = ''] = await udp(
      ' format=json',
      ({ log }) => {
        log.info('to rtmp://live.example.com/app/secretkey');
        log.info('x'.repeat(20_000));
      },
      2,
    );
    const text = MESSAGE.exec(line)?.[5] ?? '';
    assert.equal((JSON.parse(text) as { message: string }).message, 'to rtmp://live.example.com/app/se***');
    assert.ok(Buffer.byteLength(long) <= 8192, String(long.length));
  });

  it('writes to a Unix-domain stream socket, one line for each message', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'kmp-rtmp-syslog-'));
    const path = join(folder, 'log.sock');
    const server = net.createServer().listen(path);
    await once(server, 'listening');
    const logging = new Logging([read(`syslog:server=unix:${path} info`)]);
    try {
      logging.log.info('first');
      const [socket] = (await once(server, 'connection')) as [net.Socket];
      logging.log.warn('second');
      let text = '';
      for await (const part of socket) {
        text += String(part);
        if (text.includes('second')) break;
      }
      assert.match(text, /^<190>.*: .*first\n<188>.*second\n$/);
    } finally {
      await logging.close();
      server.close();
      rmSync(folder, { recursive: true });
    }
  });

  it('reports lost lines once, and never fails', async () => {
    const said: string[] = [];
    let reported = (): void => {};
    const lost = new Promise<void>((resolve) => (reported = resolve));
    const stderr = {
      write(text: string): void {
        said.push(text);
        reported();
      },
    };
    const logging = new Logging([read('syslog:server=unix:/nonexistent/log info')], { stderr });
    for (let i = 0; i < 5; i++) logging.log.info(`line ${i}`);
    await lost;
    logging.log.info('one more');
    await logging.close();
    assert.equal(said.length, 1);
    assert.match(said[0] ?? '', /log lines for syslog:unix:\/nonexistent\/log are lost: .*ENOENT/);
  });

  for (const [text, target] of [
    ['syslog:server=192.0.2.1', { host: '192.0.2.1', port: 514, facility: 23, tag: 'kmp_rtmp', hostname: true }],
    [
      'syslog:server=logs.example.com:5514',
      { host: 'logs.example.com', port: 5514, facility: 23, tag: 'kmp_rtmp', hostname: true },
    ],
    [
      'syslog:server=[2001:db8::1]:12345,tag=x',
      { host: '2001:db8::1', port: 12345, facility: 23, tag: 'x', hostname: true },
    ],
    [
      'syslog:facility=local0,server=unix:/dev/log',
      { path: '/dev/log', facility: 16, tag: 'kmp_rtmp', hostname: true },
    ],
  ] as const) {
    it(`accepts ${text}`, () => {
      assert.deepEqual(read(text), { target: { syslog: target }, level: 'error', format: 'text' });
    });
  }

  for (const [text, error] of [
    ['syslog:', /needs server=/],
    ['syslog:tag=x', /needs server=/],
    ['syslog:server=', /"server=" is not/],
    ['syslog:server=h:0', /is not/],
    ['syslog:server=h,facility=local8', /"facility=local8" is not/],
    ['syslog:server=h,tag=a-b', /"tag=a-b" is not/],
    [`syslog:server=h,tag=${'x'.repeat(33)}`, /is not/],
    ['syslog:server=h,severity=loud', /"severity=loud" is not/],
    ['syslog:server=h,color=red', /"color=red" is not/],
  ] as const) {
    it(`rejects ${text}`, () => assert.throws(() => read(text), error));
  }
});
