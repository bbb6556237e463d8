import { afterEach, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { eventually } from '../../support/time/eventually.js';
import { FakeClock } from '../../support/time/fake-clock.js';
import { audioOf, kindsOf, mediaOf, videoOf } from '../../support/ingest/ingest-media.js';
import { frameAt } from '../../support/kmp/kmp-sender.js';
import { audioFrames, Live, names, videoFrames, type LiveOptions } from '../../support/service/live.js';
import type { IngestConnection } from '../../support/ingest/scriptable-ingest.js';

/** The Window Acknowledgement Sizes that were sent to the server. */
const windows = ({ messages }: IngestConnection): number[] =>
  messages.filter(({ type }) => type === 5).map(({ payload }) => payload.readUInt32BE(0));

describe('a server that acknowledges what it reads', { timeout: 90_000 }, () => {
  const clock = new FakeClock();
  let live: Live;

  async function start(options: LiveOptions = {}): Promise<void> {
    live = await Live.start({ clock, ...options, settings: { outReconnects: Infinity, ...options.settings } });
  }

  async function acknowledged(connection: IngestConnection): Promise<void> {
    const before = live.status().acked_bytes;
    connection.acknowledge();
    await eventually(() => live.status().acked_bytes > before, 'the acknowledgement');
  }

  /** Frames `from` .. `to` of both tracks have arrived. */
  async function send(
    senders: Awaited<ReturnType<Live['both']>>,
    connection: IngestConnection,
    from: number,
    to: number,
  ): Promise<void> {
    senders.video.send(...videoFrames(from, to));
    senders.audio.send(...audioFrames(from, to));
    await connection.until(
      () => videoOf(connection).includes(`v${to - 1}`) && audioOf(connection).includes(`a${to - 1}`),
    );
  }

  async function restart(): Promise<IngestConnection> {
    await live.killServer();
    await live.state('reconnecting');
    await live.startServer();
    clock.advance(30_000);
    return live.ingest.next();
  }

  afterEach(async () => {
    await live.close();
    clock.advance(60_000);
  });

  it('gets again only the pictures that the next ones need, and their sound', async () => {
    await start();
    const senders = await live.both();
    const first = await live.ingest.next();
    await send(senders, first, 0, 13);
    await first.until(() => windows(first).length === 1);
    await acknowledged(first);
    assert.equal(live.status().acked_bytes, 3073 + first.receivedBytes);
    const second = await restart();
    await send(senders, second, 13, 16);
    assert.deepEqual(kindsOf(second).slice(0, 4), ['metadata', 'video header', 'audio header', 'video']);
    assert.deepEqual(videoOf(second), names('v', 10, 16));
    assert.deepEqual(audioOf(second), names('a', 10, 16));
    const times = mediaOf(second)
      .filter(({ kind }) => kind === 'video' || kind === 'audio')
      .map(({ ms }) => ms);
    assert.deepEqual(
      times,
      [...times].sort((a, b) => a - b),
    );
    const { tracks } = live.status().streams['s'] ?? {};
    assert.deepEqual([tracks?.video?.resent_frames, tracks?.audio?.resent_frames], [3, 3]);
    assert.deepEqual([tracks?.video?.sent_frames, tracks?.audio?.sent_frames], [16, 16]);
  });

  it('gets again all frames that it has not acknowledged, from a key frame on', async () => {
    await start();
    const senders = await live.both();
    const first = await live.ingest.next();
    await send(senders, first, 0, 8);
    await acknowledged(first);
    await send(senders, first, 8, 13);
    const second = await restart();
    await send(senders, second, 13, 16);
    assert.deepEqual(videoOf(second), names('v', 5, 16));
    assert.deepEqual(audioOf(second), names('a', 5, 16));
  });

  it('gets old frames again, too, if it should have acknowledged them by now', async () => {
    await start();
    const sender = await live.audio();
    await eventually(() => live.upstream?.status().streams['s']?.tracks.audio !== undefined, 'the track');
    clock.advance(3000);
    const first = await live.ingest.next();
    sender.send(...audioFrames(0, 2));
    await first.until(() => audioOf(first).includes('a1'));
    await acknowledged(first);
    // A window of 16 KiB is full.
    sender.send(frameAt(100, `a2${' '.repeat(17_000)}`), ...audioFrames(3, 5));
    await first.until(() => audioOf(first).includes('a4'));
    clock.advance(5000);
    sender.send(...audioFrames(5, 6));
    await first.until(() => audioOf(first).includes('a5'));
    await live.state('publishing');
    const second = await restart();
    await second.until(() => audioOf(second).includes('a5'));
    assert.deepEqual(
      audioOf(second).map((text) => text.trim()),
      names('a', 2, 6),
    );
  });

  it('gets recent frames again that it may not have acknowledged yet', async () => {
    await start();
    const sender = await live.audio();
    await eventually(() => live.upstream?.status().streams['s']?.tracks.audio !== undefined, 'the track');
    clock.advance(3000);
    const first = await live.ingest.next();
    sender.send(...audioFrames(0, 2));
    await first.until(() => audioOf(first).includes('a1'));
    await acknowledged(first);
    sender.send(...audioFrames(2, 5));
    await first.until(() => audioOf(first).includes('a4'));
    await eventually(() => live.status().sent_bytes === first.receivedBytes + 3073, 'all to be sent');
    clock.advance(5000);
    sender.send(...audioFrames(5, 6));
    await first.until(() => audioOf(first).includes('a5'));
    await eventually(() => live.status().sent_bytes === first.receivedBytes + 3073, 'all to be sent');
    const second = await restart();
    await second.until(() => audioOf(second).includes('a5'));
    assert.deepEqual(audioOf(second), ['a5']);
  });

  it('is ignored if it acknowledges more than it was sent', async () => {
    await start();
    const senders = await live.both();
    const first = await live.ingest.next();
    await send(senders, first, 0, 13);
    const before = live.status().received_bytes;
    first.acknowledge(1_000_000);
    await eventually(() => live.status().received_bytes > before, 'the acknowledgement');
    const second = await restart();
    await send(senders, second, 13, 16);
    assert.equal(live.status().acked_bytes, 0);
    assert.deepEqual([videoOf(second), audioOf(second)], [names('v', 0, 16), names('a', 0, 16)]);
  });

  it('is asked to acknowledge four times a second, by the bitrate of the tracks', async () => {
    await start();
    const sender = await live.video({}, { bitrate: 8_000_000 });
    const first = await live.ingest.next();
    await first.command('publish');
    await first.message(({ type }) => type === 5);
    assert.deepEqual(windows(first), [250_000]);
    // Not again for a little more.
    await live.audio({}, { bitrate: 128_000 });
    sender.send(...videoFrames(0, 1));
    await first.until(() => videoOf(first).includes('v0'));
    assert.deepEqual(windows(first), [250_000]);
  });

  for (const [bitrate, window] of [
    [0, 65_536],
    [500_000, 16_384],
    [1_000_000, 31_250],
    [100_000_000, 1_048_576],
  ] as const) {
    it(`is asked to acknowledge every ${window} bytes of a track with ${bitrate} bit/s`, async () => {
      await start();
      await live.video({}, { bitrate });
      const first = await live.ingest.next();
      await first.message(({ type }) => type === 5);
      assert.deepEqual(windows(first), [window]);
    });
  }

  it('is asked again when the bitrate has doubled, and not when it sends a ping', async () => {
    await start();
    await live.video({}, { bitrate: 8_000_000 });
    const first = await live.ingest.next();
    await first.until(() => windows(first).length === 1);
    // User Control, Ping Request, and its answer.
    first.send({ type: 4, payload: Buffer.of(0, 6, 0, 0, 0, 1) });
    await first.message(({ type, payload }) => type === 4 && payload[1] === 7);
    await live.audio({}, { bitrate: 8_000_000 });
    await first.until(() => windows(first).length === 2);
    assert.deepEqual(windows(first), [250_000, 500_000]);
  });

  it('is asked after the answer to its Set Peer Bandwidth, which contains a window, too', async () => {
    await start({ script: { peerBandwidth: { window: 5_000_000, limitType: 0 } } });
    await live.video({}, { bitrate: 8_000_000 });
    const first = await live.ingest.next();
    await first.until(() => windows(first).length === 2);
    assert.deepEqual(windows(first), [5_000_000, 250_000]);
    first.send({ type: 6, payload: Buffer.of(0, 0, 0x4e, 0x20, 0) });
    await first.until(() => windows(first).length === 3);
    first.send({ type: 6, payload: Buffer.of(0, 0x4c, 0x4b, 0x40, 0) });
    await first.until(() => windows(first).length === 5);
    // Never more than it allows.
    assert.deepEqual(windows(first).slice(2), [20_000, 5_000_000, 250_000]);
  });

  for (const [what, options] of Object.entries<LiveOptions>({
    'reconnects are off': { settings: { outReconnects: 0 } },
    'nothing is sent again': { settings: { outResend: 0 } },
    'it has not answered connect': { script: { answers: false }, settings: { outStreamId: 'assume' } },
  })) {
    it(`is not asked to acknowledge while ${what}`, async () => {
      await start(options);
      const sender = await live.audio();
      await eventually(() => live.upstream?.status().streams['s']?.tracks.audio !== undefined, 'the track');
      clock.advance(3000);
      sender.send(...audioFrames(0, 2));
      const first = await live.ingest.next();
      await first.until(() => audioOf(first).includes('a1'));
      assert.deepEqual(windows(first), []);
    });
  }
});
