import { afterEach, beforeEach, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import type { InputStatus } from '../../../lib/upstream/report/status.js';
import { eventually } from '../../support/time/eventually.js';
import { FakeClock } from '../../support/time/fake-clock.js';
import { framesOf } from '../../support/ingest/ingest-media.js';
import { frameAt, KmpSender, videoMinf } from '../../support/kmp/kmp-sender.js';
import { startKmp, type KmpService } from '../../support/service/kmp-service.js';
import { Random } from '../../resilience/random.js';
import { ScriptableIngest, type IngestConnection } from '../../support/ingest/scriptable-ingest.js';
import { turns } from '../../support/time/turns.js';

/** Real senders number frames from the time that the track began. */
const FIRST_ID = 5_000_000n;
const FRAMES = 250;

/** A payload that says who it is, long enough that cuts go through it. */
const payload = (n: number): string => `${n}:${'x'.repeat((n * 379) % 4000)}`;
const frame = (n: number): Buffer => frameAt(n * 20, payload(n), { key: n % 10 === 0 });

describe('a KMP connection that is cut at any byte', { timeout: 90_000 }, () => {
  let ingest: ScriptableIngest;
  let service: KmpService;
  let clock: FakeClock;
  let connection: IngestConnection;
  let sender: KmpSender;

  const input = (): InputStatus | null | undefined =>
    service.registry.get('u1')?.status().streams['s']?.tracks.video?.input;

  beforeEach(async () => {
    clock = new FakeClock();
    ingest = await ScriptableIngest.start();
    service = await startKmp(
      { inAck: 'frame', outWriteMetaTimeout: 0, outFlushTimeout: 0, outOnfiPeriod: 0 },
      { clock },
    );
  });
  afterEach(async () => {
    sender.destroy();
    await service.close();
    await ingest.close();
  });

  /** Connects as a sender does that goes on behind the last frame acknowledged; number of its first frame. */
  async function comeBack(acked: bigint): Promise<number> {
    const data = { upstream_id: 'u1', url: `rtmp://127.0.0.1:${ingest.port}/app/s` };
    sender = await KmpSender.open(service.port, data, { frameId: acked });
    sender.send(videoMinf());
    return Number(acked - FIRST_ID);
  }

  for (const seed of [1, 2, 3, 4]) {
    it(`loses nothing and repeats nothing (seed ${seed})`, async () => {
      const random = new Random(seed);
      let acked = FIRST_ID;
      let sentAgain = 0;
      let duplicates = 0;
      let seen = 0;
      let cuts = 0;
      for (;;) {
        const first = await comeBack(acked);
        if (cuts === 0) connection = await ingest.next();
        // Some of what waits goes out, and is acknowledged; whether the sender hears of it is chance, too.
        clock.advance(random.between(0, 300));
        if (random.oneIn(2)) await turns(20);
        const last = Math.min(FRAMES, seen + random.between(1, 25));
        const bytes = framesBetween(first, last);
        // One frame more than there was, at least: what is fresh waits, and the track lives.
        const least = framesBetween(first, Math.min(FRAMES, seen + 1)).length;
        const cut = last === FRAMES ? bytes.length : random.between(least, bytes.length);
        sender.send(bytes.subarray(0, cut));
        const head = connectSize(ingest.port) + videoMinf().length;
        await eventually(() => input()?.received_bytes === head + cut, `${head + cut} received bytes`);
        duplicates += input()?.skipped_frames.duplicate ?? 0;
        sentAgain += seen - first;
        seen = first + wholeFrames(first, cut);
        acked = sender.lastAck ?? acked;
        if (seen === FRAMES) break;
        cuts++;
        if (random.oneIn(2)) sender.socket.resetAndDestroy();
        else sender.socket.end();
        await eventually(() => input() === null, 'the end of the connection, and not of the track');
      }
      clock.advance(5000);
      await eventually(() => framesOf(connection).length >= FRAMES, 'the last frame');
      assert.deepEqual(
        framesOf(connection),
        Array.from({ length: FRAMES }, (_, n) => payload(n)),
      );
      assert.ok(cuts >= 5, `${cuts} cuts`);
      assert.equal(duplicates, sentAgain);
      assert.ok(duplicates > 0, 'nothing was sent again');
      await sender.acked(FIRST_ID + BigInt(FRAMES));
    });
  }
});

/** Bytes of the connect packet. */
function connectSize(port: number): number {
  return 104 + JSON.stringify({ upstream_id: 'u1', url: `rtmp://127.0.0.1:${port}/app/s` }).length;
}

function framesBetween(first: number, end: number): Buffer {
  return Buffer.concat(Array.from({ length: end - first }, (_, i) => frame(first + i)));
}

/** How many frames from `first` on are whole in so many bytes. */
function wholeFrames(first: number, bytes: number): number {
  let n = 0;
  for (let left = bytes - frame(first).length; left >= 0; left -= frame(first + n).length) n++;
  return n;
}
