import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import net from 'node:net';
import { after, before, describe, it } from 'node:test';
import type { Route } from '../../lib/config/route.js';
import { controlRouter } from '../../lib/control/router.js';
import { noLog } from '../../lib/base/logger.js';
import { assertHas } from '../support/values/assert-has.js';
import { appWith, serve, type TestServer } from '../support/network/http.js';

const ROUTES: readonly Route[] = [
  { pattern: /^cam(\d+)$/u, urls: ['rtmp://live.example.com/app/key$1', 'rtmps://[2001:db8::7]:443/live/$&?k=1'] },
  { pattern: /^(?<who>\w+)-to-(.+)$/u, urls: ['rtmp://$1.example.com/$1/$2'] },
  { pattern: /^both-(.+)$/u, urls: ['rtmp://a.example.com/a/$1', 'rtmp://b.example.com/b/$1'], required: [true] },
  { pattern: /^spare-(.+)$/u, urls: ['rtmp://a.example.com/a/$1'], required: [false] },
  {
    pattern: /^safe-(.+)$/u,
    urls: ['rtmp://a.example.com/a/$1', 'rtmp://c.example.com/c/$1'],
    backups: [['rtmp://b.example.com/b/$1?k=$&', 'rtmps://b2.example.com/b/$1'], []],
  },
  { pattern: /^only-(.+)$/u, urls: ['rtmp://a.example.com/a/$1'], backups: [['rtmp://$1.example.com/b/x']] },
  { pattern: /^(x+x+)+y$/u, urls: ['rtmp://slow.example.com/app/x'] },
];

interface Upstream {
  readonly id: string;
  readonly url: string;
  readonly resume_from: string;
  readonly required?: boolean;
  readonly connect_data: string;
}

interface Answer {
  readonly code: string;
  readonly message: string;
  readonly channel_id?: string;
  readonly track_id?: string;
  readonly upstreams?: Upstream[];
  readonly url?: string;
  readonly connect_data?: string;
}

interface Posted {
  readonly status: number;
  readonly type: string | undefined;
  readonly answer: Answer;
}

function post(port: number, body: string | object, path = '/control', headers = {}): Promise<Posted> {
  return new Promise((resolve, reject) => {
    const type = { 'content-type': 'application/json', ...headers };
    const options = { host: '127.0.0.1', port, path, method: 'POST', agent: false, headers: type };
    const request = http.request(options, (res) => {
      const parts: Buffer[] = [];
      res.on('data', (part: Buffer) => parts.push(part));
      res.on('end', () => {
        const answer = JSON.parse(Buffer.concat(parts).toString()) as Answer;
        resolve({ status: res.statusCode ?? 0, type: res.headers['content-type'], answer });
      });
    });
    request.on('error', reject);
    request.end(typeof body === 'string' ? body : JSON.stringify(body));
  });
}

/** What nginx-rtmp-kmp-module sends for an RTMP input. */
function publish(name: string, media_type = 'video', more: object = {}): object {
  return {
    event_type: 'publish',
    input_id: `rtmp://ingest:1935/live/${name}/${media_type}`,
    input_type: 'rtmp',
    rtmp: { app: 'live', flashver: '', tc_url: '', addr: '10.0.0.7', connection: 983, name, type: 'live', args: '' },
    media_info: { media_type, bitrate: 82000, codec_id: media_type === 'video' ? 7 : 1010, extra_data: '0164000b' },
    ...more,
  };
}

const dataOf = (upstream: Upstream | undefined): unknown =>
  JSON.parse(Buffer.from(upstream?.connect_data ?? '', 'base64').toString());

describe('control: callbacks of KMP senders', () => {
  let server: TestServer;
  const lines: string[] = [];
  const keep = (line: string): void => void lines.push(line);
  const log = { ...noLog, info: keep, warn: keep, error: keep };

  before(async () => {
    const kmp = (): { host: string; port: number } => ({ host: '0.0.0.0', port: 6543 });
    server = await serve(appWith('/control', controlRouter(ROUTES, { kmp, log })));
  });
  after(() => server.close());

  it('answers a publish with one upstream for each target', async () => {
    const { status, type, answer } = await post(server.port, publish('cam7'));
    assert.equal(status, 200);
    assert.equal(type, 'application/json');
    assertHas(answer, { code: 'ok', message: 'ok', channel_id: 'cam7', track_id: 'v1' });
    const [first, second, ...others] = answer.upstreams ?? [];
    assert.equal(others.length, 0);
    assertHas(first, { url: 'kmp://127.0.0.1:6543', resume_from: 'last_acked' });
    assert.deepEqual(dataOf(first), { upstream_id: first?.id, url: 'rtmp://live.example.com/app/key7' });
    assert.deepEqual(dataOf(second), { upstream_id: second?.id, url: 'rtmps://[2001:db8::7]:443/live/cam7?k=1' });
    assert.match(first?.id ?? '', /^cam7-live\.example\.com-[0-9a-f]{8}$/);
    assert.notEqual(first?.id, second?.id);
  });

  it('requires a single destination, and none of several, unless the route says otherwise', async () => {
    // field.md, The KMP sender: without "required": false, one destination that ends for good ends the whole input.
    const required = async (name: string): Promise<(boolean | undefined)[] | undefined> =>
      (await post(server.port, publish(name))).answer.upstreams?.map((upstream) => upstream.required);
    assert.deepEqual(await required('cam7'), [false, false]);
    assert.deepEqual(await required('a-to-b'), [true]);
    assert.deepEqual(await required('both-x'), [true, false]);
    assert.deepEqual(await required('spare-x'), [false]);
  });

  it('passes the backups of a destination on in the connect data, and keeps the id of the upstream', async () => {
    const { answer } = await post(server.port, publish('safe-7'));
    const [first, second] = answer.upstreams ?? [];
    assert.deepEqual(dataOf(first), {
      upstream_id: first?.id,
      url: 'rtmp://a.example.com/a/7',
      backup_urls: ['rtmp://b.example.com/b/7?k=safe-7', 'rtmps://b2.example.com/b/7'],
    });
    assert.deepEqual(dataOf(second), { upstream_id: second?.id, url: 'rtmp://c.example.com/c/7' });
    // One destination with a backup is a single destination.
    assert.deepEqual(
      (await post(server.port, publish('only-b'))).answer.upstreams?.map((one) => one.required),
      [true],
    );
    // A name must not change the host of a backup either.
    assert.equal((await post(server.port, publish('only-b/c'))).answer.code, 'error');
    assert.ok(
      lines.some((line) =>
        /routed to rtmp:\/\/a\.example\.com\/a\/\*\*\*\|rtmp:\/\/b\.example\.com\/b\/\*\*\*\?\*\*\*\|rtmps/.test(line),
      ),
      lines.join('\n'),
    );
  });

  it('gives audio and video of an input the same upstreams, and another input others', async () => {
    const ids = async (body: object): Promise<string[] | undefined> =>
      (await post(server.port, body)).answer.upstreams?.map(({ id }) => id);
    const video = await ids(publish('cam7'));
    assert.deepEqual(await ids(publish('cam7', 'audio')), video);
    assert.equal((await post(server.port, publish('cam7', 'audio'))).answer.track_id, 'a1');
    assert.notDeepEqual(await ids(publish('cam8')), video);
  });

  it('takes the name from rtmp.name, mpegts.stream_id or input_id, in this order', async () => {
    const channel = async (more: object): Promise<string | undefined> =>
      (await post(server.port, publish('cam9', 'audio', more))).answer.channel_id;
    assert.equal(await channel({ input_id: 'cam1' }), 'cam9');
    assert.equal(await channel({ rtmp: undefined, mpegts: { stream_id: 'cam2', pid: 257 }, input_id: 'x' }), 'cam2');
    assert.equal(await channel({ rtmp: undefined, input_id: 'cam3/audio' }), 'cam3');
    assert.equal(await channel({ rtmp: { name: '' }, input_id: 'cam4' }), 'cam4');
    assert.equal(await channel({ rtmp: undefined, input_id: 'cam3/video' }), undefined);
  });

  it('rejects an input that matches no route', async () => {
    for (const name of ['cam', 'CAM7', ' cam7', 'cam7\u2028']) {
      const { status, answer } = await post(server.port, publish(name));
      assert.equal(status, 200);
      const message = 'no kmp_rtmp_route matches the name of the input';
      assert.deepEqual(answer, { code: 'error', error: 'control_no_route', message });
    }
  });

  it('answers a republish for its upstream, with the fields at the top level as senders read them', async () => {
    const { upstreams } = (await post(server.port, publish('cam7'))).answer;
    const second = upstreams?.[1];
    const again = publish('cam7', 'video', { event_type: 'republish', id: second?.id, channel_id: 'cam7' });
    const { answer } = await post(server.port, again, '/control/republish');
    assertHas(answer, { code: 'ok', url: 'kmp://127.0.0.1:6543', connect_data: second?.connect_data });
    assert.deepEqual(answer.upstreams, [second]);
    for (const id of [undefined, 'cam7-elsewhere-00000000']) {
      const { answer: none } = await post(server.port, publish('cam7', 'video', { event_type: 'republish', id }));
      const message = 'the routes no longer publish the input to this upstream';
      assert.deepEqual(none, { code: 'error', error: 'control_no_route', message });
    }
    const only = await post(server.port, publish('a-to-b', 'video', { event_type: 'republish' }));
    assert.deepEqual(dataOf(only.answer.upstreams?.[0]), {
      upstream_id: only.answer.upstreams?.[0]?.id,
      url: 'rtmp://a.example.com/a/b',
    });
  });

  it('accepts unpublish and connect', async () => {
    const unpublish = { event_type: 'unpublish', input_id: 'rtmp://ingest/live/cam7/video', reason: 'rtmp_close' };
    assert.deepEqual((await post(server.port, unpublish, '/control/unpublish')).answer, { code: 'ok', message: 'ok' });
    const connect = { event_type: 'connect', input_type: 'rtmp', rtmp: { app: 'live', addr: '127.0.0.1' } };
    assert.deepEqual((await post(server.port, connect)).answer, { code: 'ok', message: 'ok' });
  });

  it('puts a name into the host or the app only if it cannot change the destination', async () => {
    assert.equal((await post(server.port, publish('a-to-b/c?d'))).answer.code, 'ok');
    const routes: readonly Route[] = [{ pattern: /^(.*) (.*)$/u, urls: ['rtmp://$1.example.com/$2/stream'] }];
    const other = await serve(appWith('/', controlRouter(routes, { kmp: () => ({ host: '::1', port: 1 }) })));
    try {
      assert.equal((await post(other.port, publish('a.b c'), '/')).answer.upstreams?.[0]?.url, 'kmp://[::1]:1');
      for (const name of ['evil.test/x y', 'user:pw@evil.test y', ' y', '.. y', 'a b/c', 'a b?c', 'a:1 b', 'a# b']) {
        const { answer } = await post(other.port, publish(name), '/');
        assert.equal(answer.code, 'error', name);
        assert.match(answer.message, /is part of the host or the app/);
      }
    } finally {
      await other.close();
    }
  });

  it('reports what is wrong with an invalid body', async () => {
    const media_info = { media_type: 'video' };
    const bad: [body: string | object, message: RegExp][] = [
      ['', /"event_type" is missing/],
      ['{"event_type":', /JSON/],
      ['"publish"', /the body is a string; expected an object/],
      ['[]', /the body is an array/],
      ['null', /the body is null/],
      [{}, /"event_type" is missing/],
      [{ event_type: 'play' }, /"event_type" is "play"; expected publish, unpublish, republish or connect/],
      [{ event_type: 1 }, /"event_type" is a number; expected a string/],
      ['{"__proto__":{"event_type":"publish"}}', /"event_type" is missing/],
      [{ event_type: 'publish', input_id: 'cam7' }, /"media_info" is missing/],
      [{ event_type: 'publish', media_info: [] }, /"media_info" is an array; expected an object/],
      [{ event_type: 'publish', media_info: {} }, /"media_info.media_type" is missing/],
      [{ event_type: 'publish', media_info: { media_type: 'subtitle' } }, /is "subtitle"; only video and audio/],
      [{ event_type: 'publish', media_info }, /neither "rtmp.name" nor "input_id"/],
      [{ event_type: 'publish', media_info, rtmp: { name: 7 } }, /"rtmp.name" is a number; expected a string/],
      [{ event_type: 'publish', media_info, rtmp: null }, /"rtmp" is null; expected an object/],
      [publish('x'.repeat(257)), /has 257 characters; the maximum is 256/],
      [publish('cam\n7'), /control characters/],
      [publish('cam\ud800'), /incomplete surrogate pair/],
      [{ ...publish('cam7'), event_type: 'republish', id: 5 }, /"id" is a number/],
    ];
    for (const [body, message] of bad) {
      const { status, answer } = await post(server.port, body);
      assert.equal(status, 400, JSON.stringify(body));
      assert.equal(answer.code, 'error');
      assert.match(answer.message, message);
    }
  });

  it('rejects bodies above the limit, and other methods and paths', async () => {
    const large = await post(server.port, publish('cam7', 'video', { pad: 'x'.repeat(70_000) }));
    assert.equal(large.status, 413);
    assert.equal(large.answer.code, 'error');
    const { status, headers, json } = await server.get('/control');
    assert.equal(status, 405);
    assert.equal(headers.allow, 'POST, OPTIONS');
    assertHas(json, { code: 'error' });
    assert.equal((await post(server.port, publish('cam7'), '/control/other')).status, 404);
    assert.equal((await post(server.port, publish('cam7'), '/control/publish')).answer.code, 'ok');
  });

  it('matches in linear time: a pattern that RegExp would need forever for does not hold up others', async () => {
    const names = Array.from({ length: 200 }, () => 'x'.repeat(255));
    const answers = await Promise.all(names.map((name) => post(server.port, publish(name))));
    for (const { answer } of answers) {
      assert.deepEqual([answer.code, answer.message], ['error', 'no kmp_rtmp_route matches the name of the input']);
    }
  });

  it('does nothing for a client that has left', async () => {
    lines.length = 0;
    const body = JSON.stringify(publish('cam7'));
    const head = `POST /control HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${body.length}\r\n\r\n`;
    const socket = net.connect(server.port, '127.0.0.1');
    await once(socket, 'connect');
    socket.write(head + body);
    socket.destroy();
    // One that stays is answered; its request arrives later.
    assert.equal((await post(server.port, publish('only-stays'))).answer.code, 'ok');
    // Only the second one is in the log.
    assert.deepEqual(
      lines.map((line) => line.replace(/ routed to .*/, '')),
      ['control: publish of "on***" (video)'],
    );
  });

  it('limits channel ids to the 32 bytes of KMP and keeps them unique', async () => {
    const start = 'a_rather_long_name_of_an_input';
    const [a, b] = await Promise.all(
      ['é1', 'é2'].map(async (end) => (await post(server.port, publish(`${start}-to-${end}`))).answer.channel_id),
    );
    assert.notEqual(a, b);
    for (const id of [a, b]) assert.ok(Buffer.byteLength(id ?? '') <= 32);
  });

  it('logs its decisions without stream keys and without the name of the input, which may be a key', async () => {
    lines.length = 0;
    await post(server.port, publish('cam7'));
    await post(server.port, publish('nobody'));
    await post(server.port, {
      event_type: 'unpublish',
      input_id: 'live/secret-key-1/video',
      rtmp: { name: 'secret-key-1' },
    });
    assert.deepEqual(lines, [
      'control: publish of "c***" (video) routed to rtmp://live.example.com/app/k*** rtmps://[2001:db8::7]:443/live/c***?***',
      'control: publish of "n***" (video) rejected: no kmp_rtmp_route matches the name of the input',
      'control: unpublish of "sec***" accepted',
    ]);
  });
});

describe('KMP address in the answers', () => {
  const ask = async (kmp: { host: string; port: number } | undefined): Promise<Answer> => {
    const server = await serve(appWith('/', controlRouter(ROUTES, { kmp: () => kmp })));
    try {
      return (await post(server.port, publish('cam1'), '/')).answer;
    } finally {
      await server.close();
    }
  };

  it('is always an IP address, because senders do not resolve names', async () => {
    assert.equal((await ask({ host: '192.0.2.7', port: 8003 })).upstreams?.[0]?.url, 'kmp://192.0.2.7:8003');
    assert.match(
      (await ask({ host: 'localhost', port: 8003 })).upstreams?.[0]?.url ?? '',
      /^kmp:\/\/(127\.0\.0\.1|\[::1\]):8003$/,
    );
    for (const host of ['::', '0::0', '0.0.0.0'])
      assert.equal((await ask({ host, port: 8003 })).upstreams?.[0]?.url, 'kmp://127.0.0.1:8003');
  });

  it('is an error without a KMP server', async () => {
    assert.match(
      (await ask({ host: 'nowhere.invalid', port: 1 })).message,
      /nowhere\.invalid, has no address; check kmp=/,
    );
    assert.match((await ask(undefined)).message, /this service has no KMP server/);
  });
});
