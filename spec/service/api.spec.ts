import { afterEach, beforeEach, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { openApiDocument } from '../../lib/api/openapi/openapi.js';
import { eventually } from '../support/time/eventually.js';
import { audioMinf, frameAt, KmpSender, videoMinf } from '../support/kmp/kmp-sender.js';
import { AT_ONCE_DIRECTIVES, RunningService } from '../support/service/running-service.js';
import { ScriptableIngest } from '../support/ingest/scriptable-ingest.js';

/** `name: type` of all fields, with nesting; keys that are ids stand as they are. */
function shapeOf(value: unknown): unknown {
  if (value === null) return 'null';
  if (Array.isArray(value)) return value.map(shapeOf);
  if (typeof value === 'object') return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, shapeOf(v)]));
  return typeof value === 'number' && Number.isInteger(value) ? 'integer' : typeof value;
}

describe('the API of a running service', { timeout: 90_000 }, () => {
  let ingest: ScriptableIngest;
  let running: RunningService;
  const senders: KmpSender[] = [];

  const open = async (id: string, stream = 's', more = {}, options = {}): Promise<KmpSender> => {
    const data = { upstream_id: id, url: `rtmp://127.0.0.1:${ingest.port}/app/${stream}`, ...more };
    const sender = await KmpSender.open(running.kmpPort, data, options);
    senders.push(sender);
    return sender;
  };
  const get = (path: string) => running.request('GET', path);

  beforeEach(async () => {
    ingest = await ScriptableIngest.start();
    running = await RunningService.start({ media: AT_ONCE_DIRECTIVES });
  });
  afterEach(async () => {
    for (const sender of senders.splice(0)) sender.destroy();
    await running.close();
    await ingest.close();
  });

  it('shows every documented field of a live upstream, of the documented type, where it is documented', async () => {
    const more = { header: 'PROXY', opaque: '{"a":1}' };
    ingest.script = { headerLength: 5 };
    const video = await open('u1', 's', more, { channel: 'chan', track: 'v7' });
    video.send(videoMinf(), frameAt(0, 'no key'), frameAt(0, 'key', { key: true, created: Date.now() - 250 }));
    const connection = await ingest.next();
    await connection.message(({ payload }) => payload.toString('latin1').endsWith('key'));
    const upstream = await running.shows('u1', (u) => u.streams['s']?.tracks.video?.mem_used === 0, 'a sent frame');

    const status = await running.status();
    const { upstreams, ...global } = status;
    assert.deepEqual(shapeOf(global), {
      version: 'string',
      nginx_version: 'string',
      compiler: 'string',
      built: 'string',
      pid: 'integer',
      uptime: 'integer',
    });
    assert.equal(global.pid, process.pid);
    assert.equal(global.nginx_version, `node/${process.versions.node}`);
    const input = {
      connection: 'integer',
      remote_addr: 'string',
      channel_id: 'string',
      track_id: 'string',
      uptime: 'integer',
      received_bytes: 'integer',
      received_data_bytes: 'integer',
      received_frames: 'integer',
      received_key_frames: 'integer',
      last_created: 'integer',
      skipped_frames: {
        duplicate: 'integer',
        empty: 'integer',
        empty_duration: 'integer',
        no_media_info: 'integer',
        no_key: 'integer',
      },
      latency: { min: 'integer', max: 'integer', avg: 'integer' },
    };
    const shape = {
      url: 'string',
      header: 'string',
      opaque: 'string',
      remote_addr: 'string',
      local_addr: 'string',
      connection: 'integer',
      mem_limit: 'integer',
      mem_left: 'integer',
      written_bytes: 'integer',
      sent_bytes: 'integer',
      received_bytes: 'integer',
      streams: {
        s: {
          id: 'integer',
          uptime: 'integer',
          tracks: { video: { pending_frames: 'integer', mem_used: 'integer', input } },
        },
      },
    };
    contains(shapeOf(upstreams['u1']), shape);

    // The same values from all sides.
    const [stream] = Object.values(upstream.streams);
    const track = stream?.tracks.video;
    const { socket } = video;
    assert.equal(upstream.url, `rtmp://127.0.0.1:${ingest.port}/app/s`);
    assert.deepEqual([upstream.header, upstream.opaque], [more.header, more.opaque]);
    assert.equal(upstream.remote_addr, `127.0.0.1:${ingest.port}`);
    assert.equal(upstream.local_addr, `127.0.0.1:${connection.socket.remotePort}`);
    assert.equal(upstream.mem_limit, 16 * 2 ** 20);
    // C0 and C1, C2, the header and all behind; S0, S1, S2.
    const written = 1537 + 1536 + connection.raw().length;
    assert.deepEqual([upstream.written_bytes, upstream.sent_bytes, upstream.received_bytes], [written, written, 3073]);
    assert.equal(stream?.id, 1);
    assert.equal(track?.input?.remote_addr, `127.0.0.1:${socket.localPort}`);
    assert.deepEqual([track?.input?.channel_id, track?.input?.track_id], ['chan', 'v7']);
    assert.equal(track?.input?.received_bytes, socket.bytesWritten);
    assert.deepEqual([track?.input?.received_frames, track?.input?.received_key_frames], [1, 1]);
    assert.equal(track?.input?.skipped_frames.no_key, 1);
    assert.equal(track?.input?.received_data_bytes, 3);
    const { min = 0, max = 0, avg = 0 } = track?.input?.latency ?? {};
    assert.ok(min >= 250 * 90 && min === max && max === avg, `latency ${min} ${max} ${avg}`);
    assert.notEqual(upstream.connection, track?.input?.connection);
  });

  it('gives every part by its own route, and nothing that the document does not say', async () => {
    await running.close();
    running = await RunningService.start({
      media: 'kmp_rtmp_out_min_process_delay 1h; kmp_rtmp_out_max_process_delay 1h;',
    });
    const [video, audio] = [await open('a/b ü', 'x'), await open('a/b ü', 'y')];
    video.send(videoMinf(), frameAt(0, 'v', { key: true }));
    audio.send(audioMinf());
    await running.shows('a/b ü', ({ streams }) => Object.keys(streams).length === 2, 'two streams');
    // Its track lives on: a frame of it waits.
    video.destroy();
    await running.shows('a/b ü', ({ streams }) => streams['x']?.tracks.video?.input === null, 'no input');
    const ajv = new Ajv2020({ strict: false, allErrors: true });
    ajv.addSchema(openApiDocument({ write: true }) as object, 'openapi');
    const fits = (path: string, body: unknown): void => {
      const escape = (part: string): string => encodeURIComponent(part.replaceAll('~', '~0').replaceAll('/', '~1'));
      const at = ['paths', path, 'get', 'responses', '200', 'content', 'application/json', 'schema'].map(escape);
      const validate = ajv.compile({ $ref: `openapi#/${at.join('/')}` });
      assert.ok(validate(body), `${path}: ${ajv.errorsText(validate.errors)}`);
    };
    const id = encodeURIComponent('a/b ü');
    const rows: [string, string][] = [
      ['/api/', '/'],
      ['/api/upstreams', '/upstreams'],
      ['/api/upstreams?list=1', '/upstreams'],
      [`/api/upstreams/${id}`, '/upstreams/{upstream_id}'],
      [`/api/upstreams/${id}/streams`, '/upstreams/{upstream_id}/streams'],
      [`/api/upstreams/${id}/streams?list=1`, '/upstreams/{upstream_id}/streams'],
    ];
    for (const [path, documented] of rows) {
      const { status, json } = await get(path);
      assert.equal(status, 200, path);
      fits(documented, json);
    }
    assert.deepEqual((await get('/api/upstreams?list=1')).json, ['a/b ü']);
    assert.deepEqual((await get(`/api/upstreams/${id}/streams?list=1`)).json, ['x', 'y']);
    assert.equal((await get('/api/upstreams/none')).status, 404);
    assert.equal((await get('/api/no/such/route')).status, 404);
  });

  it('drops an upstream: its KMP connections are closed, its streams unpublished, others go on', async () => {
    const [video, audio, other] = [await open('u1', 'x'), await open('u1', 'y'), await open('u2')];
    for (const sender of [video, audio, other]) sender.send(audioMinf(), frameAt(0, 'a0'));
    const [first, second] = [await ingest.next(), await ingest.next()];
    await eventually(() => [first, second].every(({ messages }) => messages.some(({ type }) => type === 8)), 'media');
    const target = await running.upstream('u1');
    const dropped = [first, second].find(({ socket }) => target?.local_addr.endsWith(`:${socket.remotePort}`));
    assert.equal((await running.request('DELETE', '/read/upstreams/u1')).status, 405);
    assert.ok(!video.isClosed);
    const { status, text } = await running.request('DELETE', '/api/upstreams/u1');
    assert.deepEqual([status, text], [204, '']);
    await Promise.all([video.closed, audio.closed]);
    assert.ok(dropped !== undefined);
    await dropped.closed;
    assert.equal(dropped.commands('deleteStream').length, 2);
    assert.equal((await running.notified()).reason, 'api_delete');
    assert.deepEqual((await get('/api/upstreams?list=1')).json, ['u2']);
    assert.ok(!other.isClosed);
    assert.equal((await running.request('DELETE', '/api/upstreams/u1')).status, 404);
  });

  it('drops a KMP connection: its track drains and ends, the other track goes on, and it may come back', async () => {
    const [video, audio] = [await open('u1'), await open('u1')];
    video.send(videoMinf(), frameAt(0, 'v0', { key: true }));
    audio.send(audioMinf(), frameAt(0, 'a0'));
    const both = await running.shows(
      'u1',
      ({ streams }) => Object.keys(streams['s']?.tracks ?? {}).length === 2,
      'two tracks',
    );
    const connection = both.streams['s']?.tracks.video?.input?.connection ?? 0;
    const path = `/api/upstreams/u1/tracks/${connection}`;
    assert.equal((await running.request('DELETE', `/api/upstreams/u2/tracks/${connection}`)).status, 404);
    assert.equal((await running.request('DELETE', '/api/upstreams/u1/tracks/x1')).status, 400);
    assert.equal((await running.request('DELETE', '/api/upstreams/u1/tracks/999999')).status, 404);
    assert.equal((await running.request('DELETE', path.replace('/api/', '/read/'))).status, 405);
    assert.equal((await running.request('DELETE', path)).status, 204);
    await video.closed;
    await running.shows('u1', ({ streams }) => streams['s']?.tracks.video === undefined, 'the end of the track');
    assert.ok(!audio.isClosed);
    assert.equal((await running.request('DELETE', path)).status, 404);
    assert.equal(running.unseen, 0);
  });

  it('answers HEAD as GET without a body, OPTIONS with what is allowed, and 405 to the rest', async () => {
    const [head, whole] = [await running.request('HEAD', '/read/'), await get('/read/')];
    assert.deepEqual([head.status, head.text], [200, '']);
    assert.equal(head.headers['content-type'], whole.headers['content-type']);
    assert.equal((await running.request('OPTIONS', '/read/')).headers['allow'], 'GET, HEAD, OPTIONS');
    for (const method of ['POST', 'PUT', 'PATCH', 'DELETE']) {
      assert.equal((await running.request(method, '/read/upstreams')).status, 405, method);
    }
  });

  it('shows a thousand upstreams, each with its own', async () => {
    const COUNT = 1000;
    await running.close();
    running = await RunningService.start({ media: 'kmp_rtmp_out_timeout 1h; kmp_rtmp_in_read_timeout 1h;' });
    // Nobody answers: what is shown does not depend on servers.
    ingest.script = { stallAt: 'nothing' };
    const { port } = ingest;
    for (let i = 0; i < COUNT; i += 50) {
      const batch = await Promise.all(
        Array.from({ length: 50 }, (_, k) =>
          KmpSender.open(running.kmpPort, { upstream_id: `u${i + k}`, url: `rtmp://127.0.0.1:${port}/app/s${i + k}` }),
        ),
      );
      for (const sender of batch) sender.send(audioMinf(), frameAt(0, 'a'));
      senders.push(...batch);
    }
    const giveUp = performance.now() + 60_000;
    let ids: string[] = [];
    while (ids.length < COUNT && performance.now() < giveUp) {
      ids = (await get('/api/upstreams?list=1')).json as string[];
    }
    assert.equal(new Set(ids).size, COUNT);
    const { upstreams } = await running.status();
    for (const [id, { url, streams }] of Object.entries(upstreams)) {
      const name = `s${id.slice(1)}`;
      assert.ok(url.endsWith(`/${name}`), `${id} ${url}`);
      assert.deepEqual(Object.keys(streams), [name]);
    }
  });
});

/** All of `expected` is in `actual`, with the same values; more may be. */
function contains(actual: unknown, expected: unknown, at = 'upstream'): void {
  if (typeof expected !== 'object' || expected === null) {
    assert.deepEqual(actual, expected, at);
    return;
  }
  assert.ok(typeof actual === 'object' && actual !== null, at);
  for (const [key, value] of Object.entries(expected)) {
    assert.ok(Object.hasOwn(actual, key), `${at}.${key} is missing`);
    contains(Reflect.get(actual, key), value, `${at}.${key}`);
  }
}
