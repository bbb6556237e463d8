import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { allowInternals, internalsAllowed } from '../../../lib/node-internals/internals.js';
import { defaultMediaSettings, type MediaSettings } from '../../../lib/config/settings.js';
import { concat } from '../../support/values/bytes.js';
import { eventually } from '../../support/time/eventually.js';
import { end } from '../../support/kmp/kmp-bytes.js';
import { audioMinf, frameAt, KmpSender, videoMinf } from '../../support/kmp/kmp-sender.js';
import { startKmp } from '../../support/service/kmp-service.js';
import { assertSameBytes } from '../../support/values/same-bytes.js';
import { ScriptableIngest } from '../../support/ingest/scriptable-ingest.js';

/** What one sender sends: frames of these sizes, cut where a number says. */
interface Tracks {
  readonly video: readonly number[];
  readonly audio: readonly number[];
  readonly cuts: readonly number[];
  readonly chunkSize: number;
  /** With them, written frames are kept. */
  readonly reconnects: boolean;
}

/** Sizes around every limit of the path: small pieces, pages, chunks, blocks, and the shared memory. */
const size = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: 1, max: 1000 }) },
  { weight: 6, arbitrary: fc.integer({ min: 1000, max: 20_000 }) },
  { weight: 2, arbitrary: fc.constantFrom(768, 769, 4096, 65_536, 65_537, 262_144) },
  { weight: 1, arbitrary: fc.integer({ min: 100_000, max: 700_000 }) },
);

const tracks = fc.record({
  video: fc.array(size, { minLength: 1, maxLength: 40 }),
  audio: fc.array(fc.integer({ min: 1, max: 900 }), { minLength: 1, maxLength: 80 }),
  cuts: fc.array(fc.integer({ min: 1, max: 60_000 }), { minLength: 1, maxLength: 20 }),
  chunkSize: fc.constantFrom(128, 4096, 65_536),
  reconnects: fc.boolean(),
});

/** The bytes of a frame show its place in the track, and their own place in the frame. */
function payload(kind: number, i: number, bytes: number): Buffer {
  const out = Buffer.alloc(bytes, kind);
  for (let at = 0; at < bytes; at += 61) out[at] = i + at / 61;
  return out;
}

/** All bytes that the server gets, on the path that uses what Node does not document, or on the plain one. */
async function published(
  ingest: ScriptableIngest,
  { video, audio, cuts, chunkSize, reconnects }: Tracks,
  internals: boolean,
  settings: Partial<MediaSettings> = {},
): Promise<Buffer> {
  allowInternals(internals);
  const service = await startKmp({
    ...defaultMediaSettings(),
    outChunkSize: chunkSize,
    outReconnects: reconnects ? 3 : 0,
    // Time for both tracks to arrive on a busy machine: else the order depends on the machine.
    outMinProcessDelay: 1000,
    outMaxProcessDelay: 20_000,
    outMemLimit: 64 * 1024 * 1024,
    ...settings,
  });
  try {
    const data = { upstream_id: 'u1', url: `rtmp://127.0.0.1:${ingest.port}/app/s` };
    const senders = [await KmpSender.open(service.port, data), await KmpSender.open(service.port, data)];
    const [one, other] = senders;
    one?.send(videoMinf());
    other?.send(audioMinf());
    // Both tracks are known before the first frame.
    await eventually(() => service.registry.get('u1')?.streams.get('s')?.isComplete === true, 'both tracks');
    const videoBytes = video.map((bytes, i) =>
      frameAt(40 * i, payload(0x11, i, bytes), { key: i % 10 === 0, pts: i % 3 }),
    );
    const audioBytes = audio.map((bytes, i) => frameAt(23 * i + 1, payload(0x22, i, bytes)));
    await Promise.all([
      dribble(one, concat(...videoBytes, end), cuts),
      dribble(other, concat(...audioBytes, end), [...cuts].reverse()),
    ]);
    const { reason } = await service.ended();
    assert.equal(reason, 'done');
    const connection = await ingest.next();
    await connection.closed;
    await eventually(() => one?.lastAck === BigInt(video.length), 'the last ack of the video');
    await eventually(() => other?.lastAck === BigInt(audio.length), 'the last ack of the audio');
    return connection.raw();
  } finally {
    await service.close();
  }
}

async function dribble(sender: KmpSender | undefined, bytes: Buffer, cuts: readonly number[]): Promise<void> {
  for (let at = 0, i = 0; at < bytes.length; i++) {
    const step = (cuts[i % cuts.length] ?? 1) + (i > 200 ? 60_000 : 0);
    sender?.send(bytes.subarray(at, at + step));
    at += step;
    if (i % 4 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
}

describe('the path that uses what Node does not document', { timeout: 110_000 }, () => {
  const before = internalsAllowed();
  after(() => allowInternals(before));

  it('sends the same bytes as the plain one, and acknowledges the same', async () => {
    // The bytes name the port of the server.
    const ingest = await ScriptableIngest.start({ answers: true });
    await fc.assert(
      fc.asyncProperty(tracks, async (one) => {
        const [expected, actual] = [await published(ingest, one, false), await published(ingest, one, true)];
        assertSameBytes(actual, expected);
      }),
      { numRuns: 6, endOnFailure: true },
    );
    await ingest.close();
  });

  it('sends the same bytes if sockets are read at once, past their streams', async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'kmp-same-path-'));
    t.after(() => rmSync(folder, { recursive: true }));
    const ingest = await ScriptableIngest.start({ answers: true });
    await fc.assert(
      fc.asyncProperty(tracks, async (one) => {
        // A dump listens to the streams of the sockets, so all bytes pass through them.
        const expected = await published(ingest, one, false, { inDumpFolder: folder });
        assertSameBytes(await published(ingest, one, false), expected);
        assertSameBytes(await published(ingest, one, true, { inReadInterval: 0 }), expected);
      }),
      { numRuns: 3, endOnFailure: true },
    );
    await ingest.close();
  });
});
