import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { describe, it } from 'node:test';
import { openSource } from '../../lib/source/open.js';
import { openPipe } from '../../lib/source/pipe.js';
import type { MediaSource, SourceFrame, SourceTrack } from '../../lib/source/source.js';

const FOLDER = join('spec', 'fixtures', 'media');
const fixture = (name: string): Buffer => readFileSync(join(FOLDER, name));

async function all(track: SourceTrack | undefined): Promise<SourceFrame[]> {
  const frames: SourceFrame[] = [];
  for await (const frame of track?.frames() ?? []) frames.push(frame);
  return frames;
}

/** Reads the tracks of a source side by side, as a sender does. */
function both(source: MediaSource): Promise<SourceFrame[][]> {
  return Promise.all(source.tracks.map(all));
}

/** A pipe that brings these bytes, `size` at a time. */
function piped(bytes: Buffer, size = 10_000): PassThrough {
  const stream = new PassThrough();
  for (let at = 0; at < bytes.length; at += size) stream.write(bytes.subarray(at, at + size));
  stream.end();
  return stream;
}

const facts = (frames: readonly SourceFrame[]): unknown[] =>
  frames.map(({ dts, ptsDelay, key, data }) => [dts, ptsDelay, key, data.toString('base64')]);

describe('media from a pipe', () => {
  for (const name of ['h264-mp3.flv', 'hevc-opus.mkv', 'eac3.mkv', 'h264-aac.mpegts']) {
    it(`is what the file is: ${name}`, async () => {
      const file = await openSource(join(FOLDER, name));
      const source = await openPipe(piped(fixture(name)), 'the pipe');
      assert.equal(source.format, file.format);
      assert.deepEqual(
        source.tracks.map(({ info: { codecId, extraData, mediaType } }) => [mediaType, codecId, extraData]),
        file.tracks.map(({ info: { codecId, extraData, mediaType } }) => [mediaType, codecId, extraData]),
      );
      const [found, wanted] = [await both(source), await both(file)];
      for (const [n, frames] of wanted.entries()) assert.deepEqual(facts(found[n] ?? []), facts(frames));
      assert.ok(wanted.flat().length > 50);
      await source.close();
      await file.close();
    });
  }

  it('gives its first frames before it has ended', async () => {
    for (const name of ['h264-mp3.flv', 'hevc-opus.mkv', 'h264-aac.mpegts']) {
      const bytes = fixture(name);
      const stream = new PassThrough();
      // Nothing more comes, and no end.
      stream.write(bytes.subarray(0, Math.floor(bytes.length * 0.8)));
      const source = await openPipe(stream, 'the pipe');
      for (const track of source.tracks) {
        for await (const frame of track.frames()) {
          assert.ok(frame.data.length > 0);
          break;
        }
      }
      await source.close();
    }
  });

  it('continues its timestamps where those of a transport stream begin again, in both tracks alike', async () => {
    const one = fixture('h264-aac.mpegts');
    const once = await both(await openPipe(piped(one), 'the pipe'));
    const twice = await both(await openPipe(piped(Buffer.concat([one, one])), 'the pipe'));
    const shifts = twice.map((frames, n) => {
      const { length } = once[n] ?? [];
      assert.equal(frames.length, length * 2);
      const times = frames.map(({ dts }) => dts);
      for (const [at, time] of times.entries()) assert.ok(time >= (times[at - 1] ?? -Infinity), `${n}: ${at}`);
      for (const { ptsDelay } of frames) assert.ok(ptsDelay >= 0 && ptsDelay < 90_000, String(ptsDelay));
      return (frames.at(-1)?.dts ?? 0) - (frames[length - 1]?.dts ?? 0);
    });
    // Two seconds; the same for sound and picture.
    assert.equal(shifts[0], shifts[1]);
    assert.ok((shifts[0] ?? 0) > 170_000 && (shifts[0] ?? 0) < 200_000, String(shifts[0]));
  });

  it('gives what was there when it ends in the middle, and says so', async () => {
    const warnings: string[] = [];
    const onWarning = (message: string): void => void warnings.push(message);
    const bytes = fixture('h264-mp3.flv');
    const source = await openPipe(piped(bytes.subarray(0, bytes.length - 100)), 'the pipe', { onWarning });
    const frames = await both(source);
    assert.ok(frames.every((track) => track.length > 10));
    assert.match(warnings.join(), /^the pipe ends in the middle of the tag at byte \d+$/);
  });

  const tag = (type: number, time: number, body: Buffer): Buffer => {
    const bytes = Buffer.alloc(11 + body.length + 4);
    bytes.writeUInt8(type, 0);
    bytes.writeUIntBE(body.length, 1, 3);
    bytes.writeUIntBE(time, 4, 3);
    body.copy(bytes, 11);
    return bytes;
  };
  const header = Buffer.from('464c5601050000000900000000', 'hex');
  const config = tag(9, 0, Buffer.from('17000000000164001effe000', 'hex'));
  const soundOf = (n: number, size: number): Buffer =>
    tag(8, n * 40, Buffer.concat([Buffer.from('2e', 'hex'), Buffer.alloc(size)]));
  const picture = (n: number): Buffer =>
    tag(9, n * 40, Buffer.concat([Buffer.from('1701000000', 'hex'), Buffer.alloc(500_000)]));

  it('keeps the other track whole when a track comes again after a long pause', async () => {
    const pictures = Array.from({ length: 70 }, (_, n) => picture(n));
    // 40 MB of each follow.
    const both = Array.from({ length: 80 }, (_, n) => [picture(70 + n), soundOf(70 + n, 500_000)]).flat();
    const stream = piped(Buffer.concat([header, config, soundOf(0, 400), ...pictures, ...both]), 100_000);
    const warnings: string[] = [];
    const source = await openPipe(stream, 'the pipe', { onWarning: (message) => void warnings.push(message) });
    const [video, audio] = source.tracks;
    assert.equal((await all(audio)).length, 1);
    assert.equal((await all(video)).length, 150);
    assert.deepEqual(warnings, ['the pipe brings no more audio: this track ends']);
  });

  it('keeps a track whole when nobody wants the other one any more', async () => {
    const both = Array.from({ length: 80 }, (_, n) => [picture(n), soundOf(n, 500_000)]).flat();
    const source = await openPipe(piped(Buffer.concat([header, config, ...both]), 100_000), 'the pipe');
    const [video, audio] = source.tracks;
    for await (const frame of audio?.frames() ?? []) {
      assert.ok(frame.data.length > 0);
      break;
    }
    assert.equal((await all(video)).length, 80);
  });

  it('ends a track that brings nothing for long, so that the other one goes on', async () => {
    const sound = soundOf(0, 400);
    const pictures = Array.from({ length: 80 }, (_, n) => picture(n));
    const warnings: string[] = [];
    const stream = piped(Buffer.concat([header, config, sound, ...pictures]), 100_000);
    const source = await openPipe(stream, 'the pipe', { onWarning: (message) => void warnings.push(message) });
    const [video, audio] = source.tracks;
    assert.equal((await all(audio)).length, 1);
    assert.equal((await all(video)).length, 80);
    assert.deepEqual(warnings, ['the pipe brings no more audio: this track ends']);
  });

  it('says what it is not', async () => {
    const rows: [Buffer, RegExp][] = [
      [Buffer.alloc(0), /the pipe is empty/],
      [Buffer.from('hello world'), /the pipe is none of FLV, Matroska, WebM and MPEG-TS/],
      [fixture('h264-aac.mp4'), /is none of FLV/],
      [Buffer.from('464c5601050000000900000000', 'hex'), /has no video or audio that KMP can carry/],
      [Buffer.from('1a45dfa3ffffffff', 'hex'), /the pipe cannot be read/],
      [Buffer.alloc(400, 0x47), /the pipe /],
    ];
    for (const [bytes, expected] of rows) await assert.rejects(openPipe(piped(bytes), 'the pipe'), expected);
  });

  it('ends when it is closed while it waits', async () => {
    for (const name of ['h264-mp3.flv', 'h264-aac.mpegts']) {
      const bytes = fixture(name);
      const stream = new PassThrough();
      stream.write(bytes.subarray(0, Math.floor(bytes.length * 0.8)));
      const source = await openPipe(stream, 'the pipe');
      const frames = all(source.tracks[0]);
      stream.destroy();
      assert.ok((await frames).length > 0);
    }
  });
});
