import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { inspect } from '../../lib/inspect/inspect.js';
import type { InspectRecord, MessageRecord } from '../../lib/inspect/record.js';
import { recordText } from '../../lib/inspect/text.js';
import { ascii, concat, hex, u16be } from '../support/values/bytes.js';
import { collect } from '../support/values/collect.js';

async function records(bytes: Buffer, pieces = bytes.length): Promise<InspectRecord[]> {
  const chunks = Array.from({ length: Math.ceil(bytes.length / pieces) }, (_, i) =>
    bytes.subarray(i * pieces, (i + 1) * pieces),
  );
  return collect(inspect(chunks));
}

function messages(all: readonly InspectRecord[]): MessageRecord[] {
  return all.filter((record) => record.kind === 'message');
}

function broken(all: readonly InspectRecord[]) {
  return all.filter((record) => record.kind === 'broken').map(({ offset, code }) => ({ offset, code }));
}

const text = (value: string): Buffer => concat(hex('02'), u16be(value.length), ascii(value));
const key = (value: string): Buffer => concat(u16be(value.length), ascii(value));

/** What a server says to a publisher, by hand. */
const handshake = concat(hex('03 00000001 04050001'), Buffer.alloc(1528, 7), Buffer.alloc(1536, 9));
const windowAckSize = hex('02 000000 000004 05 00000000  004c4b40');
const peerBandwidth = hex('02 000000 000005 06 00000000  004c4b40 02');
const result = concat(hex('03 000000 000015 14 00000000'), text('_result'), hex('00 4000000000000000'), hex('05 06'));
const statusBody = concat(
  text('onStatus'),
  hex('00 0000000000000000 05 03'),
  concat(key('level'), text('status'), key('code'), text('NetStream.Publish.Start')),
  concat(key('description'), text('/live/s3cretkey is now published'), key('details'), text('s3cretkey')),
  hex('000009'),
);
/** In chunks of 128 bytes: one in format 0, the rest in format 3. */
const onStatus = concat(
  concat(hex('05 000000 0000'), Buffer.of(statusBody.length), hex('14 01000000'), statusBody.subarray(0, 128)),
  concat(hex('c5'), statusBody.subarray(128)),
);
const ping = hex('02 000000 000006 04 00000000  0006 00000fa0');

describe('inspecting what an RTMP server said', () => {
  const dump = concat(handshake, windowAckSize, peerBandwidth, result, onStatus, ping);

  it('gives handshake and messages with their places, control messages by their fields', async () => {
    const all = await records(dump);
    const [first] = all;
    assert.deepEqual(first, {
      kind: 'handshake',
      offset: 0,
      size: 3073,
      version: 3,
      time: 1,
      software: '4.5.0.1',
    });
    assert.deepEqual(
      messages(all).map(({ offset, name, fields }) => ({ offset, name, fields })),
      [
        { offset: 3073, name: 'windowAckSize', fields: { window: 5_000_000 } },
        { offset: 3089, name: 'peerBandwidth', fields: { window: 5_000_000, limitType: 'dynamic' } },
        { offset: 3106, name: 'command', fields: undefined },
        { offset: 3139, name: 'command', fields: undefined },
        { offset: 3139 + onStatus.length, name: 'ping', fields: { timestamp: 4000 } },
      ],
    );
    assert.deepEqual(messages(all)[2]?.values, ['_result', 2, null, undefined]);
    assert.deepEqual(broken(all), []);
  });

  it('masks the stream key wherever the server repeats it', async () => {
    const said = JSON.stringify(messages(await records(dump)));
    assert.match(said, /NetStream\.Publish\.Start/);
    assert.match(said, /is now published/);
    assert.doesNotMatch(said, /s3cretkey/);
  });

  it('reads the handshake that a real server sent', async () => {
    const real = readFileSync('spec/fixtures/rtmp/handshake-nginx-server.bin');
    const all = await records(concat(real, windowAckSize));
    assert.equal(all[0]?.kind, 'handshake');
    assert.deepEqual(
      messages(all).map(({ name }) => name),
      ['windowAckSize'],
    );
  });

  it('cut off at any byte: says where what is cut begins', async () => {
    const parts = [handshake, windowAckSize, peerBandwidth, result, onStatus, ping];
    const starts = parts.map((_, i) => concat(...parts.slice(0, i)).length);
    for (let size = 1; size < dump.length; size++) {
      if (size > 20 && size < 3060) continue;
      const start = starts.findLast((at) => at < size) ?? 0;
      const expected = starts.includes(size) ? [] : [{ offset: start, code: 'rtmp_truncated' }];
      assert.deepEqual(broken(await records(dump.subarray(0, size), 50)), expected, `at ${size}`);
    }
  });

  it('a chunk that cannot be: says where and why, after all that came before', async () => {
    const all = await records(concat(handshake, windowAckSize, hex('c7 00 00'), ping));
    assert.deepEqual(broken(all), [{ offset: 3089, code: 'rtmp_bad_chunk' }]);
    assert.equal(messages(all).length, 1);
    assert.match(all.map(recordText).join('\n'), /BROKEN {2}at byte 3089: chunk stream 7 begins with format 3/);
  });

  it('damage within a message: what could be read of it, why no more, and the messages behind it', async () => {
    const bad = concat(hex('03 000000 000008 14 00000000'), hex('02 0003 616263 00 40'));
    const all = await records(concat(handshake, bad, ping));
    const [first, second] = messages(all);
    assert.deepEqual(first?.values, ['abc']);
    assert.match(first?.problem ?? '', /ends within a value/);
    assert.equal(second?.name, 'ping');
    assert.equal(all.at(-1)?.kind === 'summary' && all.at(-1), all.at(-1));
  });

  it('any bytes, cut in any way: the same records, and never an exception', async () => {
    const part = fc.oneof(
      fc.constantFrom(windowAckSize, peerBandwidth, result, onStatus, ping),
      fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(part, { maxLength: 8 }), fc.integer({ min: 1, max: 500 }), async (parts, size) => {
        const bytes = concat(handshake, ...parts);
        assert.deepEqual(await records(bytes, size), await records(bytes));
      }),
      { numRuns: 200 },
    );
  });
});

describe('inspecting what a publisher sent', () => {
  const golden = (name: string): Buffer => readFileSync(`spec/golden/data/${name}/expected.1.rtmp`);

  it('begins at the first chunk, if there is no handshake', async () => {
    const all = await records(golden('av'));
    assert.deepEqual(
      messages(all)
        .slice(0, 4)
        .map(({ offset, name, values }) => [offset, name, values?.[0]]),
      [
        [0, 'command', 'connect'],
        [127, 'setChunkSize', undefined],
        [143, 'command', 'releaseStream'],
        [186, 'command', 'FCPublish'],
      ],
    );
    const summary = all.at(-1);
    assert.ok(summary?.kind === 'summary');
    assert.deepEqual(
      summary.tracks.map(({ name, codec, frames, keyFrames, gaps }) => [name, codec, frames, keyFrames, gaps.count]),
      [
        ['stream 1 video', 'H.264', 60, 2, 0],
        ['stream 1 audio', 'AAC', 88, 0, 0],
      ],
    );
  });

  it('passes over bytes ahead of the first chunk', async () => {
    const all = await records(golden('proxy-header'));
    assert.deepEqual(all[0], { kind: 'resync', offset: 40, skipped: 40 });
    assert.equal(messages(all)[0]?.values?.[0], 'connect');
  });

  it('keeps streams apart, and knows codecs by FourCC', async () => {
    const two = (await records(golden('two-streams'))).at(-1);
    assert.deepEqual(two?.kind === 'summary' && two.tracks.map(({ name }) => name).sort(), [
      'stream 1 audio',
      'stream 1 video',
      'stream 2 audio',
      'stream 2 video',
    ]);
    const hevc = (await records(golden('hevc'))).at(-1);
    assert.equal(hevc?.kind === 'summary' && hevc.tracks[0]?.codec, 'hvc1');
  });

  it('masks stream names', async () => {
    const all = await records(golden('chunk-128'));
    assert.doesNotMatch(JSON.stringify(messages(all)), /my stream|key=1/);
    const shown = await collect(inspect([golden('chunk-128')], { showKeys: true }));
    assert.match(JSON.stringify(messages(shown)), /my stream\?key=1&x=2/);
  });

  it('masks the stream name in the words of a server, also if no command has named it', async () => {
    for (const description of [
      's3cretkey is now published',
      'Publishing s3cretkey.',
      'Stream "s3cretkey" is already publishing',
      '/live/s3cretkey is now published',
      'Start publishing s3cretkey',
    ]) {
      const body = concat(
        concat(text('onStatus'), hex('00 0000000000000000 05 03')),
        concat(key('code'), text('NetStream.Publish.Start')),
        concat(key('description'), text(description), hex('000009')),
      );
      assert.ok(body.length <= 128);
      const all = await records(
        concat(handshake, hex('05 000000 0000'), Buffer.of(body.length), hex('14 01000000'), body),
      );
      const [status] = messages(all);
      assert.match(JSON.stringify(status), /NetStream\.Publish\.Start/, description);
      assert.doesNotMatch(JSON.stringify(all), /s3cretkey/, description);
    }
  });

  it('follows timestamps where they wrap', async () => {
    const audio = (time: string): Buffer => hex(`04 ffffff 000002 08 01000000 ${time} 2f00`);
    const all = await records(concat(handshake, audio('ffffffec'), audio('00000000'), audio('00000014')));
    const summary = all.at(-1);
    assert.ok(summary?.kind === 'summary');
    const [track] = summary.tracks;
    assert.deepEqual([track?.durationMs, track?.backwards.count, track?.gaps.count], [60, 0, 0]);
  });
});
