import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import type { Socket } from 'node:net';
import { Folder, kmpRtmp, Run } from '../../support/process/cli.js';
import { eventually } from '../../support/time/eventually.js';
import { hex } from '../../support/values/bytes.js';
import { httpTarget, type HttpTarget } from '../../support/network/http-target.js';
import { KmpPeer } from '../../support/kmp/kmp-peer.js';
import { RawPublisher } from '../../support/rtmp/raw-publisher.js';
import { serverTls } from '../../support/network/tls-fixture.js';

describe('kmp-rtmp ingest', () => {
  let peer: KmpPeer;
  let controller: HttpTarget;
  let folder: Folder;
  const runs: Run[] = [];
  beforeEach(async () => {
    folder = new Folder();
    peer = await KmpPeer.listen();
    peer.onConnection = (connection) => connection.socket.on('end', () => connection.socket.end());
    controller = await httpTarget((socket, { body }) => {
      const { event_type: event } = JSON.parse(body) as { event_type: string };
      const upstreams = [{ id: 'u1', url: `kmp://127.0.0.1:${peer.port}`, connect_data: '' }];
      answer(socket, {
        code: 'ok',
        message: 'ok',
        ...(event === 'publish' ? { channel_id: 'c', track_id: 't', upstreams } : {}),
      });
    });
  });
  afterEach(async () => {
    for (const run of runs.splice(0)) {
      run.kill('SIGKILL');
      await run.ended;
    }
    await peer.close();
    await controller.close();
    folder.remove();
  });

  function answer(socket: Socket, body: object): void {
    const text = JSON.stringify(body);
    socket.end(`HTTP/1.1 200 OK\r\nContent-Length: ${text.length}\r\n\r\n${text}`);
  }

  async function start(...args: string[]): Promise<{ run: Run; port: number }> {
    const run = new Run(['ingest', '--listen', '127.0.0.1:0', '--control', controller.url, ...args]);
    runs.push(run);
    const [, port] = await run.says(/takes RTMPS? on 127\.0\.0\.1:(\d+)/);
    return { run, port: Number(port) };
  }

  const events = (): unknown[] =>
    controller.requests.map(({ body }) => (JSON.parse(body) as { event_type: string }).event_type);

  it('asks the controller, sends the stream over KMP, and ends it in order on SIGTERM', async () => {
    const { run, port } = await start('--control-header', 'X-Token: t1');
    const publisher = await RawPublisher.publish(port, 'live', 'cam');
    publisher.send({ type: 8, streamId: 1, payload: hex('af001210') });
    publisher.send({ type: 8, streamId: 1, payload: hex('af01 aabb') });
    const connection = await peer.connection(0);
    await connection.saw('fram');
    assert.deepEqual(connection.frames, [hex('aabb')]);
    assert.match(controller.requests[0]?.head ?? '', /^x-token: t1$/im);
    connection.ack(connection.initialFrameId + 1n);
    run.kill('SIGTERM');
    await connection.saw('eost');
    connection.socket.end();
    const { code } = await run.ended;
    assert.equal(code, 0);
    assert.ok(publisher.isClosed);
    assert.deepEqual(events(), ['connect', 'publish', 'unpublish']);
  });

  it('guards publishing by the keys of a file, and takes rtmps', async () => {
    const files = [
      '--tls-cert',
      folder.file('cert.pem', serverTls.cert),
      '--tls-key',
      folder.file('key.pem', serverTls.key),
    ];
    const { run, port } = await start('--key-file', folder.file('keys', '# keys\ncam:long-enough\n'), ...files);
    const publisher = await RawPublisher.greet(port, true);
    publisher.command(0, 'connect', 1, { app: 'live' });
    publisher.command(0, 'createStream', 2, null);
    publisher.command(1, 'publish', 3, null, 'cam?key=wrong-one', 'live');
    await publisher.closed();
    const info = publisher.commands().at(-1)?.[3] as { code: string; description: string };
    assert.equal(info.code, 'NetStream.Publish.Denied');
    assert.match(info.description, /wrong or missing key/);
    await run.says(/publish refused: the key is missing or wrong/);
    await eventually(() => events().length === 1, 'the one question');
  });

  it('says what is wrong with what it was given', async () => {
    const rows: [string[], RegExp][] = [
      [['--listen', '0.0.0.0:1'], /everyone who reaches 0\.0\.0\.0 could publish; give --key KEY/],
      [['--listen', '127.example.invalid:1'], /everyone who reaches 127\.example\.invalid could publish/],
      [['--key', 'short'], /a publish key needs at least 8/],
      [['--key-file', '/nowhere/keys'], /\/nowhere\/keys cannot be read: the file does not exist/],
      [['--key-file', folder.file('empty', '# none\n')], /empty contains no key/],
      [['--tls-cert', 'x.pem'], /--tls-cert and --tls-key belong together/],
      [
        ['--tls-cert', folder.file('a.pem', 'x'), '--tls-key', folder.file('b.pem', 'y')],
        /a\.pem and \S*b\.pem are no certificate with its private key/,
      ],
      [['--control', 'nowhere'], /the controller's address nowhere is not http:\/\/HOST:PORT\/PATH/],
      [['--control-header', 'x'], /a header \(--control-header, .*must be "Name: value"/],
      [['--mem-limit', '1k'], /from 1m on/],
      [
        ['--listen', `127.0.0.1:${peer.port}`],
        /cannot listen on 127\.0\.0\.1:\d+: another process already listens there/,
      ],
      [['cam'], /too many arguments/],
    ];
    for (const [args, expected] of rows) {
      const { code, stderr } = await kmpRtmp(['ingest', ...args]);
      assert.equal(code, 1, args.join(' '));
      assert.match(stderr, expected, args.join(' '));
    }
  });
});
