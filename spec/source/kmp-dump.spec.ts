import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { openSource } from '../../lib/source/open.js';
import type { SourceFrame } from '../../lib/source/source.js';
import { connectPacket } from '../support/rtmp/golden.js';

/** Packets by hand (docs/protocol/kmp.md, Packet). */
function packet(type: string, fields: Buffer, data = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(16);
  head.write(type, 'latin1');
  head.writeUInt32LE(16 + fields.length, 4);
  head.writeUInt32LE(data.length, 8);
  return Buffer.concat([head, fields, data]);
}
function fram(created: bigint, dts: bigint, key: boolean, data: string): Buffer {
  const fields = Buffer.alloc(24);
  fields.writeBigInt64LE(created, 0);
  fields.writeBigInt64LE(dts, 8);
  fields.writeUInt32LE(key ? 1 : 0, 16);
  fields.writeInt32LE(-5, 20);
  return packet('fram', fields, Buffer.from(data));
}
const minf = (width: number): Buffer => {
  const fields = Buffer.alloc(32);
  fields.writeUInt32LE(7, 4);
  fields.writeUInt32LE(1000, 8);
  fields.writeUInt16LE(width, 16);
  return packet('minf', fields, Buffer.from('0164', 'hex'));
};
const eost = packet('eost', Buffer.alloc(0));
const T = 1_700_000_000_000n;

describe('KMP dumps as sources', () => {
  let folder = '';
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'kmp-rtmp-'));
  });
  after(() => rmSync(folder, { recursive: true }));

  async function read(
    bytes: Buffer[],
    start = 0,
  ): Promise<{ frames: SourceFrame[]; warnings: string[]; text: string }> {
    const path = join(folder, `${Math.random()}`);
    writeFileSync(path, Buffer.concat(bytes));
    const warnings: string[] = [];
    const source = await openSource(path, { start, onWarning: (message) => warnings.push(message) });
    const frames: SourceFrame[] = [];
    for (const track of source.tracks) for await (const frame of track.frames()) frames.push(frame);
    await source.close();
    return { frames, warnings, text: frames.map(({ data }) => data.toString()).join(' ') };
  }

  it('gives the frames as they are', async () => {
    const { frames, warnings } = await read([
      minf(320),
      fram(T, 50n, true, 'one'),
      fram(T + 40n, 90n, false, 'two'),
      eost,
    ]);
    assert.deepEqual(frames, [
      { created: 1_700_000_000_000, dts: 50, ptsDelay: -5, key: true, data: Buffer.from('one') },
      { created: 1_700_000_000_040, dts: 90, ptsDelay: -5, key: false, data: Buffer.from('two') },
    ]);
    assert.deepEqual(warnings, []);
  });

  it('knows the media info, and the connect packet if there is one', async () => {
    const path = join(folder, 'connected.kmp');
    const connect = connectPacket({ upstream_id: 'u9', url: 'rtmp://h/a/s' }, 'v1', { frameId: 77n });
    writeFileSync(path, Buffer.concat([connect, minf(640), fram(T, 0n, true, 'one')]));
    const source = await openSource(path);
    assert.equal(source.absolute, true);
    assert.deepEqual([source.connect?.channelId, source.connect?.trackId], ['ch1', 'v1']);
    assert.deepEqual(JSON.parse(String(source.connect?.data)), { upstream_id: 'u9', url: 'rtmp://h/a/s' });
    const info = source.tracks[0]?.info;
    assert.ok(info?.mediaType === 'video');
    assert.deepEqual([info.codecId, info.timescale, info.width], [7, 1000, 640]);
  });

  it('a media info that changes goes with the next frame, one that is repeated does not', async () => {
    const { frames } = await read([
      ...[minf(320), fram(T, 0n, true, '1'), minf(320), fram(T, 40n, true, '2')],
      ...[minf(640), fram(T, 80n, true, '3'), fram(T, 120n, false, '4')],
    ]);
    const widths = frames.map(({ info }) => (info?.mediaType === 'video' ? info.width : undefined));
    assert.deepEqual(widths, [undefined, undefined, 640, undefined]);
  });

  it('begins at the key frame at or before the start offset', async () => {
    const bytes = [0, 40, 80, 120, 160].map((ms) => fram(T, BigInt(500 + ms), ms % 80 === 0, `${ms}`));
    assert.equal((await read([minf(320), ...bytes], 130)).text, '80 120 160');
    assert.equal((await read([minf(320), ...bytes], 80)).text, '80 120 160');
    assert.equal((await read([minf(320), ...bytes], 79)).text, '0 40 80 120 160');
  });

  it('a dump that is cut, or has rubbish in it, gives what was before, and says so', async () => {
    const whole = Buffer.concat([minf(320), fram(T, 0n, true, 'one'), fram(T, 40n, false, 'two')]);
    const cut = await read([whole.subarray(0, whole.length - 2)]);
    assert.equal(cut.text, 'one');
    assert.match(cut.warnings[0] ?? '', /is damaged, the rest is left out: .*"fram" at byte \d+/);
    const rubbish = await read([whole, Buffer.from('rubbish and nothing else than that')]);
    assert.equal(rubbish.text, 'one two');
    assert.match(rubbish.warnings[0] ?? '', /"rubb"/);
  });

  it('frames before the first media info are left out, and a dump with none is refused', async () => {
    const { text, warnings } = await read([fram(T, 0n, true, 'lost'), minf(320), fram(T, 40n, true, 'kept')]);
    assert.equal(text, 'kept');
    assert.match(warnings[0] ?? '', /frames before its first media info/);
    await assert.rejects(read([fram(T, 0n, true, 'lost')]), { code: 'source_no_tracks' });
  });
});
