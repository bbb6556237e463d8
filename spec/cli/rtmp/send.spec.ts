import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, afterEach, beforeEach, describe, it } from 'node:test';
import { Folder, kmpRtmp, Run } from '../../support/process/cli.js';
import { eventually } from '../../support/time/eventually.js';
import { httpTarget, reply, type HttpTarget } from '../../support/network/http-target.js';
import { KmpPeer, type PeerConnection } from '../../support/kmp/kmp-peer.js';

const FOLDER = 'spec/fixtures/media';

/** Acknowledges what comes, and closes behind the end. */
function acknowledge(connection: PeerConnection): void {
  connection.socket.on('data', () => {
    if (connection.frames.length > 0) connection.ack(connection.initialFrameId + BigInt(connection.frames.length));
  });
  connection.socket.on('end', () => connection.socket.end());
}

describe('kmp-rtmp send -', () => {
  let peer: KmpPeer;
  beforeEach(async () => {
    peer = await KmpPeer.listen();
    peer.onConnection = acknowledge;
  });
  afterEach(() => peer.close());

  const target = (): string[] => [
    ...['--to', `127.0.0.1:${peer.port}`, '--upstream-id', 'u1', '--url', 'rtmp://host/app/key', '--fast'],
  ];

  for (const [name, frames] of [
    ['h264-mp3.flv', [50, 78]],
    ['hevc-opus.mkv', [60, 101]],
    ['h264-aac.mpegts', [50, 88]],
  ] as const) {
    it(`sends what comes through a pipe: ${name}`, async () => {
      const { code, stderr } = await kmpRtmp(['send', '-', ...target()], {}, readFileSync(`${FOLDER}/${name}`));
      assert.deepEqual([code, stderr], [0, '']);
      assert.deepEqual(
        peer.connections.map((connection) => connection.frames.length).sort((a, b) => a - b),
        frames,
      );
    });
  }

  it('says what is wrong with a pipe', async () => {
    const rows: [string[], Buffer, RegExp][] = [
      [['-'], Buffer.from('no media'), /standard input is none of FLV, Matroska, WebM and MPEG-TS/],
      [['-', '--loop'], Buffer.alloc(0), /a pipe can be read once/],
      [['-', '--start', '10'], Buffer.alloc(0), /a pipe is read from its beginning/],
      [['-', '-'], Buffer.alloc(0), /"-" \(standard input\) can be given once/],
    ];
    for (const [args, input, expected] of rows) {
      const { code, stderr } = await kmpRtmp(['send', ...args, ...target()], {}, input);
      assert.equal(code, 1, args.join(' '));
      assert.match(stderr, expected);
    }
    assert.equal(peer.connections.length, 0);
  });

  it('refuses an offset beyond the end of a file', async () => {
    const { code, stderr } = await kmpRtmp(['send', `${FOLDER}/h264-aac.mp4`, ...target(), '--start', '1:30']);
    assert.equal(code, 1);
    assert.match(stderr, /^kmp-rtmp: --start 1:30 is beyond the end of \S+h264-aac\.mp4, which lasts 0:02$/m);
  });
});

describe('kmp-rtmp send --control', () => {
  let peer: KmpPeer;
  let controller: HttpTarget;
  /** The upstreams that the controller names, beside the good one. */
  let others: object[];
  let refusal: string | undefined;
  /** The event that has no answer. */
  let unanswered: string | undefined;
  /** The type of media that is refused. */
  let refused: string | undefined;
  /** How many requests fail, from the first. */
  let failures: number;
  const folder = new Folder();
  after(() => folder.remove());
  beforeEach(async () => {
    [others, refusal, unanswered, refused, failures] = [[], undefined, undefined, undefined, 0];
    peer = await KmpPeer.listen();
    peer.onConnection = acknowledge;
    controller = await httpTarget((socket, { body }) => {
      const { event_type: event, media_info: media } = JSON.parse(body) as Record<string, { media_type?: string }>;
      const data = Buffer.from('{"upstream_id":"u1","url":"rtmp://h/a/s"}').toString('base64');
      const good = { id: 'u1', url: `kmp://127.0.0.1:${peer.port}`, connect_data: data, required: false };
      if (String(event) === unanswered) return;
      if (failures-- > 0) return reply(socket, 503);
      const why = String(event) === 'publish' && media?.media_type === refused ? `no ${refused}` : refusal;
      const answer =
        why !== undefined
          ? { code: 'error', message: why }
          : String(event) === 'publish'
            ? { code: 'ok', channel_id: 'ch', track_id: media?.media_type ?? '', upstreams: [good, ...others] }
            : { code: 'ok', url: `kmp://127.0.0.1:${peer.port}` };
      const text = JSON.stringify(answer);
      socket.end(`HTTP/1.1 200 OK\r\nContent-Length: ${text.length}\r\n\r\n${text}`);
    });
  });
  afterEach(async () => {
    await peer.close();
    await controller.close();
  });

  const send = (...args: string[]): ReturnType<typeof kmpRtmp> =>
    kmpRtmp(['send', `${FOLDER}/h264-aac.mp4`, '--control', controller.url, '--fast', ...args]);
  const asked = (): Record<string, unknown>[] =>
    controller.requests.map(({ body }) => JSON.parse(body) as Record<string, unknown>);

  it('asks where each track goes to, sends it there, and unpublishes at the end', async () => {
    const { code, stdout, stderr } = await send();
    assert.deepEqual([code, stderr], [0, '']);
    assert.match(stdout, /^Sending v1 H\.264, a1 AAC to where the controller says$/m);
    assert.deepEqual(
      asked().map(({ event_type: event }) => event),
      ['connect', 'publish', 'publish', 'unpublish', 'unpublish'],
    );
    const rtmp = asked()[1]?.['rtmp'] as { app: string; name: string };
    assert.deepEqual([rtmp.app, rtmp.name], ['live', 'h264-aac']);
    assert.deepEqual(
      peer.connections.map(({ frames, packets }) => [frames.length, String(packets[0]?.data)]).sort(),
      [50, 88].map((frames) => [frames, '{"upstream_id":"u1","url":"rtmp://h/a/s"}']),
    );
  });

  it('asks again when a connection breaks, and sends the rest there', async () => {
    peer.onConnection = (connection) => {
      // The first one breaks in the middle.
      if (peer.connections.length > 1) acknowledge(connection);
      else connection.socket.once('data', () => connection.socket.destroy());
    };
    const { code } = await send('--name', 'cam');
    assert.equal(code, 0);
    const events = asked().map(({ event_type: event }) => String(event));
    assert.ok(events.includes('republish'), events.join());
  });

  it('goes on without a destination that fails, if the controller says that it is not required', async () => {
    const dead = await KmpPeer.listen();
    const { port } = dead;
    await dead.close();
    others = [{ id: 'u2', url: `kmp://127.0.0.1:${port}`, connect_data: '', required: false }];
    const { code, stderr } = await send();
    assert.equal(code, 1, 'not everything was sent');
    assert.match(stderr, /warning: .*the KMP server cannot be reached/);
    assert.deepEqual(peer.connections.map(({ frames }) => frames.length).sort(), [50, 88]);
  });

  it('ends on Ctrl-C while the controller does not answer', async () => {
    unanswered = 'publish';
    const run = new Run(['send', `${FOLDER}/h264-aac.mp4`, '--control', controller.url, '--fast']);
    await eventually(() => asked().length === 2, 'the question');
    run.kill('SIGINT');
    await eventually(() => !run.running, 'the end').finally(() => run.kill('SIGKILL'));
    const { code, stderr } = await run.ended;
    assert.equal(code, 1);
    assert.match(stderr, /^kmp-rtmp: the sending was stopped before the controller had answered$/m);
    // The answer may be on its way: the controller must not keep the track.
    assert.deepEqual(
      asked().map(({ event_type: event }) => event),
      ['connect', 'publish', 'unpublish'],
    );
  });

  it('names further streams after the first file', async () => {
    const file = folder.file('my film.mp4', readFileSync(`${FOLDER}/h264-aac.mp4`));
    const { code } = await kmpRtmp(['send', file, `${FOLDER}/h264-aac.mp4`, '--control', controller.url, '--fast']);
    assert.equal(code, 0);
    const names = asked()
      .filter(({ event_type: event }) => event === 'publish')
      .map(({ rtmp }) => (rtmp as { name: string }).name);
    assert.deepEqual(names, ['my film', 'my film', 'my film_2', 'my film_2']);
  });

  it('waits for a controller that is not ready', async () => {
    failures = 1;
    const { code, stderr } = await send();
    const said = 'kmp-rtmp: warning: the controller answered with HTTP status 503; it is asked again in 2 s\n';
    assert.deepEqual([code, stderr], [0, said]);
    assert.deepEqual(
      asked().map(({ event_type: event }) => event),
      ['connect', 'connect', 'publish', 'publish', 'unpublish', 'unpublish'],
    );
  });

  it('says once what is wrong with a controller that keeps failing', async () => {
    failures = 3;
    const { code, stderr } = await send();
    assert.equal(code, 0);
    assert.equal(stderr.split('HTTP status 503').length - 1, 1, stderr);
    assert.equal(asked().length, 8);
  });

  it('unpublishes the first track if the second one is refused', async () => {
    refused = 'audio';
    const { code, stderr } = await send();
    assert.equal(code, 1);
    assert.match(stderr, /the controller refuses: no audio/);
    assert.deepEqual(
      asked().map(({ event_type: event }) => event),
      ['connect', 'publish', 'publish', 'unpublish'],
    );
    assert.match(String(asked()[3]?.['input_id']), /\/video$/);
  });

  it('refuses --secret-file before it asks the controller', async () => {
    const file = folder.file('secrets', 'studio 0123456789abcdef0123456789abcdef\n');
    const { code, stderr } = await send('--secret-file', file);
    assert.equal(code, 1);
    assert.match(stderr, /^kmp-rtmp: the controller signs its connect data: give --secret-file without --control$/m);
    assert.deepEqual(asked(), []);
  });

  it('sends nothing if the controller refuses', async () => {
    refusal = 'no kmp_rtmp_route matches the name of the input';
    const { code, stderr } = await send();
    assert.equal(code, 1);
    assert.match(stderr, /^kmp-rtmp: the controller refuses: no kmp_rtmp_route matches the name of the input$/m);
    assert.equal(peer.connections.length, 0);
    const both = await send('--url', 'rtmp://h/a/s', '--upstream-id', 'u1');
    assert.match(both.stderr, /the controller says where to publish to/);
  });
});
