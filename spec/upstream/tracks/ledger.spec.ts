import { afterEach, beforeEach, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import type { MediaSettings } from '../../../lib/config/settings.js';
import type { Ledger } from '../../../lib/upstream/tracks/ledger.js';
import type { Upstream } from '../../../lib/upstream/upstream.js';
import { eventually } from '../../support/time/eventually.js';
import { FakeClock } from '../../support/time/fake-clock.js';
import { audioMinf, frameAt, KmpSender, videoMinf } from '../../support/kmp/kmp-sender.js';
import { startKmp, type KmpService } from '../../support/service/kmp-service.js';
import { ScriptableIngest, type Script } from '../../support/ingest/scriptable-ingest.js';
import { turns } from '../../support/time/turns.js';

/** What an upstream is charged for as long as it lives: a copy of its connect data. */
const standing = (upstream: Upstream): number => Buffer.byteLength(JSON.stringify(upstream.data));

interface Bench {
  readonly open: (frameId?: bigint) => Promise<KmpSender>;
  readonly pending: (frames: number) => Promise<void>;
  readonly gone: () => Promise<void>;
  readonly pass: (ms: number) => Promise<void>;
  readonly ledger: Ledger;
}

const key = { key: true };
const frames = (from: number, to: number, size = 3000): Buffer[] =>
  Array.from({ length: to - from }, (_, i) => frameAt((from + i) * 40, Buffer.alloc(size, 1), key));

/** Ways for a stream to come and go, while another stream keeps its upstream alive. */
const ways: Readonly<Record<string, (bench: Bench) => Promise<void>>> = {
  async 'frames and an end of stream'({ open, pending, gone, pass }) {
    const sender = await open();
    sender.send(videoMinf(), ...frames(0, 50));
    await pending(50);
    sender.end();
    await pass(2000);
    await gone();
  },
  async 'no frames at all'({ open, gone }) {
    const sender = await open();
    sender.send(videoMinf());
    sender.end();
    await gone();
  },
  async 'frames that are skipped'({ open, pending, gone, pass }) {
    const sender = await open();
    sender.send(
      frameAt(0, 'early'),
      videoMinf(),
      frameAt(0, 'no key'),
      frameAt(0, ''),
      ...frames(0, 3),
      frameAt(0, ''),
    );
    await pending(3);
    sender.end();
    await pass(2000);
    await gone();
  },
  async 'a sender that breaks off within a packet'({ open, pending, gone, pass, ledger }) {
    const sender = await open();
    sender.send(videoMinf(), ...frames(0, 3));
    await pending(3);
    const before = ledger.used;
    sender.send(...frames(3, 4, 50_000).map((packet) => packet.subarray(0, 30_000)));
    await eventually(() => ledger.used > before + 25_000, 'half a packet');
    sender.destroy();
    await pass(2000);
    await gone();
  },
  async 'a frame in many pieces'({ open, pending, gone, pass, ledger }) {
    const sender = await open();
    sender.send(videoMinf());
    const packet = Buffer.concat(frames(0, 1, 40_000));
    for (let at = 0; at < packet.length; at += 5000) {
      const before = ledger.used;
      sender.send(packet.subarray(at, at + 5000));
      if (at + 5000 < packet.length) await eventually(() => ledger.used !== before, 'a piece');
    }
    await pending(1);
    sender.end();
    await pass(2000);
    await gone();
  },
  async 'a sender that is wrong'({ open, pending, gone, pass }) {
    const sender = await open();
    sender.send(videoMinf(), ...frames(0, 3), Buffer.from('no KMP at all, but long enough to be a header'));
    await sender.closed;
    await pending(3);
    await pass(2000);
    await gone();
  },
  async 'a sender that reconnects and continues'({ open, pending, gone, pass }) {
    const first = await open();
    first.send(videoMinf(), ...frames(0, 10));
    await pending(10);
    first.destroy();
    const second = await open(5n);
    second.send(videoMinf(), ...frames(5, 20));
    await pending(20);
    second.end();
    await pass(2000);
    await gone();
  },
  async 'a sender that reconnects and begins again'({ open, pending, gone, pass }) {
    const first = await open(100n);
    first.send(videoMinf(), ...frames(0, 10));
    await pending(10);
    first.destroy();
    const second = await open(0n);
    second.send(videoMinf({ extraData: Buffer.alloc(500) }), ...frames(0, 3));
    await pending(3);
    second.end();
    await pass(2000);
    await gone();
  },
  async 'media infos that change'({ open, pending, gone, pass }) {
    const sender = await open();
    for (let i = 0; i < 10; i++) sender.send(videoMinf({ extraData: Buffer.alloc(i * 100, i) }), ...frames(i, i + 1));
    sender.send(videoMinf({ extraData: Buffer.alloc(5000) }));
    await pending(10);
    sender.end();
    await pass(2000);
    await gone();
  },
  async 'two tracks, one after the other'({ open, pending, gone, pass }) {
    const video = await open();
    video.send(videoMinf(), ...frames(0, 5));
    await pending(5);
    const audio = await open();
    audio.send(audioMinf(), frameAt(0, 'a'), frameAt(20, 'b'));
    await pending(7);
    video.end();
    await pass(700);
    audio.send(frameAt(40, 'c'));
    audio.end();
    await pass(2000);
    await gone();
  },
};

const variants: Readonly<Record<string, { settings?: Partial<MediaSettings>; script?: Script }>> = {
  'a server that says nothing': {},
  'a server that answers': { settings: { outStreamId: 'assume' }, script: { answers: true } },
  'reconnects allowed': { settings: { outStreamId: 'assume', outReconnects: 3 }, script: { answers: true } },
  'reconnects allowed, and a server that says nothing': { settings: { outReconnects: 3 } },
  'stream ids negotiated': { settings: { outStreamId: 'negotiate' }, script: { answers: true } },
  'stream ids negotiated with a server that has one': {
    settings: { outStreamId: 'negotiate' },
    script: { answers: true, streamIds: 'one' },
  },
  'small chunks and small buffers': { settings: { outChunkSize: 128, outBufferSize: 1000 } },
  'a flush timeout': { settings: { outFlushTimeout: 500, outBufferSize: 2000 } },
};

for (const [variant, { settings = {}, script = {} }] of Object.entries(variants)) {
  describe(`the ledger, with ${variant}`, { timeout: 90_000 }, () => {
    let ingest: ScriptableIngest;
    let service: KmpService;
    let clock: FakeClock;
    let keeper: KmpSender;
    let upstream: Upstream;
    const senders: KmpSender[] = [];

    async function open(name: string, frameId = 0n): Promise<KmpSender> {
      const url = `rtmp://127.0.0.1:${ingest.port}/app/${name}`;
      const sender = await KmpSender.open(service.port, { upstream_id: 'u1', url }, { frameId });
      senders.push(sender);
      return sender;
    }
    /** Lets time go by in steps, with turns of the event loop between them. */
    async function pass(ms: number): Promise<void> {
      for (let gone = 0; gone < ms; gone += 100) {
        clock.advance(100);
        await turns(3);
      }
    }
    const settled = (used: number): Promise<void> =>
      eventually(() => {
        clock.advance(100);
        return upstream.ledger.used === used;
      }, `${used} bytes (in the end ${upstream.ledger.used})`).catch((error: unknown) => {
        assert.equal(upstream.ledger.used, used, String(error));
      });

    beforeEach(async () => {
      clock = new FakeClock();
      clock.advance(1000);
      ingest = await ScriptableIngest.start(script);
      service = await startKmp({ outFlushTimeout: 0, outWriteMetaTimeout: 100, ...settings }, { clock });
      keeper = await open('keeper');
      keeper.send(audioMinf());
      upstream = await service.upstream('u1');
      await eventually(() => upstream.state === 'publishing', 'the connection');
      await pass(2000);
    });
    afterEach(async () => {
      for (const sender of senders.splice(0)) sender.destroy();
      await service.close();
      await ingest.close();
    });

    for (const [way, go] of Object.entries(ways)) {
      it(`is where it was after ${way}, and holds nothing in the end`, async () => {
        const before = upstream.ledger.used;
        const stream = () => upstream.status().streams['s'];
        await go({
          open: (frameId) => open('s', frameId),
          pending: (count) =>
            eventually(() => {
              const { video, audio } = stream()?.tracks ?? {};
              return (video?.pending_frames ?? 0) + (audio?.pending_frames ?? 0) === count;
            }, `${count} pending frames`),
          gone: () => eventually(() => stream() === undefined, 'the end of the stream'),
          pass,
          ledger: upstream.ledger,
        });
        await settled(before);
        keeper.end();
        assert.equal((await service.ended()).reason, 'done');
        assert.equal(upstream.ledger.used, standing(upstream));
      });
    }
  });
}

describe('the ledger, when a connection breaks', { timeout: 90_000 }, () => {
  it('forgets unsent frames of a stream that has ended', async () => {
    const clock = new FakeClock();
    clock.advance(1000);
    const ingest = await ScriptableIngest.start({ reads: 'never' });
    const service = await startKmp(
      { outFlushTimeout: 0, outWriteMetaTimeout: 0, outMinProcessDelay: 0, outMemLimit: 2 ** 27, outReconnects: 10 },
      { clock },
    );
    const url = `rtmp://127.0.0.1:${ingest.port}/app/`;
    const keeper = await KmpSender.open(service.port, { upstream_id: 'u1', url: `${url}keeper` });
    keeper.send(audioMinf());
    const upstream = await service.upstream('u1');
    const first = await ingest.next();
    await first.until(() => first.c2.length > 0);
    const sender = await KmpSender.open(service.port, { upstream_id: 'u1', url: `${url}s` });
    sender.send(audioMinf());
    await eventually(() => upstream.streams.has('s'), 'the stream');
    clock.advance(0);
    // 32 MB that nobody reads: some of it is with the kernel, some on its way, some still waits in the track.
    for (let i = 0; i < 32; i++) sender.send(frameAt(i, Buffer.alloc(2 ** 20)));
    const track = () => upstream.status().streams['s']?.tracks.audio;
    await eventually(() => track()?.input?.received_frames === 32, 'all frames');
    assert.ok(upstream.ledger.used > 2 ** 24);
    sender.end();
    ingest.script = { answers: true, forget: true };
    first.reset();
    await eventually(() => upstream.state === 'reconnecting', 'the break');
    await eventually(() => {
      clock.advance(1000);
      return upstream.state === 'publishing' && !upstream.streams.has('s');
    }, 'the end of the stream');
    keeper.end();
    assert.equal((await service.ended()).reason, 'done');
    assert.equal(upstream.ledger.used, standing(upstream));
    await service.close();
    await ingest.close();
  });
});
