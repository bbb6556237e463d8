import { afterEach, beforeEach, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { HttpController } from '../../lib/relay/http-controller.js';
import type { InputFields, TrackFields } from '../../lib/relay/controller.js';
import { hex } from '../support/values/bytes.js';
import { eventually } from '../support/time/eventually.js';
import { FakeClock } from '../support/time/fake-clock.js';
import { httpTarget, reply, type HttpTarget } from '../support/network/http-target.js';

const input: InputFields = {
  ...{ app: 'live', flashVer: 'FMLE/3.0', swfUrl: 's', tcUrl: 'rtmp://ingest/live', pageUrl: 'p' },
  ...{ address: '192.0.2.1', connection: 7 },
};
const track: TrackFields = {
  ...{ input, name: 'cam', args: 'x=1', publishType: 'live' },
  info: {
    ...{ mediaType: 'video', codecId: 7, timescale: 90000, bitrate: 1000, extraData: hex('0164'), ceaCaptions: 0 },
    ...{ width: 1280, height: 720, frameRateNum: 30000, frameRateDenom: 1001 },
  },
};
const ids = { channelId: 'ch', trackId: 'v1' };

describe('HttpController', () => {
  let target: HttpTarget;
  let answer: (socket: Socket) => void;
  let clock: FakeClock;
  beforeEach(async () => {
    clock = new FakeClock();
    target = await httpTarget((socket) => answer(socket));
  });
  afterEach(() => target.close());

  const json = (body: object | string) => (socket: Socket) => {
    const text = typeof body === 'string' ? body : JSON.stringify(body);
    const head = `HTTP/1.1 200 OK\r\nContent-Length: ${Buffer.byteLength(text)}\r\nConnection: close\r\n\r\n`;
    socket.end(head + text);
  };
  const make = (options: object = {}): HttpController => new HttpController({ url: target.url, clock, ...options });
  const bodies = (): unknown[] => target.requests.map(({ body }) => JSON.parse(body));
  const upstream = { id: 'u1', url: 'kmp://192.0.2.7:8005', connect_data: Buffer.from('{"a":1}').toString('base64') };
  const published = { code: 'ok', message: 'ok', channel_id: 'ch', track_id: 'v1', upstreams: [upstream] };

  it('asks as nginx-kmp-out does, and reads the answers', async () => {
    answer = json({ code: 'ok', message: 'ok' });
    await make().connect(input);
    answer = json(published);
    assert.deepEqual(await make().publish(track), {
      ...ids,
      upstreams: [{ host: '192.0.2.7', port: 8005, connectData: Buffer.from('{"a":1}'), id: 'u1', required: true }],
    });
    answer = json({ code: 'ok', message: 'ok', url: 'kmp://[2001:db8::1]:8006' });
    assert.deepEqual(await make().republish(track, ids, 'u1'), { host: '2001:db8::1', port: 8006 });
    answer = json({ code: 'ok', message: 'ok' });
    await make().unpublish(track, 'rtmp_close');
    const rtmp = {
      ...{ app: 'live', flashver: 'FMLE/3.0', swf_url: 's', tc_url: 'rtmp://ingest/live', page_url: 'p' },
      ...{ addr: '192.0.2.1', connection: 7 },
    };
    const common = { input_type: 'rtmp', rtmp: { ...rtmp, name: 'cam', type: 'live', args: 'x=1' } };
    const media_info = {
      ...{ media_type: 'video', bitrate: 1000, codec_id: 7, extra_data: '0164', width: 1280, height: 720 },
      ...{ frame_rate: 30000 / 1001, cea_captions: false },
    };
    const input_id = 'rtmp://ingest/live/cam/video';
    assert.deepEqual(bodies(), [
      { event_type: 'connect', input_type: 'rtmp', rtmp },
      { event_type: 'publish', input_id, ...common, media_info },
      { event_type: 'republish', id: 'u1', input_id, channel_id: 'ch', track_id: 'v1', ...common, media_info },
      { event_type: 'unpublish', input_id, reason: 'rtmp_close', ...common },
    ]);
  });

  it('sends headers, and the user and the password of the address', async () => {
    answer = json({ code: 'ok', message: 'ok' });
    const url = target.url.replace('//', '//ann:p%40ss@');
    await new HttpController({ url, clock, headers: [['X-Token', 't1']] }).connect(input);
    const head = target.requests[0]?.head ?? '';
    assert.match(head, /^x-token: t1$/im);
    assert.match(head, new RegExp(`^authorization: Basic ${Buffer.from('ann:p@ss').toString('base64')}$`, 'im'));
    assert.throws(() => new HttpController({ url: 'ftp://x/', clock }), { code: 'control_url' });
  });

  it('takes a password with a percent sign as it is, and shows none in an error', async () => {
    answer = json({ code: 'ok', message: 'ok' });
    await new HttpController({ url: target.url.replace('//', '//us%er%40:pw%zz@'), clock }).connect(input);
    const basic = Buffer.from('us%er@:pw%zz').toString('base64');
    assert.match(target.requests[0]?.head ?? '', new RegExp(`^authorization: Basic ${basic}$`, 'im'));
    assert.throws(() => new HttpController({ url: 'ftp://user:hunter22@192.0.2.1/', clock }), {
      code: 'control_url',
      message: "the controller's address ftp://***@192.0.2.1/ is not http://HOST:PORT/PATH",
    });
  });

  it('asks no more once it is cancelled, also in the pause between two attempts', async () => {
    answer = (socket) => reply(socket, 503);
    const abort = new AbortController();
    const result = make({ signal: abort.signal }).publish(track);
    await eventually(() => target.requests.length === 1 && clock.untilNext === 2000, 'the first attempt');
    abort.abort();
    // The clock stands still: the pause itself ends.
    await assert.rejects(result, /the controller answered with HTTP status 503/);
    assert.equal(target.requests.length, 1);
  });

  it('asks nothing about a connection if that is off', async () => {
    await make({ askConnect: false }).connect(input);
    assert.equal(target.requests.length, 0);
  });

  it('takes a refusal as final', async () => {
    answer = json({ code: 'error', message: 'no route' });
    await assert.rejects(make().publish(track), {
      code: 'control_refused',
      message: 'the controller refuses: no route',
    });
    assert.equal(target.requests.length, 1);
  });

  it('tries again after failures, and takes the first good answer', async () => {
    const answers = [
      (socket: Socket) => reply(socket, 500),
      (socket: Socket) => socket.destroy(),
      json('no JSON'),
      json({ ...published, upstreams: [{ ...upstream, url: 'kmp://nowhere' }] }),
      json({ ...published, channel_id: 'x'.repeat(33) }),
      json(published),
    ];
    answer = (socket) => answers[target.requests.length - 1]?.(socket);
    const result = make().publish(track);
    for (let n = 1; n < answers.length; n++) {
      await eventually(() => target.requests.length === n && clock.untilNext === 2000, `attempt ${n}`);
      clock.advance(2000);
    }
    assert.equal((await result).upstreams.length, 1);
  });

  it('gives up after six attempts, and says what was wrong', async () => {
    answer = (socket) => reply(socket, 503);
    const result = assert.rejects(make().publish(track), /the controller answered with HTTP status 503/);
    for (let n = 1; n < 6; n++) {
      await eventually(() => target.requests.length === n && clock.untilNext === 2000, `attempt ${n}`);
      clock.advance(2000);
    }
    await result;
    assert.equal(target.requests.length, 6);
  });

  it('waits 20 s for an answer', async () => {
    answer = () => undefined;
    const result = assert.rejects(make().unpublish(track, 'x'), /did not answer within 20 s/);
    await eventually(() => target.requests.length === 1, 'the request');
    clock.advance(20_000);
    await result;
  });

  const bad: [string, object, RegExp][] = [
    ['without upstreams', { ...published, upstreams: undefined }, /"upstreams" is not an array/],
    ['with too many', { ...published, upstreams: Array(65).fill(upstream) }, /65 upstreams/],
    ['of a wrong type', { ...published, upstreams: [{ ...upstream, required: 'yes' }] }, /"required"/],
    ['with a null', { ...published, upstreams: [null] }, /an upstream is not an object/],
    ['with a port 0', { ...published, upstreams: [{ ...upstream, url: 'kmp://1.2.3.4:0' }] }, /kmp:\/\/HOST:PORT/],
  ];
  for (const [what, body, expected] of bad) {
    it(`says what is wrong with an answer: ${what}`, async () => {
      answer = json(body);
      const abort = new AbortController();
      abort.abort();
      // An aborted signal: one attempt.
      await assert.rejects(make({ signal: abort.signal }).publish(track), expected);
    });
  }
});
