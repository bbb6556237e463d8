import { afterEach, beforeEach, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { eventually } from '../../support/time/eventually.js';
import { FakeClock } from '../../support/time/fake-clock.js';
import { framesOf, mediaOf } from '../../support/ingest/ingest-media.js';
import { audioMinf, frameAt, KmpSender, videoMinf } from '../../support/kmp/kmp-sender.js';
import { startKmp, type KmpService } from '../../support/service/kmp-service.js';
import { ScriptableIngest } from '../../support/ingest/scriptable-ingest.js';

const FPS = 25;
const SECONDS = 30;

/**
 * A sender as nginx-kmp-out is (docs/protocol/servers.md, KMP sender): it resumes at the very frame behind the last
 * acknowledged one, and knows nothing of key frames.
 */
class ResumingSender {
  sent = 0;
  private acked = 0;
  private connection: KmpSender | undefined;

  constructor(
    private readonly minf: Buffer,
    private readonly frame: (n: number) => Buffer,
    private readonly data: object,
  ) {}

  async connect(port: number): Promise<void> {
    this.connection = await KmpSender.open(port, this.data, { frameId: BigInt(this.acked) });
    this.connection.send(this.minf);
    this.write(this.acked, this.sent);
  }

  /** Sends `count` new frames. */
  send(count: number): void {
    this.write(this.sent, this.sent + count);
    this.sent += count;
  }

  /** Its connection was cut by the other side. */
  async cut(): Promise<void> {
    await this.connection?.closed;
    this.acked = Number(this.connection?.lastAck ?? this.acked);
  }

  end(): void {
    this.connection?.end();
  }

  destroy(): void {
    this.connection?.destroy();
  }

  private write(from: number, to: number): void {
    for (let n = from; n < to; n++) this.connection?.send(this.frame(n));
  }
}

describe('a sender that resumes behind the last ack, at another process', { timeout: 90_000 }, () => {
  let clock: FakeClock;
  let ingest: ScriptableIngest;
  let service: KmpService;
  let senders: { video: ResumingSender; audio: ResumingSender };

  const start = (): Promise<KmpService> => startKmp({ outOnfiPeriod: 0, outReconnects: Infinity }, { clock });

  /** A second of both tracks, as it passes. */
  async function second(): Promise<void> {
    const before = service.registry.get('u1')?.status().streams['s']?.tracks;
    const received = (kind: 'video' | 'audio') => {
      const { received_frames: frames = 0, skipped_frames: skipped } =
        service.registry.get('u1')?.status().streams['s']?.tracks[kind]?.input ?? {};
      return frames + (skipped?.duplicate ?? 0) + (skipped?.no_key ?? 0);
    };
    const wanted = {
      video: (before?.video?.input?.received_frames ?? 0) + FPS,
      audio: (before?.audio?.input?.received_frames ?? 0) + FPS,
    };
    senders.video.send(FPS);
    senders.audio.send(FPS);
    await eventually(() => received('video') >= wanted.video && received('audio') >= wanted.audio, 'the frames');
    for (let i = 0; i < 10; i++) {
      clock.advance(100);
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  beforeEach(async () => {
    clock = new FakeClock();
    ingest = await ScriptableIngest.start({ answers: true });
    service = await start();
  });
  afterEach(async () => {
    senders.video.destroy();
    senders.audio.destroy();
    await service.close();
    await ingest.close();
  });

  for (const seconds of [2, 10]) {
    it(`loses no frame, with groups of ${seconds} s`, async () => {
      const data = { upstream_id: 'u1', url: `rtmp://127.0.0.1:${ingest.port}/app/s` };
      const group = seconds * FPS;
      senders = {
        video: new ResumingSender(videoMinf(), (n) => frameAt(n * 40, `v${n}`, { key: n % group === 0 }), data),
        audio: new ResumingSender(audioMinf(), (n) => frameAt(n * 40 + 10, `a${n}`), data),
      };
      for (let at = 0; at < SECONDS; at++) {
        if (at % 7 === 0) {
          if (at > 0) {
            // The process is killed: nothing is written or acknowledged any more.
            await service.close();
            await Promise.all([senders.video.cut(), senders.audio.cut()]);
            service = await start();
          }
          await senders.video.connect(service.port);
          await senders.audio.connect(service.port);
        }
        await second();
      }
      senders.video.end();
      senders.audio.end();
      await eventually(() => {
        clock.advance(100);
        return service.registry.get('u1') === undefined;
      }, 'the end of the upstream');
      for (const connection of ingest.connections) await connection.closed;
      const arrived = new Set(ingest.connections.flatMap((connection) => framesOf(connection)));
      const missing = Array.from({ length: SECONDS * FPS }, (_, n) => [`v${n}`, `a${n}`])
        .flat()
        .filter((name) => !arrived.has(name));
      assert.deepEqual(missing, []);
      // Each process begins at a key frame, and sends its frames in order.
      for (const connection of ingest.connections) {
        const media = mediaOf(connection).filter(({ kind }) => kind === 'video' || kind === 'audio');
        assert.equal(media.find(({ kind }) => kind === 'video')?.key, true);
      }
    });
  }
});
