import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import { after, describe, it } from 'node:test';
import express from 'express';
import { sort } from '../../lib/api/status/public/data/order.js';
import { Times } from '../../lib/api/status/public/data/series.js';
import { Upstream } from '../../lib/api/status/public/data/upstream.js';
import { upstreamInfo, upstreamNumbers } from '../../lib/api/status/rows.js';
import { rowsOf } from '../../lib/cli/top/rows.js';
import { Screen } from '../../lib/cli/top/screen.js';
import { readFailed, readStatus, type ServiceSample } from '../../lib/cli/top/status.js';
import { Folder, kmpRtmp, Run } from '../support/process/cli.js';
import { FakeClock } from '../support/time/fake-clock.js';
import { FakeKeyboard, FakeTerminal } from '../support/process/fake-terminal.js';
import { serve } from '../support/network/http.js';
import { connect, packet, videoFields } from '../support/kmp/kmp-bytes.js';
import { sampleUpstream } from '../support/management/memory-management.js';

interface Numbers {
  readonly received?: number;
  readonly frames?: number;
  readonly sent?: number;
  readonly connection?: number;
  readonly inputUptime?: number;
  readonly state?: string;
  readonly dropped?: number;
  readonly delay?: number;
}

/** An upstream with one video track, as the API shows it. */
function upstream(numbers: Numbers = {}): object {
  const { received = 0, frames = 0, sent = 0, connection = 1, inputUptime = 60 } = numbers;
  const { state = 'publishing', dropped = 0, delay = 512 } = numbers;
  const input = { connection, uptime: inputUptime, received_bytes: received, received_frames: frames };
  const video = { pending_frames: 0, mem_used: 0, dropped_frames: dropped, delay, input };
  return {
    url: 'rtmp://h/a/s',
    mem_limit: 16_777_216,
    mem_left: 8_388_608,
    sent_bytes: sent,
    state,
    reconnects: 2,
    last_status: { level: 'status', code: 'NetStream.Publish.Start', description: '' },
    streams: { s: { id: 1, uptime: 5, tracks: { video } } },
  };
}

function answer(upstreams: Record<string, object>): object {
  return { version: '0.1.0', pid: 42, uptime: 3725, upstreams };
}

function sample(at: number, upstreams: Record<string, object>): ServiceSample {
  const read = readStatus(answer(upstreams), at);
  assert.ok(read !== undefined);
  return read;
}

describe('the rows of top', () => {
  it('rates come from two samples: 250000 bytes in 2 s are 1 Mbit/s', () => {
    const before = sample(1000, { u: upstream({ received: 1_000_000, frames: 300, sent: 900_000 }) });
    const now = sample(3000, { u: upstream({ received: 1_250_000, frames: 360, sent: 1_025_000 }) });
    const [row] = rowsOf(now, before);
    assert.deepEqual([row?.bitsIn, row?.bitsOut, row?.framesPerSecond], [1_000_000, 500_000, 30]);
    const [first] = rowsOf(before, undefined);
    assert.deepEqual([first?.bitsIn, first?.bitsOut, first?.framesPerSecond], [undefined, undefined, undefined]);
  });

  it('a sender that has reconnected counts from its own start, and so does a connection that was opened again', () => {
    const before = sample(0, { u: upstream({ received: 9_000_000, frames: 900, sent: 5_000_000 }) });
    const now = sample(1000, {
      u: upstream({ received: 1000, frames: 10, sent: 2000, connection: 2, inputUptime: 1 }),
    });
    const [row] = rowsOf(now, before);
    assert.deepEqual([row?.bitsIn, row?.bitsOut, row?.framesPerSecond], [8000, 16_000, 10]);
  });

  it('faults come first, then the highest bit rate; other orders are the bit rate alone, and the ids', () => {
    const ids = ['a', 'b', 'c', 'silent', 'ends', 'begins', 'broken'];
    const before = sample(0, Object.fromEntries(ids.map((id) => [id, upstream()])));
    const now = sample(1000, {
      a: upstream({ received: 10, sent: 10 }),
      b: upstream({ received: 30, sent: 30 }),
      c: upstream({ received: 20, sent: 20 }),
      silent: upstream({ sent: 5 }),
      ends: upstream({ state: 'closing' }),
      begins: upstream({ state: 'handshaking', received: 50 }),
      broken: upstream({ state: 'reconnecting', received: 40 }),
    });
    const order = (...by: [('state' | 'rate' | 'id')?]): string =>
      rowsOf(now, before, ...by)
        .map(({ id }) => id)
        .join(' ');
    assert.equal(order(), 'broken begins silent ends b c a');
    assert.equal(order('rate'), 'begins broken b c a silent ends');
    assert.equal(order('id'), 'a b begins broken c ends silent');
    assert.deepEqual(
      rowsOf(now, before)
        .filter(({ silent }) => silent)
        .map(({ id }) => id),
      ['silent'],
    );
    // Too short a time to say.
    assert.ok(rowsOf({ ...now, at: 300 }, before).every(({ silent }) => !silent));
  });

  it('the order is that of the status page, also for states such as connecting and disabled', () => {
    const states = ['publishing', 'closing', 'disabled', 'handshaking', 'degraded', 'waiting', 'input_lost'] as const;
    const now = sample(0, Object.fromEntries(states.map((state) => [state, upstream({ state })])));
    const page = states.map((state) => {
      const one = sampleUpstream({ state });
      return new Upstream(
        { key: 0, info: upstreamInfo(state, one), uptime: 1, numbers: upstreamNumbers(one) },
        0,
        new Times(),
      );
    });
    const expected = ['input_lost', 'waiting', 'degraded', 'handshaking', 'disabled', 'closing', 'publishing'];
    assert.deepEqual(
      rowsOf(now, undefined).map(({ id }) => id),
      expected,
    );
    assert.deepEqual(
      sort(page, { column: 'state', direction: 'ascending' }).map(({ info }) => info.id),
      expected,
    );
  });

  it('of what is degraded or gets no media, why and for how long', () => {
    const degraded = { reason: 'lag', message: 'the server is 9 s behind', age: 3 };
    const [row] = rowsOf(sample(0, { u: { ...upstream({ state: 'degraded' }), degraded } }), undefined);
    assert.equal(row?.lastStatus, 'for 3 s: the server is 9 s behind');
    const [stalled] = rowsOf(
      sample(0, { u: { ...upstream({ state: 'input_stalled' }), input_stalled: 12 } }),
      undefined,
    );
    assert.equal(stalled?.lastStatus, 'for 12 s: a sender is connected but sends no frames');
    const [lost] = rowsOf(sample(0, { u: upstream({ state: 'input_lost' }) }), undefined);
    assert.equal(lost?.lastStatus, 'no media arrives; the stream stays published');
  });

  it('of what reconnects, why it does; of others, what the server last said', () => {
    const last_error = { reason: 'handshake_failed', message: 'could not connect', age: 3 };
    const now = sample(0, {
      broken: { ...upstream({ state: 'reconnecting' }), last_error },
      mended: { ...upstream(), last_error },
    });
    assert.deepEqual(
      rowsOf(now, undefined).map(({ lastStatus }) => lastStatus),
      ['handshake_failed: could not connect', 'NetStream.Publish.Start'],
    );
  });

  it('of what waits for its destination, or reconnects, when the next attempt is', () => {
    const last_error = { reason: 'handshake_failed', message: 'could not connect', age: 3 };
    const waits = (state: string, more: object = {}) => ({ ...upstream({ state }), last_error, ...more });
    const now = sample(0, {
      a: waits('reconnecting', { next_attempt: 7 }),
      b: waits('waiting', { next_attempt: 0 }),
      c: waits('waiting', { next_attempt: 12, last_error: null, last_status: null }),
      d: waits('publishing', { next_attempt: null }),
    });
    assert.deepEqual(
      rowsOf(now, undefined).map(({ id, lastStatus }) => [id, lastStatus]),
      [
        ['a', 'next attempt in 7 s: handshake_failed: could not connect'],
        ['b', 'next attempt in 0 s: handshake_failed: could not connect'],
        ['c', 'next attempt in 12 s'],
        ['d', 'NetStream.Publish.Start'],
      ],
    );
  });

  it('of upstreams that have failed, since when, how often and why, on top of all', () => {
    const closed = (upstream_id: string, more: object = {}): object => ({
      upstream_id,
      reason: 'publish_rejected',
      message: 'the server says: NetStream.Publish.Denied: no',
      advice: 'The server refused the key: check it at the platform.',
      failed: true,
      since: '2026-11-28T02:13:01.000Z',
      count: 12,
      lost: { dropped_frames: 4, unacked_frames: 2 },
      live_again_at: null,
      ...more,
    });
    const failed = readFailed([
      closed('gone'),
      closed('gone', { reason: 'recv_failed' }),
      closed('again'),
      closed('late', { reason: 'resolve_failed', count: 1 }),
      closed('well', { live_again_at: '2026-11-28T02:20:00.000Z' }),
      closed('over', { failed: false, reason: 'done' }),
      { odd: 1 },
      7,
    ]);
    const at = new Date('2026-11-28T02:13:01.000Z').toTimeString().slice(0, 8);
    const now = { ...sample(0, { fine: upstream(), again: upstream({ state: 'connecting' }) }), failed };
    const words =
      'the server says: NetStream.Publish.Denied: no. The server refused the key: check it at the platform.';
    assert.deepEqual(
      rowsOf(now, undefined).map(({ id, state, lastStatus }) => [id, state, lastStatus]),
      [
        ['again', 'refused', `12 times since ${at}, now connecting: publish_rejected: ${words}`],
        ['gone', 'refused', `12 times since ${at}: publish_rejected: ${words}`],
        ['late', 'failed', `since ${at}: resolve_failed: ${words}`],
        ['fine', 'publishing', 'NetStream.Publish.Start'],
      ],
    );
    assert.deepEqual(readFailed({ error: 'not_found' }), [], 'the module has no such record');
  });

  it('fields that are missing or of another type do not bring it down', () => {
    const odd = {
      version: 5,
      upstreams: { x: { streams: { s: { tracks: { video: { input: null } } } } }, y: 7, z: {} },
    };
    const read = readStatus(odd, 0);
    assert.ok(read !== undefined);
    assert.deepEqual(
      rowsOf(read, undefined).map(({ id, tracks }) => [id, tracks]),
      [
        ['x', 1],
        ['z', 0],
      ],
    );
    for (const none of [null, [], 'x', {}, { upstreams: [] }]) assert.equal(readStatus(none, 0), undefined);
  });
});

describe('the screen of top', () => {
  function view(upstreams: Record<string, object> = {}, columns = 140, rows = 20) {
    const output = new FakeTerminal(columns, rows);
    const input = new FakeKeyboard();
    const clock = new FakeClock();
    const state: { upstreams: Record<string, object>; failure?: string; failedUnknown?: string } = { upstreams };
    const read = async (): Promise<ServiceSample> => {
      if (state.failure !== undefined) throw new Error(state.failure);
      const { failedUnknown } = state;
      return Promise.resolve({ ...sample(clock.now(), state.upstreams), ...(failedUnknown && { failedUnknown }) });
    };
    const screen = new Screen({ output, input, clock, interval: 1000, sample: read, colors: true });
    /** Lets one interval pass, and the answer come in. */
    const next = async (): Promise<void> => {
      clock.advance(1000);
      await new Promise((resolve) => setImmediate(resolve));
    };
    return { output, input, state, screen, next, run: screen.run(), settle: () => new Promise(setImmediate) };
  }

  it('shows upstreams with their figures, and follows them', async () => {
    const { output, input, state, run, next, settle } = view({ live1: upstream({ received: 0, dropped: 7 }) });
    await settle();
    assert.equal(output.away && input.raw && input.reading, true);
    assert.match(output.lines[0] ?? '', /^kmp-rtmp 0\.1\.0 {2}pid 42 {2}up 1h 02m {2}1 upstream {2}in - {2}out -$/);
    state.upstreams = { live1: upstream({ received: 500_000, frames: 25, sent: 125_000, dropped: 7 }) };
    await next();
    assert.match(output.lines[0] ?? '', /in 4\.00 Mbit\/s {2}out 1\.00 Mbit\/s/);
    assert.match(output.lines[2] ?? '', /^UPSTREAM +STATE +TRACKS +IN +OUT +FPS +DELAY +MEMORY +DROPS +RECONN/);
    assert.match(
      output.lines[3] ?? '',
      /^live1 +publishing +1 +4\.00 Mbit\/s +1\.00 Mbit\/s +25\.0 +512 ms +8\.0 MiB 50% +7 +2 +NetStream\.Publish\.Start/,
    );
    state.upstreams = {};
    await next();
    assert.doesNotMatch(output.lines.join('\n'), /live1/);
    input.press('q');
    await run;
  });

  for (const keys of ['q', '\u0003']) {
    it(`${JSON.stringify(keys)} ends it, and leaves the terminal as it was`, async () => {
      const { output, input, run, settle } = view();
      await settle();
      input.press(keys);
      await run;
      assert.deepEqual([output.away, output.cursor, input.raw, input.reading], [false, true, false, false]);
      assert.equal(output.listenerCount('resize') + input.listenerCount('data'), 0);
    });
  }

  it('an answer after the end is not drawn over the shell', async () => {
    const { output, input, run } = view();
    input.press('q');
    await run;
    const before = output.lines;
    await new Promise(setImmediate);
    assert.deepEqual(output.lines, before);
  });

  it('fits the terminal, also after that was resized, and scrolls', async () => {
    const many = Array.from({ length: 30 }, (_, i) => [`u${String(i).padStart(2, '0')}`, upstream()]);
    const { output, input, run, settle } = view(Object.fromEntries(many) as Record<string, object>, 140, 10);
    await settle();
    assert.match(output.lines[3] ?? '', /^u00 /);
    assert.match(output.lines[9] ?? '', /^1 to 6 of 30/);
    output.resize(40, 8);
    assert.match(output.lines[7] ?? '', /^1 to 4 of 30/);
    input.press('\u001b[B');
    assert.match(output.lines[3] ?? '', /^u01 /);
    input.press('\u001b[6~');
    assert.match(output.lines[3] ?? '', /^u05 /);
    for (let i = 0; i < 20; i++) input.press('\u001b[6~');
    assert.match(output.lines[6] ?? '', /^u29 /);
    input.press('q');
    await run;
  });

  it('says what is not as it should be above the table, shows it first, and takes another order by a key', async () => {
    const all = { a: upstream(), b: upstream({ state: 'reconnecting' }), c: upstream() };
    const { output, input, state, run, next, settle } = view(all, 140, 8);
    await settle();
    state.upstreams = { a: upstream({ received: 1000 }), b: upstream({ state: 'reconnecting' }), c: upstream() };
    await next();
    assert.match(output.lines[0] ?? '', / 3 upstreams \(1 reconnecting, 1 without input\) /);
    const shown = (): string[] => output.lines.slice(3, 6).map((line) => line.slice(0, 1));
    assert.deepEqual(shown(), ['b', 'c', 'a']);
    assert.match(output.lines[6] ?? '', /^by state \(s: another order\), q quits/);
    input.press('s');
    assert.deepEqual(shown(), ['a', 'b', 'c']);
    assert.match(output.lines[6] ?? '', /^by rate/);
    input.press('s');
    assert.match(output.lines[6] ?? '', /^by id/);
    input.press('s');
    assert.deepEqual(shown(), ['b', 'c', 'a']);
    input.press('q');
    await run;
  });

  it('what senders and servers say cannot reach the terminal as a control sequence', async () => {
    const evil = '\u001b[2J\u001b]0;title\u0007\u009b31m\r\n\u202e';
    const said = { ...upstream({ state: `publishing${evil}` }), last_status: { code: evil, description: evil } };
    const { output, input, run, settle } = view({ [`id${evil}`]: said }, 200);
    await settle();
    const shown = output.lines.join('\n');
    assert.match(shown, /id\\u001b\[2J/);
    assert.match(shown, /publishing\\u001b/);
    input.press('q');
    await run;
  });

  it('wide characters and combined ones keep the columns straight', async () => {
    const { output, input, run, settle } = view({ 東京: upstream(), 'cafe\u0301': upstream(), plain: upstream() });
    await settle();
    const at = output.lines
      .filter((line) => line.includes('publishing'))
      .map((line) => line.replaceAll('\u0301', '').indexOf('publishing'));
    assert.equal(at.length, 3);
    assert.equal(new Set(at).size, 1, output.lines.join('\n'));
    input.press('q');
    await run;
  });

  it('says when the API does not answer, and goes on when it does again', async () => {
    const { output, input, state, run, next, settle } = view({ u1: upstream() });
    await settle();
    state.failure = 'no answer: \u001b[2J';
    await next();
    assert.match(output.lines[1] ?? '', /^no answer: \\u001b/);
    assert.match(output.lines[3] ?? '', /^u1 /, 'what was known stays');
    delete state.failure;
    await next();
    assert.equal(output.lines[1], '');
    state.failedUnknown = 'no record: \u001b[2J';
    await next();
    assert.match(output.lines[1] ?? '', /^the failed upstreams are not known: no record: \\u001b/);
    input.press('q');
    await run;
  });
});

describe('kmp-rtmp top --once', () => {
  const folder = new Folder();
  after(() => folder.remove());

  it('prints a table of a running service', async () => {
    const file = folder.file(
      'kmp.conf',
      `stream { server { listen 127.0.0.1:0; kmp_rtmp; } }
       http { server { listen 127.0.0.1:0; location /api/ { kmp_rtmp_api; } } }`,
    );
    const run = new Run(['-c', file]);
    const [, kmp = ''] = await run.says(/takes KMP on 127\.0\.0\.1:(\d+)/);
    const [, http = ''] = await run.says(/answers HTTP on (http:\/\/127\.0\.0\.1:\d+)/);
    const ingest = net.createServer((socket) => socket.on('error', () => {}).resume()).listen(0, '127.0.0.1');
    await once(ingest, 'listening');
    const sender = net.connect(Number(kmp), '127.0.0.1');
    const { port } = ingest.address() as net.AddressInfo;
    sender.write(connect({ upstream_id: 'channel-7', url: `rtmp://127.0.0.1:${port}/live/s3cretkey` }));
    sender.write(packet('minf', videoFields()));
    await once(ingest, 'connection');

    const { code, stdout, stderr } = await kmpRtmp(['top', '--once', '-i', '100ms', '--api', `${http}/api/`]);
    assert.deepEqual({ code, stderr }, { code: 0, stderr: '' });
    const lines = stdout.split('\n');
    assert.match(lines[0] ?? '', new RegExp(`^kmp-rtmp \\S+ {2}pid ${run.pid} .* 1 upstream `));
    assert.match(lines[2] ?? '', /^channel-7 +handshaking +1 /);
    assert.doesNotMatch(stdout, /s3cretkey/);
    // eslint-disable-next-line no-control-regex
    assert.doesNotMatch(stdout, /\u001b/);
    sender.destroy();
    run.kill('SIGKILL');
    ingest.close();
  });

  it('says why the failed upstreams are not known', async () => {
    const { port, close } = await serve(
      express()
        .get('/api/', (_, res) => void res.json(answer({})))
        .get('/api/closed', (_, res) => void res.status(500).json({}))
        .get('/module/', (_, res) => void res.json(answer({}))),
    );
    const run = (path: string): ReturnType<typeof kmpRtmp> =>
      kmpRtmp(['top', '--once', '-i', '100ms', '--api', `http://127.0.0.1:${port}${path}`]);
    const [{ code, stdout }, module] = [await run('/api/'), await run('/module/')];
    await close();
    assert.equal(code, 0);
    const why = `http://127.0.0.1:${port}/api/closed?limit=1000 answers 500: the API does not work as it should`;
    assert.deepEqual(stdout.split('\n').slice(1), [`the failed upstreams are not known: ${why}`, '']);
    assert.doesNotMatch(module.stdout, /not known/, 'a service without this record answers 404');
  });

  it('takes user and password from the address, and never prints them', async () => {
    const { port, close } = await serve(
      express().get('/api/', (req, res) => {
        const isKnown = req.headers.authorization === `Basic ${Buffer.from('me:hunter22').toString('base64')}`;
        if (isKnown) res.json(answer({}));
        else res.status(401).json({});
      }),
    );
    const run = (login: string): ReturnType<typeof kmpRtmp> =>
      kmpRtmp(['top', '--once', '-i', '100ms', '--api', `http://${login}@127.0.0.1:${port}/api/`]);
    const [{ stdout }, { stderr }] = [await run('me:hunter22'), await run('me:hunter33')];
    await close();
    assert.match(stdout, /0 upstreams/);
    assert.match(stderr, /127\.0\.0\.1:\d+\/api\/ answers 401/);
    assert.doesNotMatch(stderr, /hunter33/);
  });

  it('sends the token, and says what is wrong without it', async () => {
    const app = express().get('/api/', (req, res) => {
      if (req.headers.authorization === 'Bearer t0ken') res.json(answer({}));
      else res.status(401).json({});
    });
    const server = await serve(app);
    const api = `http://127.0.0.1:${server.port}/api/`;
    const args = ['top', '--once', '-i', '100ms', '--api'];
    assert.match((await kmpRtmp([...args, api, '--token', 't0ken'])).stdout, /0 upstreams/);
    assert.equal((await kmpRtmp([...args, api], { KMP_RTMP_API_TOKEN: 't0ken' })).code, 0);
    const without = await kmpRtmp([...args, api]);
    assert.equal(without.code, 1);
    assert.match(without.stderr, /^kmp-rtmp: .*answers 401: the API needs a token.*\n$/);
    const elsewhere = await kmpRtmp([...args, `http://127.0.0.1:${server.port}/other/`]);
    assert.match(elsewhere.stderr, /^kmp-rtmp: .*answers 404: .*--api.*\n$/);
    await server.close();
    const gone = await kmpRtmp([...args, api]);
    assert.equal(gone.code, 1);
    assert.match(gone.stderr, /^kmp-rtmp: no answer from .*: nothing listens there.*\n$/);
  });
});
