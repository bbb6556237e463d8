/**
 * What SECURITY.md says of secrets, of addresses behind names, and of requests from other sites: on a whole service.
 */
import { afterEach, beforeEach, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import http from 'node:http';
import { DnsServer } from '../support/network/dns-server.js';
import { eventually } from '../support/time/eventually.js';
import { audioMinf, frameAt, KmpSender } from '../support/kmp/kmp-sender.js';
import { RunningService } from '../support/service/running-service.js';
import { ScriptableIngest } from '../support/ingest/scriptable-ingest.js';

const KEY = 'live_5ecret_K3y';
const PASSWORD = 'pa55w0rd';
const TOKEN = 't0ken-of-the-api';

describe('security', { timeout: 90_000 }, () => {
  let ingest: ScriptableIngest;
  let dns: DnsServer;
  let running: RunningService;
  const senders: KmpSender[] = [];

  const rules = 'kmp_rtmp_out_deny 127.0.0.0/8; kmp_rtmp_out_deny 10.0.0.0/8; kmp_rtmp_out_allow *.test:1935; ';
  const start = async (media: string, resolver = `resolver ${dns.address}; resolver_timeout 2s;`): Promise<void> => {
    const status = `location /status/ { kmp_rtmp_status; } location /guarded/ { kmp_rtmp_api; kmp_rtmp_api_token ${TOKEN}; }`;
    running = await RunningService.start({
      media: `${resolver} ${media}`,
      http: status,
    });
  };
  const publish = async (url: string): Promise<KmpSender> => {
    const sender = await KmpSender.open(running.kmpPort, { upstream_id: 'u1', url });
    senders.push(sender);
    sender.send(audioMinf(), frameAt(0, 'a'));
    return sender;
  };

  beforeEach(async () => {
    ingest = await ScriptableIngest.start({ answers: true });
    dns = await DnsServer.start({
      'inside.test': ['10.1.2.3'],
      'home.test': ['127.0.0.1'],
      'mapped.test': ['::ffff:7f00:1'],
    });
  });
  afterEach(async () => {
    for (const sender of senders.splice(0)) sender.destroy();
    await running.close();
    await ingest.close();
    await dns.close();
  });

  for (const host of ['inside.test', 'home.test', 'mapped.test']) {
    it(`a name that is allowed and points inside (${host}) is not connected to`, async () => {
      await start(`${rules} kmp_rtmp_out_deny all;`);
      const sender = await publish(`rtmp://${host}/app/s`);
      assert.equal((await running.notified()).reason, 'start_connect_failed');
      await sender.closed;
      assert.match(running.log.text, /kmp_rtmp_out_(allow|deny)/);
    });
  }

  for (const host of [
    '0.0.0.0',
    '[::]',
    '[::ffff:0:0]',
    '2130706433',
    '0x7f000001',
    '0177.0.0.1',
    '127.1',
    '[::ffff:7f00:1]',
  ]) {
    it(`another spelling of the machine itself (${host}) is not connected to`, async () => {
      // By the system's own look-up, which knows more ways to write an address than DNS does.
      await start('kmp_rtmp_out_deny 127.0.0.0/8; kmp_rtmp_out_deny ::1;', '');
      const sender = await publish(`rtmp://${host}:${ingest.port}/app/s`);
      await running.notified();
      await sender.closed;
      assert.equal(ingest.connections.length, 0);
    });
  }

  it('a redirect of the server to what is denied is not followed', async () => {
    const other = await ScriptableIngest.start({ answers: true });
    ingest.script = { answers: true, redirect: `rtmp://127.0.0.1:${other.port}/app` };
    await start(`kmp_rtmp_out_deny 127.0.0.1:${other.port};`);
    await publish(`rtmp://127.0.0.1:${ingest.port}/app/s`);
    assert.equal((await running.notified()).reason, 'start_connect_failed');
    assert.equal(other.connections.length, 0);
    await other.close();
  });

  it('nor a request to reconnect there', async () => {
    const other = await ScriptableIngest.start({ answers: true });
    await start(`kmp_rtmp_out_deny 127.0.0.1:${other.port};`);
    await publish(`rtmp://127.0.0.1:${ingest.port}/app/s`);
    const connection = await ingest.next();
    await running.shows('u1', ({ state }) => state === 'publishing', 'publishing');
    for (const host of ['127.0.0.1', '0.0.0.0']) {
      const tcUrl = `rtmp://${host}:${other.port}/app`;
      connection.sendStatus(0, 'status', 'NetConnection.Connect.ReconnectRequest', 'maintenance', { tcUrl });
      const refusal = `${host} port ${other.port} may not be connected to`;
      await eventually(() => running.log.text.includes(refusal), 'a refusal in the log');
    }
    assert.equal(other.connections.length, 0);
    assert.notEqual(await running.upstream('u1'), undefined, 'continues at its server');
    await other.close();
  });

  it('stream keys, passwords and tokens are in no log line, metric, error answer or status page', async () => {
    ingest.script = {
      answers: true,
      // A server that repeats the text of the request.
      rejectPublish: { code: 'NetStream.Publish.BadName', description: `${KEY} is published already, user=me` },
    };
    await start('kmp_rtmp_in_log_frames all;');
    const shown: string[] = [];
    const look = async (): Promise<void> => {
      for (const path of ['/metrics', '/status/', '/status/nothing', '/nothing', `/guarded/upstreams`]) {
        shown.push((await running.request('GET', path, { authorization: 'Bearer wrong' })).text);
      }
      shown.push(await firstEvents(running.service.httpAddresses[0]?.port ?? 0));
    };
    const sender = await publish(`rtmp://me:${PASSWORD}@127.0.0.1:${ingest.port}/app/${KEY}?token=${PASSWORD}`);
    await eventually(() => ingest.connections.length > 0, 'a connection');
    await look();
    await sender.closed;
    await publish(`rtmp://me:${PASSWORD}@127.0.0.1:1/app/${KEY}`);
    await publish(`rtmps:/bad/${KEY}`);
    await eventually(() => senders.every(({ isClosed }) => isClosed), 'the end of all');
    await look();
    for (const text of [...shown, running.log.text]) {
      for (const secret of [KEY, PASSWORD, TOKEN]) {
        const at = text.indexOf(secret);
        assert.equal(at, -1, text.slice(Math.max(0, at - 200), at + 50));
      }
    }
    assert.match(running.log.text, /live?\*\*\*|liv\*\*\*/, 'a key is there in its masked form');
  });

  it('a page of another site drops nothing, also with a token that the browser would send', async () => {
    await start('');
    await publish(`rtmp://127.0.0.1:${ingest.port}/app/s`);
    await running.shows('u1', ({ state }) => state === 'publishing', 'publishing');
    const foreign: Record<string, string>[] = [{ 'sec-fetch-site': 'cross-site' }, { origin: 'https://evil.test' }];
    for (const headers of [...foreign, { origin: 'null' }]) {
      const { status } = await running.request('DELETE', '/api/upstreams/u1', headers);
      assert.equal(status, 403, JSON.stringify(headers));
    }
    const read = await running.request('GET', '/api/', { origin: 'https://evil.test' });
    assert.equal(read.headers['access-control-allow-origin'], undefined);
    const rebound = await running.request('GET', '/api/', { host: 'evil.test' });
    assert.equal(rebound.status, 421);
    assert.notEqual(await running.upstream('u1'), undefined);
    assert.equal((await running.request('DELETE', '/api/upstreams/u1')).status, 204);
  });
});

/** What the status page's stream of events begins with. */
function firstEvents(port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const sent = http.get({ host: '127.0.0.1', port, path: '/status/events', agent: false }, (res) => {
      let text = '';
      const done = (): void => {
        res.destroy();
        resolve(text);
      };
      res.on('data', (part: Buffer) => {
        text += part.toString();
        if (text.split('\n\n').length > 3) done();
      });
      // A service with nothing to show says little.
      setTimeout(done, 1500).unref();
      res.on('close', done);
      res.on('error', done);
    });
    sent.on('error', reject);
  });
}
