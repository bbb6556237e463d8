import { after, afterEach, before, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import type { TLSSocket } from 'node:tls';
import type { MediaSettings } from '../../../lib/config/settings.js';
import { parseRtmpUrl } from '../../../lib/rtmp/rtmp-url.js';
import { eventually } from '../../support/time/eventually.js';
import { framesOf } from '../../support/ingest/ingest-media.js';
import { frameAt } from '../../support/kmp/kmp-sender.js';
import { Live, type LiveOptions } from '../../support/service/live.js';
import type { Amf } from '../../support/rtmp/rtmp-parse.js';
import { ScriptableIngest, type IngestConnection } from '../../support/ingest/scriptable-ingest.js';
import { caFile, serverTls } from '../../support/network/tls-fixture.js';

const connectOf = (connection: IngestConnection): { [key: string]: Amf } =>
  connection.commands('connect')[0]?.[2] as { [key: string]: Amf };

describe('rtmps', { timeout: 90_000 }, () => {
  let live: Live;
  const resolve = (): Promise<string[]> => Promise.resolve(['127.0.0.1']);

  async function publish(
    authority: (port: number) => string,
    settings: Partial<MediaSettings>,
    options: LiveOptions = {},
  ): Promise<void> {
    live = await Live.start({
      script: { tls: serverTls },
      resolve,
      ...options,
      settings: { outWriteMetaTimeout: 0, ...settings },
    });
    const url = `rtmps://${authority(live.ingest.port)}/app/s`;
    const sender = await live.audio({ url });
    sender.send(frameAt(0, 'first'));
  }

  const trusted = { outSslTrustedCertificate: caFile };
  const serverName = (connection: IngestConnection): unknown => (connection.socket as TLSSocket).servername;

  afterEach(() => live.close());

  it('carries everything, to a server whose certificate holds for its name, which is asked for by SNI', async () => {
    await publish((port) => `ingest.example:${port}`, trusted);
    const connection = await live.ingest.next();
    await connection.until(() => framesOf(connection).includes('first'));
    assert.equal(serverName(connection), 'ingest.example');
    assert.equal(connectOf(connection)['tcUrl'], `rtmps://ingest.example:${live.ingest.port}/app`);
    assert.equal(live.status().state, 'publishing');
  });

  it('is verified against an address, too, for which no name is asked', async () => {
    await publish((port) => `127.0.0.1:${port}`, trusted);
    const connection = await live.ingest.next();
    await connection.until(() => framesOf(connection).includes('first'));
    assert.equal(serverName(connection), false);
  });

  it('is refused by default if the certificate is not trusted', async () => {
    await publish((port) => `ingest.example:${port}`, {});
    const { reason } = await live.service.ended();
    assert.equal(reason, 'handshake_failed');
    assert.match(live.service.log.text, /certificate/);
  });

  it('is refused where the certificate is for another name', async () => {
    await publish((port) => `other.example:${port}`, trusted);
    const { reason } = await live.service.ended();
    assert.equal(reason, 'handshake_failed');
    assert.match(live.service.log.text, /other\.example/);
  });

  it('asks for and verifies the name that kmp_rtmp_out_ssl_name gives', async () => {
    await publish((port) => `other.example:${port}`, { ...trusted, outSslName: 'ingest.example' });
    const connection = await live.ingest.next();
    await connection.until(() => framesOf(connection).includes('first'));
    assert.equal(serverName(connection), 'ingest.example');
    assert.equal(connectOf(connection)['tcUrl'], `rtmps://other.example:${live.ingest.port}/app`);
  });

  it('takes any certificate with kmp_rtmp_out_ssl_verify off', async () => {
    await publish((port) => `other.example:${port}`, { outSslVerify: false });
    const connection = await live.ingest.next();
    await connection.until(() => framesOf(connection).includes('first'));
    assert.equal(serverName(connection), 'other.example');
  });

  it('gives up after its timeout on a server that does not speak TLS', async () => {
    await publish((port) => `ingest.example:${port}`, { ...trusted, outTimeout: 100 }, { script: {} });
    const { reason } = await live.service.ended();
    assert.equal(reason, 'handshake_failed');
  });

  it('goes to port 443 by default, rtmp to 1935', () => {
    assert.equal(parseRtmpUrl('rtmps://ingest.example/app/s').port, 443);
    assert.equal(parseRtmpUrl('RTMPS://ingest.example/app/s').port, 443);
    assert.equal(parseRtmpUrl('rtmp://ingest.example/app/s').port, 1935);
    assert.equal(parseRtmpUrl('ingest.example/app/s').port, 1935);
  });
});

describe('user and password', { timeout: 90_000 }, () => {
  let live: Live;
  afterEach(() => live.close());

  for (const method of ['adobe', 'llnw'] as const) {
    it(`log in by ${method}, and are never shown`, async () => {
      const auth = { method, user: 'alice@home', password: 'p:w/rd%1' };
      live = await Live.start({ script: { auth }, settings: { outWriteMetaTimeout: 0 } });
      const url = live.url('s', `alice%40home:p%3Aw%2Frd%251@127.0.0.1:${live.ingest.port}`);
      const sender = await live.audio({ url });
      sender.send(frameAt(0, 'first'), frameAt(20, 'then'));
      const rounds = [await live.ingest.next(), await live.ingest.next(), await live.ingest.next()];
      const last = rounds[2];
      assert.ok(last !== undefined);
      await last.until(() => framesOf(last).includes('then'));
      // Nothing of what was written to the first two is lost.
      assert.deepEqual(framesOf(last), ['first', 'then']);
      assert.equal(live.ingest.connections.length, 3);
      for (const round of rounds) {
        assert.ok(!round.raw().includes('p:w/rd%1') && !round.raw().includes('p%3Aw'));
        assert.ok(!String(connectOf(round)['tcUrl']).includes('@127.0.0.1'));
      }
      await eventually(() => live.status().last_status?.code === 'NetStream.Publish.Start', 'the start');
      assert.equal(live.status().url, live.url('s'));
      const told = JSON.stringify(live.status()) + live.service.log.text;
      for (const secret of ['alice', 'p:w', 'p%3Aw']) assert.ok(!told.includes(secret), told);
      assert.ok(!sender.isClosed);
      await live.finish();
    });

    it(`that are wrong for ${method} end the upstream`, async () => {
      const auth = { method, user: 'alice', password: 'right' };
      live = await Live.start({ script: { auth } });
      const sender = await live.audio({ url: live.url('s', `alice:wrong-one@127.0.0.1:${live.ingest.port}`) });
      const { reason, upstream } = await live.service.ended();
      assert.equal(reason, 'connect_rejected');
      assert.equal(live.ingest.connections.length, 3);
      assert.match(live.service.log.text, /refuses the user name or the password/);
      const told = JSON.stringify(upstream.status()) + live.service.log.text;
      for (const secret of ['alice', 'wrong-one']) assert.ok(!told.includes(secret), told);
      await sender.closed;
    });
  }

  it('that are missing are asked for in the error', async () => {
    live = await Live.start({ script: { auth: { method: 'adobe', user: 'a', password: 'b' } } });
    await live.audio();
    const { reason } = await live.service.ended();
    assert.equal(reason, 'connect_rejected');
    assert.match(live.service.log.text, /put them into the URL/);
    assert.equal(live.ingest.connections.length, 1);
  });

  it('log in again after a break', async () => {
    const auth = { method: 'adobe', user: 'alice', password: 'secret' } as const;
    live = await Live.start({
      script: { auth },
      settings: { outReconnects: 5, outReconnectInterval: 0, outWriteMetaTimeout: 0 },
    });
    const sender = await live.audio({ url: live.url('s', `alice:secret@127.0.0.1:${live.ingest.port}`) });
    sender.send(frameAt(0, 'first'));
    for (let n = 0; n < 2; n++) await live.ingest.next();
    const third = await live.ingest.next();
    await third.until(() => framesOf(third).includes('first'));
    third.reset();
    for (let n = 0; n < 2; n++) await live.ingest.next();
    const sixth = await live.ingest.next();
    sender.send(frameAt(20, 'then'));
    await sixth.until(() => framesOf(sixth).includes('then'));
    assert.equal(live.status().reconnects, 1);
    await live.finish();
  });
});

describe('redirects', { timeout: 90_000 }, () => {
  let live: Live;
  let there: ScriptableIngest;

  before(async () => {
    there = await ScriptableIngest.start({ answers: true });
  });
  afterEach(() => live.close());
  after(() => there.close());

  async function publish(redirect: string, options: LiveOptions = {}): Promise<void> {
    live = await Live.start({
      ...options,
      script: { redirect, ...options.script },
      settings: { outWriteMetaTimeout: 0, ...options.settings },
    });
    const scheme = options.script?.tls === undefined ? 'rtmp' : 'rtmps';
    const sender = await live.audio({ url: `${scheme}://127.0.0.1:${live.ingest.port}/app/s` });
    sender.send(frameAt(0, 'first'), frameAt(20, 'then'));
  }

  it('are followed, and nothing is lost on the way', async () => {
    await publish(`rtmp://127.0.0.1:${there.port}/elsewhere`);
    const connection = await there.next();
    await connection.until(() => framesOf(connection).includes('then'));
    assert.deepEqual(framesOf(connection), ['first', 'then']);
    const { app, tcUrl } = connectOf(connection);
    assert.deepEqual([app, tcUrl], ['elsewhere', `rtmp://127.0.0.1:${there.port}/elsewhere`]);
    assert.equal(live.status().remote_addr, `127.0.0.1:${there.port}`);
    assert.equal(live.status().reconnects, 0);
    await live.finish();
  });

  it('are followed five times in a row', async () => {
    // It sends to itself, for ever.
    live = await Live.start({ settings: { outWriteMetaTimeout: 0 } });
    live.ingest.script = { answers: true, redirect: `rtmp://127.0.0.1:${live.ingest.port}/app` };
    await live.audio();
    const { reason } = await live.service.ended();
    assert.equal(reason, 'connect_rejected');
    assert.equal(live.ingest.connections.length, 6);
    assert.match(live.service.log.text, /redirects more than 5 times/);
  });

  it('from rtmps to rtmp are not followed', async () => {
    const before = there.connections.length;
    await publish(`rtmp://127.0.0.1:${there.port}/elsewhere`, {
      script: { tls: serverTls },
      settings: { outSslTrustedCertificate: caFile },
    });
    const { reason } = await live.service.ended();
    assert.equal(reason, 'connect_rejected');
    assert.match(live.service.log.text, /leaves TLS/);
    assert.equal(there.connections.length, before);
  });

  it('from rtmp to rtmps are verified there', async () => {
    const secure = await ScriptableIngest.start({ answers: true, tls: serverTls });
    await publish(`rtmps://127.0.0.1:${secure.port}/elsewhere`);
    const { reason } = await live.service.ended();
    assert.equal(reason, 'handshake_failed');
    await live.close();
    await publish(`rtmps://localhost:${secure.port}/elsewhere`, { settings: { outSslTrustedCertificate: caFile } });
    const connection = await secure.next();
    await connection.until(() => framesOf(connection).includes('then'));
    await secure.close();
  });

  it('to an invalid RTMP URL end the upstream', async () => {
    await publish('http://127.0.0.1/x');
    const { reason } = await live.service.ended();
    assert.equal(reason, 'connect_rejected');
  });

  it('are followed only to allowed addresses', async () => {
    const before = there.connections.length;
    await publish(`rtmp://127.0.0.1:${there.port}/elsewhere`, { permit: (_address, port) => port !== there.port });
    const { reason } = await live.service.ended();
    assert.equal(reason, 'start_connect_failed');
    assert.equal(there.connections.length, before);
  });

  it('hold for one connection: after a break the first server is asked again', async () => {
    await publish(`rtmp://127.0.0.1:${there.port}/elsewhere`, {
      settings: { outReconnects: 5, outReconnectInterval: 0 },
    });
    await live.ingest.next();
    const connection = await there.next();
    await connection.until(() => framesOf(connection).includes('then'));
    live.ingest.script = { answers: true };
    connection.reset();
    const again = await live.ingest.next();
    await again.until(() => framesOf(again).includes('then'));
    assert.equal(live.status().reconnects, 1);
  });
});

describe('app and tcUrl of connect', { timeout: 90_000 }, () => {
  let live: Live;
  afterEach(() => live.close());

  const rows: readonly (readonly [what: string, data: object, app: string, tcUrl: (port: number) => string])[] = [
    ['are those of the url', {}, 'app', (port) => `rtmp://127.0.0.1:${port}/app`],
    [
      'are both those of `app` of the connect data',
      { app: 'other' },
      'other',
      (port) => `rtmp://127.0.0.1:${port}/other`,
    ],
    [
      'keep several path segments and a query of `app`',
      { app: 'live/_definst_?token=1' },
      'live/_definst_?token=1',
      (port) => `rtmp://127.0.0.1:${port}/live/_definst_?token=1`,
    ],
    ['are each as the connect data gives them', { app: 'other', tc_url: 'rtmp://x/y' }, 'other', () => 'rtmp://x/y'],
  ];
  for (const [what, data, app, tcUrl] of rows) {
    it(what, async () => {
      live = await Live.start();
      await live.audio(data);
      const connection = await live.ingest.next();
      await connection.command('publish');
      const object = connectOf(connection);
      assert.deepEqual([object['app'], object['tcUrl']], [app, tcUrl(live.ingest.port)]);
    });
  }

  it('are both those of `app` where the url has none', async () => {
    live = await Live.start();
    const authority = `rtmp://127.0.0.1:${live.ingest.port}`;
    await live.audio({ url: authority, app: 'other', name: 's' });
    const connection = await live.ingest.next();
    await connection.command('publish');
    const object = connectOf(connection);
    assert.deepEqual([object['app'], object['tcUrl']], ['other', `${authority}/other`]);
  });
});
