import { afterEach, beforeEach, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { MediaSettings } from '../../lib/config/settings.js';
import { FileDump, flushDumps, openDump } from '../../lib/dump/dump.js';
import { eventually } from '../support/time/eventually.js';
import { connect, end } from '../support/kmp/kmp-bytes.js';
import { audioMinf, frameAt, KmpSender } from '../support/kmp/kmp-sender.js';
import { startKmp, type KmpService } from '../support/service/kmp-service.js';
import { LogLines } from '../support/service/log-lines.js';
import { ScriptableIngest } from '../support/ingest/scriptable-ingest.js';

const notHere = existsSync('/dev/full') ? false : 'there is no /dev/full here';

const quick = { outMinProcessDelay: 0, outFlushTimeout: 0, outWriteMetaTimeout: 0 } as const;

describe('dumps', { timeout: 90_000 }, () => {
  let folder: string;
  let ingest: ScriptableIngest;
  let service: KmpService | undefined;
  const senders: KmpSender[] = [];

  async function start(settings: Partial<MediaSettings>): Promise<KmpService> {
    service = await startKmp({ ...quick, ...settings });
    return service;
  }

  async function publish(id: string, port = ingest.port): Promise<KmpSender> {
    if (service === undefined) throw new Error('no service');
    const sender = await KmpSender.open(service.port, connectData(id, port));
    senders.push(sender);
    sender.send(audioMinf(), frameAt(0, 'first'));
    return sender;
  }

  const connectData = (id: string, port: number): object => ({
    upstream_id: id,
    url: `rtmp://127.0.0.1:${port}/app/s`,
  });

  async function files(count: number): Promise<string[]> {
    await eventually(() => readdirSync(folder).length >= count, `${count} files`);
    await flushDumps();
    return readdirSync(folder).sort();
  }

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'kmp-rtmp-dump-'));
    ingest = await ScriptableIngest.start({ answers: true });
  });
  afterEach(async () => {
    for (const sender of senders.splice(0)) sender.destroy();
    await service?.close();
    service = undefined;
    await ingest.close();
    await flushDumps();
    rmSync(folder, { recursive: true, force: true });
  });

  it('of KMP connections hold every byte, a file a connection', async () => {
    const { log } = await start({ inDumpFolder: folder });
    const sent = (text: string): Buffer =>
      Buffer.concat([
        connect(connectData('u1', ingest.port), 'ch1', 'v1', 0n),
        audioMinf(),
        frameAt(0, 'first'),
        frameAt(20, text),
        end,
      ]);
    for (const text of ['one', 'x'.repeat(300_000)]) {
      const sender = await publish('u1');
      sender.send(frameAt(20, text), end);
      await sender.closed;
    }
    const names = await files(2);
    assert.equal(names.length, 2);
    const now = new Date();
    const date = [now.getFullYear(), now.getMonth() + 1, now.getDate()]
      .map((n) => String(n).padStart(2, '0'))
      .join('-');
    for (const name of names) {
      assert.match(name, new RegExp(`^ngx_live_kmp_dump_${date}_${process.pid}_\\d+\\.dat$`));
      // They hold stream keys.
      if (process.platform !== 'win32') assert.equal(statSync(join(folder, name)).mode & 0o077, 0);
    }
    const contents = names.map((name) => readFileSync(join(folder, name))).sort((a, b) => a.length - b.length);
    assert.ok(contents[0]?.equals(sent('one')));
    assert.ok(contents[1]?.equals(sent('x'.repeat(300_000))));
    assert.deepEqual(log.of('error'), []);
  });

  it('of a KMP connection hold what made it fail, too', async () => {
    await start({ inDumpFolder: folder });
    const sender = await publish('u1');
    sender.send(Buffer.from('this is not a KMP packet, and long enough to be seen'));
    await sender.closed;
    const [name = ''] = await files(1);
    assert.match(readFileSync(join(folder, name), 'latin1'), /this is not a KMP packet, and long enough to be seen$/);
  });

  it('of RTMP connections hold every byte that the server sent', async () => {
    await start({ outDumpFolder: folder });
    const said = Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n');
    const server = createServer((socket) => socket.end(said));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    await publish('ch1-twitch', (server.address() as AddressInfo).port);
    const { reason } = (await service?.ended()) ?? {};
    assert.equal(reason, 'handshake_failed');
    server.close();
    const [name = ''] = await files(1);
    assert.match(name, /^ngx_kmp_rtmp_dump_\d{4}-\d\d-\d\d_ch1-twitch_\d+\.dat$/);
    assert.deepEqual(readFileSync(join(folder, name)), said);
  });

  it('of RTMP connections go on to the last answer after our end', async () => {
    await start({ outDumpFolder: folder });
    const sender = await publish('u1');
    const connection = await ingest.next();
    await connection.command('publish');
    sender.end();
    assert.equal((await service?.ended())?.reason, 'done');
    connection.ping(0x01020304);
    connection.end();
    const [name = ''] = await files(1);
    await eventually(() => readFileSync(join(folder, name)).toString('hex').endsWith('000601020304'), 'the last bytes');
    // S0, S1, S2 come first.
    assert.ok(readFileSync(join(folder, name)).length > 3073);
  });

  it('stay in their folder with any id', async () => {
    const inner = join(folder, 'inner');
    mkdirSync(inner);
    const { log } = await start({ outDumpFolder: inner, inMaxNameLength: 0 });
    const ids = [
      '../../escaped',
      '/etc/cron.d/x',
      'a/b',
      'a_b',
      'nul\u0000id',
      'x'.repeat(5000),
      '..',
      '\u202e\n"$(id)',
    ];
    for (const id of ids) {
      await publish(id);
      await (await ingest.next()).command('publish');
    }
    await eventually(() => readdirSync(inner).length === ids.length, 'a file for each id');
    assert.deepEqual(readdirSync(folder), ['inner']);
    for (const name of readdirSync(inner)) assert.match(name, /^ngx_kmp_rtmp_dump_[A-Za-z0-9._-]{1,200}\.dat$/);
    assert.equal(readdirSync(inner).filter((name) => /_a_b(-[0-9a-f]{12})?_\d+\.dat$/.test(name)).length, 2);
    assert.deepEqual(log.of('error'), []);
  });

  it('that cannot be made are logged once, and media goes on', async () => {
    const gone = join(folder, 'gone');
    const { log } = await start({ inDumpFolder: gone, outDumpFolder: gone });
    for (const id of ['u1', 'u2', 'u3']) {
      const sender = await publish(id);
      await (await ingest.next()).message(({ type, payload }) => type === 8 && payload.includes('first'));
      await sender.acked(1n);
    }
    await flushDumps();
    assert.equal(log.of('error').length, 1, log.text);
    assert.match(log.text, /dump ngx_.*\.dat stopped: ENOENT/);
    assert.equal(existsSync(gone), false);
  });

  it('on a full disk are logged once', { skip: notHere }, async () => {
    const log = new LogLines();
    for (let i = 0; i < 3; i++) {
      const dump = new FileDump('/dev', 'full', log, 'a');
      dump.write(Buffer.alloc(5000));
      await dump.done;
      dump.write(Buffer.alloc(5000));
      dump.close();
      await flushDumps();
    }
    assert.equal(log.lines.length, 1);
    assert.match(log.text, /dump full stopped: ENOSPC/);
  });

  it('end where the disk is slower than the connection', async () => {
    const log = new LogLines();
    const dump = openDump(folder, 'slow.dat', log);
    // All in one turn: the disk has no time at all.
    for (let i = 0; i < 100; i++) dump.write(Buffer.alloc(100_000, i));
    dump.close();
    await flushDumps();
    assert.equal(log.lines.length, 1);
    assert.match(log.text, /slower than the connection/);
    const size = existsSync(join(folder, 'slow.dat')) ? statSync(join(folder, 'slow.dat')).size : 0;
    assert.ok(size <= 2 ** 20, `${size} bytes`);
    // The next one works again.
    const next = openDump(folder, 'next.dat', log);
    next.write(Buffer.from('abc'));
    await flushDumps();
    next.write(Buffer.from('def'));
    next.close();
    await flushDumps();
    assert.equal(readFileSync(join(folder, 'next.dat'), 'latin1'), 'abcdef');
  });

  it('never write to a file or through a link that is there already', async () => {
    const log = new LogLines();
    const target = join(folder, 'target');
    writeFileSync(target, 'precious');
    writeFileSync(join(folder, 'a.dat'), 'older');
    symlinkSync(target, join(folder, 'b.dat'));
    for (const name of ['a.dat', 'b.dat']) {
      const dump = openDump(folder, name, log);
      dump.write(Buffer.from('new'));
      dump.close();
    }
    await flushDumps();
    assert.equal(readFileSync(target, 'latin1'), 'precious');
    assert.equal(readFileSync(join(folder, 'a.dat'), 'latin1'), 'older');
    assert.equal(readFileSync(join(folder, 'a-2.dat'), 'latin1'), 'new');
    assert.equal(readFileSync(join(folder, 'b-2.dat'), 'latin1'), 'new');
    assert.deepEqual(log.lines, []);
  });
});
