import { afterEach, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import net from 'node:net';
import { readFileSync } from 'node:fs';
import { hex } from '../values/bytes.js';
import { RawPublisher } from '../rtmp/raw-publisher.js';
import { parseAmf, parseRtmp } from '../rtmp/rtmp-parse.js';
import { ScriptableIngest, type Script } from './scriptable-ingest.js';
import { serverTls } from '../network/tls-fixture.js';

const recording = readFileSync('spec/golden/data/av/expected.1.rtmp');
const hello = Buffer.concat([Buffer.of(3), Buffer.alloc(1536, 7)]);

let ingest: ScriptableIngest | undefined;
afterEach(async () => ingest?.close());

async function start(script?: Script): Promise<ScriptableIngest> {
  await ingest?.close();
  ingest = await ScriptableIngest.start(script);
  return ingest;
}

/** Sends connect, createStream and publish at once. */
async function publish(script: Script): Promise<RawPublisher> {
  const { port } = await start({ answers: true, ...script });
  const publisher = await RawPublisher.greet(port);
  publisher.command(0, 'connect', 1, { app: 'live' });
  publisher.command(0, 'createStream', 2, null);
  publisher.command(1, 'publish', 3, null, 'a', 'live');
  return publisher;
}

describe('the specs own RTMP parser', () => {
  it('reads the golden recordings to their last byte', () => {
    for (const name of ['av', 'chunk-128', 'hevc', 'mp3-only', 'two-streams', 'video-only']) {
      const messages = parseRtmp(readFileSync(`spec/golden/data/${name}/expected.1.rtmp`));
      const commands = messages.filter(({ type }) => type === 20).map(({ payload }) => parseAmf(payload)[0]);
      assert.deepEqual(commands.slice(0, 5), ['connect', 'releaseStream', 'FCPublish', 'createStream', 'publish']);
      assert.deepEqual(commands.slice(-2), ['FCUnpublish', 'deleteStream']);
    }
  });
});

describe('ScriptableIngest', () => {
  it('is the golden ingest by default: zeros, silence, every byte kept', async () => {
    const { port } = await start();
    const socket = net.connect(port, '127.0.0.1');
    socket.write(Buffer.concat([hello, Buffer.alloc(1536), recording]));
    const heard: Buffer[] = [];
    socket.on('data', (bytes: Buffer) => heard.push(bytes));
    const connection = await (ingest as ScriptableIngest).next();
    await connection.until(() => connection.receivedBytes === recording.length);
    assert.deepEqual(connection.raw(), recording);
    assert.equal(connection.messages.length, parseRtmp(recording).length);
    assert.equal((await connection.command('publish'))[3], 'stream');
    socket.end();
    await connection.closed;
    const expected = Buffer.concat([Buffer.of(3), Buffer.alloc(1536), hello.subarray(1)]);
    assert.deepEqual(Buffer.concat(heard), expected);
  });

  it('keeps a header ahead of C0, and resets after so many bytes', async () => {
    const { port } = await start({ headerLength: 5, cutAfter: { bytes: 200, how: 'reset' } });
    const publisher = await RawPublisher.open(port);
    publisher.write(Buffer.concat([Buffer.from('PROXY'), hello, Buffer.alloc(1536), recording.subarray(0, 200)]));
    const connection = await (ingest as ScriptableIngest).next();
    await connection.closed;
    await publisher.closed();
    assert.deepEqual(connection.raw(), Buffer.concat([Buffer.from('PROXY'), recording.subarray(0, 200)]));
  });

  for (const [stallAt, bytes] of [
    ['nothing', 0],
    ['s0', 1],
    ['half-s1', 769],
    ['s1', 1537],
    ['half-s2', 2305],
  ] as const) {
    it(`stalls in the handshake: ${stallAt}`, async () => {
      const { port } = await start({ stallAt });
      const publisher = await RawPublisher.open(port);
      publisher.write(hello);
      await publisher.until(() => publisher.handshake.length >= bytes);
      const connection = await (ingest as ScriptableIngest).next();
      await connection.until(() => connection.hello.length > 0);
      connection.end();
      await publisher.closed();
      assert.equal(publisher.handshake.length, bytes);
    });
  }

  it('holds S2 back until C2 is in, and sends what is to follow it', async () => {
    const { port } = await start({ s2AfterC2: true, behindHandshake: hex('02000000000004050000000000001000') });
    const publisher = await RawPublisher.open(port);
    publisher.write(hello);
    await publisher.until(() => publisher.handshake.length === 1537);
    publisher.write(Buffer.alloc(1536));
    await publisher.until(() => publisher.messages.length === 1);
    assert.deepEqual(publisher.messages[0]?.payload, hex('00001000'));
  });

  for (const [streamIds, expected] of [
    ['one', [1, 1, 1, 1]],
    ['count', [1, 2, 3, 4]],
    ['1,3,4', [1, 3, 4, 4]],
    [
      [7, 9],
      [7, 9, 9, 9],
    ],
  ] as const) {
    it(`answers createStream with ids: ${String(streamIds)}`, async () => {
      const { port } = await start({ answers: true, streamIds });
      const publisher = await RawPublisher.greet(port);
      for (let i = 0; i < 4; i++) publisher.command(0, 'createStream', 10 + i, null);
      await publisher.heard('_result', 4);
      assert.deepEqual(
        publisher.commands(),
        expected.map((id, i) => ['_result', 10 + i, null, id]),
      );
    });
  }

  it('sends window, bandwidth and chunk size, and keeps to it', async () => {
    const publisher = await publish({ windowAckSize: 500, peerBandwidth: { window: 9, limitType: 2 }, chunkSize: 10 });
    const [, , , info] = await publisher.heard('onStatus');
    assert.equal((info as { code: string }).code, 'NetStream.Publish.Start');
    const controls = publisher.messages.filter(({ type }) => type !== 20);
    assert.deepEqual(
      controls.map(({ type, payload }) => [type, payload.toString('hex')]),
      [
        [5, '000001f4'],
        [6, '0000000902'],
        [1, '0000000a'],
      ],
    );
    (ingest as ScriptableIngest).connections[0]?.ping(77);
    await publisher.until(() => publisher.messages.at(-1)?.type === 4);
    assert.deepEqual(publisher.messages.at(-1)?.payload, hex('0006 0000004d'));
  });

  it('refuses connect, createStream and publish, and redirects', async () => {
    const status = { code: 'No.No', description: 'why' };
    const refused = { level: 'error', ...status };
    const connect = await publish({ rejectConnect: status });
    assert.deepEqual(await connect.heard('_error'), ['_error', 1, null, refused]);
    await connect.closed();
    const create = await publish({ rejectCreateStream: status });
    assert.deepEqual(await create.heard('_error'), ['_error', 2, null, refused]);
    const named = await publish({
      rejectPublish: (attempt, name) => (attempt === 0 && name === 'a' ? status : undefined),
    });
    assert.deepEqual(await named.heard('onStatus'), ['onStatus', 0, null, refused]);
    const redirect = await publish({ redirect: 'rtmp://elsewhere/app' });
    const [, , , info] = await redirect.heard('_error');
    assert.deepEqual((info as { ex: unknown }).ex, { code: 302, redirect: 'rtmp://elsewhere/app' });
  });

  it('does not read, or reads slowly', async () => {
    const { port } = await start({ reads: 'never' });
    const stuck = await RawPublisher.greet(port);
    const block = Buffer.alloc(2 ** 16);
    // More than the buffers of both ends take.
    while (stuck.socket.writableLength < 2 ** 24) stuck.write(block);
    const connection = await (ingest as ScriptableIngest).next();
    assert.equal(connection.receivedBytes, 0);
    stuck.socket.destroy();

    const slow = await start({ reads: 1000 });
    const publisher = await RawPublisher.greet(slow.port);
    publisher.write(recording.subarray(0, 5000));
    const slowly = await slow.next();
    await slowly.until(() => slowly.receivedBytes > 0);
    assert.ok(slowly.receivedBytes <= 1000);
    await slowly.until(() => slowly.receivedBytes === 5000);
    assert.deepEqual(slowly.raw(), recording.subarray(0, 5000));
  });

  it('speaks TLS', async () => {
    const { port } = await start({ tls: serverTls });
    const publisher = await RawPublisher.greet(port, true);
    publisher.write(recording);
    const connection = await (ingest as ScriptableIngest).next();
    await connection.until(() => connection.receivedBytes === recording.length);
    assert.deepEqual(connection.raw(), recording);
  });
});
