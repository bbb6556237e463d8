import type http from 'node:http';
import net from 'node:net';
import { afterEach, beforeEach, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { eventually } from '../support/time/eventually.js';
import type { FleetNode } from '../support/fleet/fleet-node.js';
import { PEER_TOKEN, StaticFleet } from '../support/fleet/fleet-node.js';
import { serve, type TestServer } from '../support/network/http.js';
import { ca, serverTls } from '../support/network/tls-fixture.js';
import { until } from '../support/time/until.js';

const ASK = '/fleet/peer/1/ask';
const head = '{"node":"odd","version":"9.9.9","orders":""}\n';
const end = '{"end":true}\n';

describe('a node that other nodes ask', { timeout: 60_000 }, () => {
  let fleet: StaticFleet;
  let node: FleetNode;

  const ask = (question: unknown, headers: http.OutgoingHttpHeaders = {}, path = ASK) =>
    node.http.request(
      'POST',
      path,
      { 'content-type': 'application/json', authorization: `Bearer ${PEER_TOKEN}`, ...headers },
      typeof question === 'string' ? question : JSON.stringify(question),
    );
  const linesOf = (text: string): unknown[] =>
    text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as unknown);

  beforeEach(async () => {
    fleet = new StaticFleet();
    node = await fleet.start('n1');
  });
  afterEach(() => fleet.close());

  it('answers in lines: a head with its name, and the end', async () => {
    const reply = await ask({ name: 'ping' });
    assert.equal(reply.status, 200);
    const [first, last] = linesOf(reply.text) as [Record<string, unknown>, unknown];
    assert.equal(first['node'], 'n1');
    assert.equal(typeof first['version'], 'string');
    assert.deepEqual(last, { end: true });
    const status = linesOf((await ask({ name: 'status' })).text) as Record<string, Record<string, unknown>>[];
    assert.equal(status[1]?.['value']?.['pid'], process.pid);
  });

  it('accepts nothing but the peer token', async () => {
    const basic = `Basic ${Buffer.from(`x:${PEER_TOKEN}`).toString('base64')}`;
    for (const authorization of ['', 'Bearer', 'Bearer ', 'Bearer wrong', `${PEER_TOKEN}`, basic]) {
      const reply = await ask({ name: 'ping' }, { authorization });
      assert.equal(reply.status, 401, authorization);
      assert.equal((reply.json as { error: string }).error, 'unauthorized');
    }
    assert.equal((await node.http.request('POST', ASK)).status, 401);
    // Without it, nobody learns which paths there are.
    assert.equal((await ask({}, { authorization: 'Bearer x' }, '/fleet/peer/7/none')).status, 401);
    assert.equal((await node.http.get('/fleet/peer/')).status, 401);
  });

  it('the peer token opens nothing else', async () => {
    const guarded = await fleet.start('n2', { apiToken: 'operator' });
    const authorization = `Bearer ${PEER_TOKEN}`;
    assert.equal((await guarded.http.get('/api/', { authorization })).status, 401);
    assert.equal((await guarded.http.request('POST', ASK, { authorization: 'Bearer operator' })).status, 401);
  });

  it('obeys the rules of its server for addresses', async () => {
    const closed = await fleet.start('n2', { access: [{ action: 'deny', who: 'all' }] });
    const reply = await closed.http.request('POST', ASK, { authorization: `Bearer ${PEER_TOKEN}` });
    assert.equal(reply.status, 403);
    assert.deepEqual((await node.status()).missing_nodes, ['n2']);
    assert.match((await node.status()).nodes?.['n2']?.missing ?? '', /denies access/);
  });

  it('refuses what it does not understand', async () => {
    for (const question of [
      '{',
      'null',
      '[]',
      {},
      { name: 'toString' },
      { name: 'statusOf', ids: 'a' },
      { name: 'statusOf', ids: Array.from({ length: 1001 }, () => 'a') },
      { name: 'upstream', id: 7 },
      { name: 'order', order: 'explode', scope: { id: 'a' }, note: { since: 0, by: null } },
      { name: 'order', order: 'disable', scope: { id: 'a', route: 'b' }, note: { since: 0, by: null } },
      { name: 'order', order: 'disable', scope: { id: 'a' }, note: { since: 1e300, by: null } },
      { name: 'giveOrders', orders: [{ kind: 'elsewhere', scope: { id: 'a' }, at: 1, order: { since: 0, by: null } }] },
    ]) {
      assert.equal((await ask(question)).status, 400, JSON.stringify(question));
    }
    assert.equal((await ask('x', { 'content-type': 'text/plain' })).status, 400);
    assert.equal((await ask(JSON.stringify({ name: 'ping', more: 'x'.repeat(5 * 2 ** 20) }))).status, 413);
    const other = await ask({ name: 'ping' }, {}, '/fleet/peer/2/ask');
    assert.equal(other.status, 404);
    assert.match(other.text, /"error":"fleet_protocol".*speaks version 1/);
    assert.equal((await ask({ name: 'ping' })).status, 200);
  });

  it('accepts ids such as __proto__', async () => {
    const reply = await ask({ name: 'statusOf', ids: ['__proto__', 'constructor'] });
    assert.equal(reply.status, 200);
    assert.deepEqual(reply.text.split('\n').slice(1), ['{"value":{}}', '{"end":true}', '']);
    assert.equal((await node.http.get('/api/upstreams/__proto__')).status, 404);
  });
});

describe('a node that asks another one', { timeout: 60_000 }, () => {
  let fleet: StaticFleet;
  let node: FleetNode;
  let odd: TestServer;
  let answer: http.RequestListener;

  /** Why the status lacks the other node. */
  async function missing(): Promise<string> {
    const { missing_nodes: names, nodes } = await node.status();
    assert.deepEqual(names, ['odd']);
    return nodes?.['odd']?.missing ?? '';
  }
  const answers = (...parts: readonly string[]): void => {
    answer = (_req, res) => {
      res.setHeader('Content-Type', 'application/x-ndjson');
      for (const part of parts) res.write(part);
      res.end();
    };
  };

  beforeEach(async () => {
    fleet = new StaticFleet();
    node = await fleet.start('n1', { peerTimeout: 10_000 });
    odd = await serve((req, res) => answer(req, res));
    fleet.add('odd', odd.port);
  });
  afterEach(async () => {
    await odd.close();
    await fleet.close();
  });

  it('sends the token, and does not follow a redirect', async () => {
    const seen: string[] = [];
    const target = await serve((req, res) => {
      seen.push(req.url ?? '');
      res.end();
    });
    answer = (req, res) => {
      seen.push(`${req.method} ${req.url} ${req.headers.authorization}`);
      res.writeHead(307, { location: `http://127.0.0.1:${target.port}/` }).end();
    };
    assert.match(await missing(), /redirect \(307\), which is not followed/);
    assert.deepEqual(seen, [`POST ${ASK} Bearer ${PEER_TOKEN}`]);
    await target.close();
  });

  it('says what is wrong with an answer', async () => {
    const cases: readonly (readonly [http.RequestListener, RegExp])[] = [
      [(_req, res) => void res.writeHead(401).end(), /peer_token_file must be the same/],
      [(_req, res) => void res.writeHead(500).end('x'.repeat(10_000)), /HTTP status 500/],
      [(_req, res) => void res.writeHead(404).end('{"message":"no\\u0007fleet"}'), /HTTP status 404: no fleet/],
      [(_req, res) => void res.end('<html>'), /not that of a node; is the http= address/],
      [(req) => void req.socket.destroy(), /cannot be asked|cut/],
    ];
    for (const [listener, reason] of cases) {
      answer = listener;
      assert.match(await missing(), reason);
    }
    for (const [lines, reason] of [
      [[head], /was cut/],
      [[''], /was cut/],
      [[head.replace('odd', 'n7'), end], /another node answers at its address: n7/],
      [['{"node":1}\n', end], /not that of a node/],
      [['[]\n'], /not that of a node/],
      [['{"node":\n'], /not that of a node/],
      [[head, '{"failed":{"code":"x","message":"worker 1 died"}}\n', end], /worker 1 died/],
      [[head, `${'['.repeat(200_000)}\n`, end], /not that of a node/],
    ] as const) {
      answers(...lines);
      assert.match(await missing(), reason);
    }
    await odd.close();
    assert.match(await missing(), /nothing listens at its HTTP address/);
  });

  it('an answer that never ends is cut at its limit', async () => {
    let closed = false;
    answer = (_req, res) => {
      res.setHeader('Content-Type', 'application/x-ndjson');
      const more = (): void => {
        while (res.write('x'.repeat(65_536)));
      };
      res.on('drain', more).on('close', () => (closed = true));
      res.write(head);
      more();
    };
    assert.match(await missing(), /more than \d+ bytes/);
    await eventually(() => closed, 'the end of the connection');
  });

  it('an answer that stops in the middle counts as missing after peer_timeout', async () => {
    const hasty = await fleet.start('n2', { peerTimeout: 150 });
    let closed = false;
    answer = (_req, res) => {
      res.setHeader('Content-Type', 'application/x-ndjson');
      res.on('close', () => (closed = true)).write(head);
    };
    await until(
      'the status without it',
      () => hasty.status(),
      ({ missing_nodes: names }) => names?.join() === 'odd',
    );
    await eventually(() => closed, 'the end of the connection');
  });

  it('shows the upstreams of an older version, and of a newer one', async () => {
    answers(
      head,
      '{"value":{"version":"9.9.9","uptime":7,"later":true}}\n',
      '{"something":"new"}\n',
      '{"id":"old","upstream":{"url":"rtmp://192.0.2.1/app/s","state":"publishing"}}\n',
      '{"id":"new","upstream":{"state":"dancing","streams":{"s":{"tracks":{"video":{"input":{}}}}},"more":[1]}}\n',
      '{"id":"no","upstream":7}\n{"id":"__proto__","upstream":{}}\n',
      end,
    );
    const { upstreams, missing_nodes: names, nodes } = await node.status();
    assert.deepEqual(names, []);
    assert.deepEqual(Object.keys(upstreams), ['old', 'new', '__proto__']);
    assert.equal(upstreams['old']?.mem_limit, 0);
    assert.deepEqual(upstreams['old']?.streams, {});
    assert.equal(upstreams['new']?.streams['s']?.tracks.video?.input?.skipped_frames.duplicate, 0);
    assert.deepEqual(Reflect.get(upstreams['new'] ?? {}, 'more'), [1]);
    assert.equal(nodes?.['odd']?.version, '9.9.9');
    assert.equal((await node.http.get('/metrics')).status, 200);
  });

  it('a strange upstream of another node does not take its metrics from any', async () => {
    const tracks = '{"video":{"sent_frames":7,"pending_frames":1e999},"data":null}';
    answers(
      head,
      '{"value":{}}\n',
      `{"id":"a","upstream":{"state":"x\\u0000y","sent_bytes":-3,"streams":{"s":{"id":1,"tracks":${tracks}}}}}\n`,
      end,
    );
    const { status, text } = await node.http.get('/metrics?fleet=1');
    assert.equal(status, 200);
    assert.match(text, /^kmp_rtmp_upstream_state\{upstream="a",node="odd",state="x\ufffdy"\} 1$/m);
    assert.match(text, /^kmp_rtmp_upstream_sent_bytes_total\{upstream="a",node="odd"\} 0$/m);
    const track = '\\{upstream="a",node="odd",stream="1",media="video"\\}';
    assert.match(text, new RegExp(`^kmp_rtmp_track_sent_frames_total${track} 7$`, 'm'));
    assert.match(text, new RegExp(`^kmp_rtmp_track_pending_frames${track} 0$`, 'm'));
    assert.deepEqual((await node.status()).missing_nodes, []);
  });

  it('leaves out fields that are nested too deeply to be answered with', async () => {
    const deep = `${'['.repeat(20_000)}${']'.repeat(20_000)}`;
    answers(
      head,
      `{"value":{"version":"9.9.9","more":${deep}}}\n`,
      `{"id":"a","upstream":{"state":"publishing","more":${deep},"also":[{"a":[1]}]}}\n`,
      end,
    );
    const { upstreams, missing_nodes: names } = await node.status();
    assert.deepEqual(names, []);
    assert.equal(upstreams['a']?.state, 'publishing');
    assert.deepEqual(Reflect.get(upstreams['a'] ?? {}, 'also'), [{ a: [1] }]);
    assert.equal(Reflect.get(upstreams['a'] ?? {}, 'more'), undefined);
  });

  it('the lines may come in any pieces', async () => {
    const text = `${head}{"value":{}}\n{"id":"ä","upstream":{}}\n${end}`;
    answer = (_req, res) => {
      res.setHeader('Content-Type', 'application/x-ndjson');
      for (const byte of Buffer.from(text)) res.write(Buffer.of(byte));
      res.end();
    };
    assert.deepEqual(Object.keys((await node.status()).upstreams), ['ä']);
  });

  it('garbage in place of HTTP is a missing node', async () => {
    const garbage = net.createServer((socket) => socket.on('error', () => {}).end('SSH-2.0-x\r\n'));
    await new Promise<void>((done) => garbage.listen(0, '127.0.0.1', done));
    fleet.add('ssh', (garbage.address() as net.AddressInfo).port);
    answers(head, '{"value":{}}\n', end);
    assert.deepEqual((await node.status()).missing_nodes, ['ssh']);
    garbage.close();
  });

  it('an answer with too many upstreams is not kept', async () => {
    answer = (_req, res) => {
      res.setHeader('Content-Type', 'application/x-ndjson');
      res.write(`${head}{"value":{}}\n`);
      for (let n = 0; n <= 20_000; n++) res.write(`{"id":"${n}","upstream":{}}\n`);
      res.end(end);
    };
    assert.match(await missing(), /more than 20000 upstreams/);
  });

  it('an answer in pieces of a byte each is not read to its end', async () => {
    answer = (_req, res) => {
      res.setHeader('Content-Type', 'application/x-ndjson');
      const { socket } = res;
      const more = (): void => {
        while (socket?.destroyed === false && socket.write('1\r\nx\r\n'.repeat(10_000)));
      };
      socket?.on('drain', more);
      // What goes to the socket itself must not overtake the head.
      res.write(head, more);
    };
    assert.match(await missing(), /too small pieces/);
  });

  it('announcements without an answer are not read for ever', async () => {
    answer = ({ socket }) => {
      const more = (): void => {
        while (!socket.destroyed && socket.write('HTTP/1.1 102 Processing\r\n\r\n'.repeat(1000)));
      };
      socket.on('drain', more);
      more();
    };
    assert.match(await missing(), /never begins/);
  });

  it('a line that is too long is not read', async () => {
    const line = `{"value":{"version":"${'x'.repeat(2 ** 20)}"}}\n`;
    answers(head, line, end);
    assert.match(await missing(), /a line of more than 1048576 bytes/);
    answers(head, 'x'.repeat(2 ** 20), 'x'.repeat(2 ** 20));
    assert.match(await missing(), /a line of more than 1048576 bytes/);
  });

  it('an answer with more values than its upstreams can have is not kept', async () => {
    const line = `{"id":"a","upstream":{"more":[${'0,'.repeat(100_000)}0]}}\n`;
    answers(head, '{"value":{}}\n', ...Array.from({ length: 31 }, () => line), end);
    assert.match(await missing(), /more than 3000000 values/);
  });

  it('a list with too many ids is not kept, and names that are no text are left out', async () => {
    const list = (...lines: string[]): void => answers(head, '{"value":{}}\n', ...lines, end);
    list('{"item":"a"}\n{"item":7}\n{"item":"b"}\n');
    const few = await node.http.get('/api/upstreams');
    assert.deepEqual([few.headers['x-kmp-rtmp-missing-nodes'], Object.keys(few.json as object)], [undefined, []]);
    list('{"item":"a"}\n'.repeat(25_001));
    const many = await node.http.get('/api/upstreams');
    assert.equal(many.headers['x-kmp-rtmp-missing-nodes'], 'odd');
    assert.match(node.log.text, /more than 25000 items/);
  });

  it('an order from the future is not taken over: no later one would replace it', async () => {
    const order = (id: string, at: number): string =>
      `{"item":{"kind":"disabled","scope":{"id":"${id}"},"at":${at},"order":{"since":1,"by":null}}}\n`;
    answers(head, order('far', Number.MAX_SAFE_INTEGER), order('near', Date.now()), end);
    node.view.start();
    const orders = await until(
      'the order of the other node',
      async () => (await node.http.get('/api/orders')).text,
      (text) => text.includes('near'),
    );
    node.view.stop();
    assert.doesNotMatch(orders, /far/);
  });
});

describe('nodes with TLS', { timeout: 60_000 }, () => {
  const fleet = new StaticFleet();
  afterEach(async () => {
    await fleet.close();
    fleet.nodes.length = 0;
  });

  it('are asked by https, if their certificate is signed by peer_ca_file', async () => {
    const n1 = await fleet.start('n1', { ca: ca.toString() });
    const stranger = await fleet.start('n2');
    await fleet.start('n3', { tls: serverTls });
    assert.deepEqual((await n1.status()).missing_nodes, []);
    const { missing_nodes: names, nodes } = await stranger.status();
    assert.deepEqual(names, ['n3']);
    assert.match(nodes?.['n3']?.missing ?? '', /its certificate is not accepted \(.*\): see peer_ca_file/);
  });
});
