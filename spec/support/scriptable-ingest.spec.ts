import { describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import { readFileSync } from 'node:fs';
import { parseAmf, parseRtmp } from './rtmp-parse.js';
import { ScriptableIngest } from './scriptable-ingest.js';

const recording = readFileSync('spec/golden/data/av/expected.1.rtmp');
const hello = Buffer.concat([Buffer.of(3), Buffer.alloc(1536, 7)]);

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
    const ingest = await ScriptableIngest.start();
    const socket = net.connect(ingest.port, '127.0.0.1');
    socket.write(Buffer.concat([hello, Buffer.alloc(1536), recording]));
    const heard: Buffer[] = [];
    socket.on('data', (bytes: Buffer) => heard.push(bytes));
    const connection = await ingest.next();
    await connection.until(() => connection.receivedBytes === recording.length);
    assert.deepEqual(connection.raw(), recording);
    assert.equal(connection.messages.length, parseRtmp(recording).length);
    assert.equal((await connection.command('publish'))[3], 'stream');
    socket.end();
    await connection.closed;
    const expected = Buffer.concat([Buffer.of(3), Buffer.alloc(1536), hello.subarray(1)]);
    assert.deepEqual(Buffer.concat(heard), expected);
    await ingest.close();
  });

  it('keeps a header ahead of C0, answers when told to, and resets', async () => {
    const ingest = await ScriptableIngest.start({
      headerLength: 5,
      answers: true,
      cutAfter: { bytes: 200, how: 'reset' },
    });
    const socket = net.connect(ingest.port, '127.0.0.1');
    socket.on('error', () => {});
    socket.resume();
    socket.write(Buffer.concat([Buffer.from('PROXY'), hello, Buffer.alloc(1536), recording.subarray(0, 200)]));
    const connection = await ingest.next();
    await connection.closed;
    if (!socket.destroyed) await once(socket, 'close');
    assert.deepEqual(connection.raw(), Buffer.concat([Buffer.from('PROXY'), recording.subarray(0, 200)]));
    await ingest.close();
  });
});
