import { after, afterEach, before, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FlvRecorder } from '../../lib/ingest/flv-recorder.js';
import { Ingest, type IngestStream } from '../../lib/ingest/ingest.js';
import { u32be } from '../support/values/bytes.js';
import { RawPublisher } from '../support/rtmp/raw-publisher.js';
import { parseAmf, parseRtmp } from '../support/rtmp/rtmp-parse.js';
import { chunked } from '../support/ingest/script-bytes.js';

interface Tag {
  readonly type: number;
  readonly timestamp: number;
  readonly body: Buffer;
}

/** The tags of a file, its sizes checked. */
function readTags(file: Buffer): Tag[] {
  const tags: Tag[] = [];
  let at = 13;
  while (at < file.length) {
    const size = file.readUIntBE(at + 1, 3);
    const timestamp = file.readUIntBE(at + 4, 3) + file.readUInt8(at + 7) * 2 ** 24;
    tags.push({ type: file.readUInt8(at), timestamp, body: file.subarray(at + 11, at + 11 + size) });
    assert.equal(file.readUInt32BE(at + 11 + size), 11 + size);
    at += 15 + size;
  }
  assert.equal(at, file.length);
  return tags;
}

describe('FlvRecorder', () => {
  let folder = '';
  let ingest: Ingest;
  before(() => (folder = mkdtempSync(join(tmpdir(), 'flv-'))));
  after(() => rmSync(folder, { recursive: true }));
  afterEach(() => ingest.close());

  function start(path: string): { ready: Promise<void>; recorder: Promise<FlvRecorder> } {
    ingest = new Ingest();
    const recorder = new Promise<FlvRecorder>((resolve) => {
      ingest.once('stream', (stream: IngestStream) => resolve(new FlvRecorder(stream, path)));
    });
    return { ready: ingest.listen(0).then(() => undefined), recorder };
  }

  for (const [name, flags] of [
    ['av', 5],
    ['mp3-only', 4],
    ['video-only', 1],
    ['hevc', 5],
  ] as const) {
    it(`writes what was published: ${name}`, async () => {
      const path = join(folder, `${name}.flv`);
      const { ready, recorder } = start(path);
      await ready;
      const recording = readFileSync(`spec/golden/data/${name}/expected.1.rtmp`);
      const publisher = await RawPublisher.greet(ingest.port);
      publisher.write(recording);
      publisher.socket.end();
      const made = await recorder;
      await once(made, 'close');

      const file = readFileSync(path);
      assert.deepEqual(file.subarray(0, 13).toString('hex'), `464c56010${flags}0000000900000000`);
      const tags = readTags(file);
      const sent = parseRtmp(recording).filter(({ type }) => type === 8 || type === 9 || type === 18);
      assert.equal(tags.length, sent.length);
      sent.forEach(({ type, timestamp, payload }, i) => {
        const tag = tags[i];
        assert.deepEqual([tag?.type, tag?.timestamp], [type, timestamp]);
        if (type !== 18) assert.deepEqual(tag?.body, payload);
      });
      const [metadata] = tags;
      const sentMetadata = parseAmf(sent[0]?.payload ?? Buffer.alloc(0));
      assert.deepEqual(sentMetadata.slice(0, 2), ['@setDataFrame', '@onMetaData']);
      assert.deepEqual(parseAmf(metadata?.body ?? Buffer.alloc(0)), ['onMetaData', ...sentMetadata.slice(2)]);
      const counts = { audio: 0, video: 0, data: 0 };
      for (const { type } of sent) counts[type === 8 ? 'audio' : type === 9 ? 'video' : 'data']++;
      assert.deepEqual(made.written, counts);
    });
  }

  it('completes the file of a connection that is lost', async () => {
    const path = join(folder, 'lost.flv');
    const { ready, recorder } = start(path);
    await ready;
    const publisher = await RawPublisher.publish(ingest.port, 'live', 'a');
    publisher.send({ type: 8, streamId: 1, timestamp: 40, payload: Buffer.from('af01ff', 'hex') });
    publisher.send({ type: 4, payload: Buffer.from('000600000000', 'hex') });
    await publisher.until(() => publisher.messages.some(({ type, payload }) => type === 4 && payload[1] === 7));
    publisher.socket.resetAndDestroy();
    await once(await recorder, 'close');
    assert.deepEqual(readTags(readFileSync(path)), [{ type: 8, timestamp: 40, body: Buffer.from('af01ff', 'hex') }]);
  });

  it('loses nothing of what comes faster than the disk takes it', async () => {
    const path = join(folder, 'fast.flv');
    const { ready, recorder } = start(path);
    await ready;
    const publisher = await RawPublisher.publish(ingest.port, 'live', 'a');
    publisher.write(chunked({ type: 1, payload: u32be(2 ** 20) }, 128));
    const sent: Buffer[] = [];
    for (let i = 0; i < 40; i++) {
      const payload = Buffer.alloc(2 ** 20 - i, i);
      sent.push(payload);
      publisher.write(chunked({ type: 9, streamId: 1, payload }, 2 ** 20));
    }
    publisher.socket.end();
    await once(await recorder, 'close');
    const tags = readTags(readFileSync(path));
    assert.equal(tags.length, 40);
    assert.ok(tags.every(({ body }, i) => body.equals(sent[i] ?? Buffer.alloc(0))));
  });

  it('says when it cannot write, and leaves the stream alone', async () => {
    const { ready, recorder } = start(join(folder, 'missing', 'a.flv'));
    await ready;
    const publisher = await RawPublisher.publish(ingest.port, 'live', 'a');
    const [error] = (await once(await recorder, 'error')) as [NodeJS.ErrnoException];
    assert.equal(error.code, 'ENOENT');
    publisher.send({ type: 8, streamId: 1, payload: Buffer.from('af01ff', 'hex') });
    publisher.command(0, 'createStream', 9, null);
    await publisher.heard('_result', 3);
    assert.equal(ingest.streams.length, 1);
  });
});
