import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import fc from 'fast-check';
import { KmpRtmpError } from '../../lib/base/errors.js';
import { writeFrameHeader, writeMediaInfo } from '../../lib/kmp/writer.js';
import { openSource } from '../../lib/source/open.js';
import type { SourceTrack } from '../../lib/source/source.js';

describe('files with bytes changed at random', () => {
  let folder = '';
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'kmp-rtmp-'));
  });
  after(() => rmSync(folder, { recursive: true }));

  /** Reads the track to its end, and puts all of it into packets, as the sender does. */
  async function pack(track: SourceTrack): Promise<number> {
    let frames = 0;
    writeMediaInfo(track.info);
    for await (const { dts, ptsDelay, data, info } of track.frames()) {
      if (info !== undefined) writeMediaInfo(info);
      writeFrameHeader({ created: 0, dts, ptsDelay, flags: 0, size: data.length });
      frames++;
    }
    return frames;
  }

  const files = [
    ...['h264-aac.mp4', 'fragmented.mp4', 'h264-mp3.flv', 'hevc-opus.mkv', 'h264-aac.mpegts'].map((name) =>
      join('spec', 'fixtures', 'media', name),
    ),
    join('spec', 'golden', 'data', 'mp3-only', 'a.kmp'),
  ];
  for (const name of files) {
    it(`${name}: what can be read is sent, what cannot is refused in words`, async () => {
      const whole = readFileSync(name);
      const path = join(folder, 'damaged');
      // Half of the changes are near the front, where the structure is.
      const place = fc.oneof(fc.nat(Math.min(2000, whole.length - 1)), fc.nat(whole.length - 1));
      const change = fc.tuple(place, fc.nat(255));
      await fc.assert(
        fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 8 }), async (changes) => {
          const bytes = Buffer.from(whole);
          for (const [at, value] of changes) bytes[at] = value;
          writeFileSync(path, bytes);
          try {
            const source = await openSource(path);
            for (const track of source.tracks) assert.ok((await pack(track)) < 10_000);
            await source.close();
          } catch (error) {
            if (!(error instanceof KmpRtmpError)) throw error;
          }
        }),
        // Another seed and more runs: FUZZ_SEED=n FUZZ_RUNS=n.
        { numRuns: Number(process.env['FUZZ_RUNS'] ?? 25), seed: Number(process.env['FUZZ_SEED'] ?? 1) },
      );
    });
  }
});
