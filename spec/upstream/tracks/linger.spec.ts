import { afterEach, beforeEach, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import type { MediaSettings } from '../../../lib/config/settings.js';
import { eventually } from '../../support/time/eventually.js';
import { FakeClock } from '../../support/time/fake-clock.js';
import { framesOf, kindsOf, mediaOf } from '../../support/ingest/ingest-media.js';
import { audioMinf, frameAt, KmpSender, videoMinf } from '../../support/kmp/kmp-sender.js';
import { audioFrames, Live, names, videoFrames } from '../../support/service/live.js';
import type { IngestConnection } from '../../support/ingest/scriptable-ingest.js';

const LINGER = 10_000;

/** Eight frames of each have been published: video at 0 to 280 ms, audio at 10 to 290 ms. */
describe('kmp_rtmp_out_linger: the stream stays published while its senders are away', { timeout: 90_000 }, () => {
  let clock: FakeClock;
  let live: Live;
  let connection: IngestConnection;
  let senders: { video: KmpSender; audio: KmpSender };

  async function start(settings: Partial<MediaSettings> = {}): Promise<void> {
    clock = new FakeClock();
    live = await Live.start({ clock, settings: { outLinger: LINGER, inAck: 'frame', ...settings } });
    senders = await live.both();
    connection = await live.ingest.next();
    senders.video.send(...videoFrames(0, 8));
    senders.audio.send(...audioFrames(0, 8));
    await connection.until(() => framesOf(connection).length === 16);
    await live.state('publishing');
  }
  const tracks = () => live.status().streams['s']?.tracks ?? {};
  const noSender = (kind: 'video' | 'audio'): Promise<void> =>
    eventually(() => tracks()[kind]?.input === null, `no sender of ${kind}`);

  async function away(ms = 3000): Promise<void> {
    senders.video.destroy();
    senders.audio.destroy();
    await live.state('input_lost');
    clock.advance(ms);
  }
  async function bothBack(frameId: bigint, video: Buffer[], audio: Buffer[]): Promise<void> {
    senders = { audio: await live.reopen(audioMinf(), frameId), video: await live.reopen(videoMinf(), frameId) };
    senders.audio.send(...audio);
    await eventually(() => tracks().audio?.input_lost === null, 'audio');
    senders.video.send(...video);
    await eventually(() => tracks().video?.input_lost === null, 'video');
  }
  /** Settles with the time of the frame of that payload. */
  async function timeOf(name: string): Promise<number> {
    await connection.until(() => framesOf(connection).includes(name));
    return mediaOf(connection).find(({ text }) => text === name)?.ms ?? NaN;
  }
  function onePublish(): void {
    assert.equal(live.ingest.connections.length, 1);
    assert.deepEqual(
      connection.commands().map(([name]) => name),
      ['connect', 'releaseStream', 'FCPublish', 'createStream', 'publish'],
    );
    assert.deepEqual(kindsOf(connection).slice(0, 3), ['metadata', 'video header', 'audio header']);
    assert.ok(!kindsOf(connection).slice(3).includes('metadata'));
  }

  afterEach(() => live.close());

  describe('a sender that returns', () => {
    beforeEach(() => start());

    for (const [way, leave] of Object.entries({
      'closed its connection': (sender: KmpSender) => sender.destroy(),
      'was killed': (sender: KmpSender) => sender.socket.resetAndDestroy(),
      'ended the stream': (sender: KmpSender) => sender.end(),
    })) {
      it(`continues on the same stream after it ${way}`, async () => {
        leave(senders.video);
        leave(senders.audio);
        await live.state('input_lost');
        clock.advance(3000);
        await bothBack(8n, [frameAt(3320, 'v8', { key: true })], [frameAt(3330, 'a8')]);
        assert.deepEqual([await timeOf('v8'), await timeOf('a8')], [3320, 3330]);
        onePublish();
        await live.state('publishing');
        await live.finishAfter(() => clock.advance(LINGER));
      });
    }

    it('with what it had kept: its timestamps stay', async () => {
      await away();
      await bothBack(8n, videoFrames(8, 12), audioFrames(8, 12));
      assert.deepEqual([await timeOf('v8'), await timeOf('v11'), await timeOf('a8')], [320, 440, 330]);
      onePublish();
    });

    it('with frames that are known: they are not sent again', async () => {
      await away();
      await bothBack(5n, videoFrames(5, 12), audioFrames(5, 12));
      await connection.until(() => framesOf(connection).length === 24);
      assert.deepEqual(framesOf(connection).sort(), [...names('a', 0, 12), ...names('v', 0, 12)].sort());
    });

    it('as another process, at 0: it goes on by the time that has passed, sound and picture together', async () => {
      await away();
      await bothBack(0n, videoFrames(0, 3).map(renamed), audioFrames(0, 3).map(renamed));
      assert.deepEqual([await timeOf('N0'), await timeOf('M0'), await timeOf('N2')], [3290 - 10, 3290, 3360]);
      onePublish();
    });

    it('as another process, at a time far ahead', async () => {
      await away();
      const [video, audio] = [frameAt(900_000, 'N0', { key: true }), frameAt(900_020, 'M0')];
      await bothBack(0n, [video], [audio]);
      assert.deepEqual([await timeOf('M0'), await timeOf('N0')], [3290, 3270]);
    });

    it('as another process, whose clock says how long it was away', async () => {
      senders.audio.send(frameAt(330, 'a8', { created: 5330 }));
      senders.video.send(frameAt(320, 'v8', { created: 5320 }));
      await connection.until(() => framesOf(connection).length === 18);
      await away();
      const [video, audio] = [frameAt(0, 'N0', { key: true, created: 8500 }), frameAt(10, 'M0', { created: 8510 })];
      await bothBack(0n, [video], [audio]);
      assert.deepEqual([await timeOf('M0'), await timeOf('N0')], [3510, 3500]);
    });

    it('is taken again and again, and timestamps never go back', async () => {
      for (let i = 0; i < 5; i++) {
        await away(500 * i + 200);
        await bothBack(0n, videoFrames(0, 3).map(renamed), audioFrames(0, 3).map(renamed));
      }
      await connection.until(() => framesOf(connection).length === 16 + 5 * 6);
      for (const kind of ['video', 'audio']) {
        const times = mediaOf(connection).flatMap((one) => (one.kind === kind ? [one.ms] : []));
        assert.deepEqual(
          times,
          [...times].sort((a, b) => a - b),
          kind,
        );
      }
      onePublish();
    });

    it('with other media: metadata and its header come first', async () => {
      await away();
      senders.video = await live.reopen(videoMinf({ extraData: Buffer.from('avcC other') }), 0n);
      senders.video.send(frameAt(0, 'N0', { key: true }));
      assert.equal(await timeOf('N0'), 3290);
      const last = mediaOf(connection).slice(-3);
      assert.deepEqual(
        last.map(({ kind, ms, text }) => [kind, ms, text]),
        [
          ['metadata', 3290, ''],
          ['video header', 3290, 'avcC other'],
          ['video', 3290, 'N0'],
        ],
      );
    });

    it('for one of its tracks: the other one goes on meanwhile', async () => {
      senders.audio.destroy();
      await noSender('audio');
      assert.equal(live.status().state, 'publishing');
      clock.advance(3000);
      senders.video.send(frameAt(3280, 'v8', { key: true }));
      await timeOf('v8');
      senders.audio = await live.reopen(audioMinf(), 0n);
      senders.audio.send(frameAt(0, 'M0'));
      assert.equal(await timeOf('M0'), 3290);
      onePublish();
    });

    it('is not acknowledged what another one has sent, and resumes behind what was', async () => {
      // Acks are sent at most every 100 ms.
      clock.advance(200);
      await senders.audio.acked(8n);
      await away();
      const { video, audio } = senders;
      await bothBack(8n, videoFrames(8, 10), audioFrames(8, 10));
      await connection.until(() => framesOf(connection).length === 20);
      clock.advance(200);
      await senders.audio.acked(10n);
      assert.equal(audio.lastAck, 8n);
      assert.ok((video.lastAck ?? 0n) <= 8n);
      assert.deepEqual(
        senders.audio.acks.filter((id) => id < 8n),
        [],
      );
    });
  });

  it('a sender that freezes, and another one that replaces it', async () => {
    await start({ inReadTimeout: 1000 });
    await live.state('input_lost');
    await eventually(() => senders.audio.isClosed && senders.video.isClosed, 'the end of both connections');
    assert.match(
      live.service.log.text,
      /warn input_lost: no audio arrives: the sender has sent nothing for kmp_rtmp_in/,
    );
    clock.advance(3000);
    senders.audio = await live.reopen(audioMinf(), 0n);
    senders.audio.send(frameAt(0, 'M0'));
    assert.equal(await timeOf('M0'), 3290);
    onePublish();
  });

  it('nobody returns: the stream ends after that time', async () => {
    await start();
    await away(LINGER - 1);
    assert.equal(live.status().state, 'input_lost');
    assert.equal(tracks().video?.input_lost, 9);
    clock.advance(1);
    const { reason } = await live.service.ended();
    assert.equal(reason, 'done');
    await connection.closed;
    assert.deepEqual(
      connection
        .commands()
        .map(([name]) => name)
        .slice(5),
      ['FCUnpublish', 'deleteStream'],
    );
  });

  it('a sender that connects and sends nothing does not keep the stream published without end', async () => {
    await start();
    await away(LINGER / 2);
    senders.video = await live.reopen(videoMinf(), 8n);
    await eventually(() => tracks().video?.input !== null, 'the sender');
    clock.advance(LINGER);
    assert.deepEqual(Object.keys(tracks()), ['video']);
    senders.video.destroy();
    await noSender('video');
    clock.advance(LINGER);
    assert.equal((await live.service.ended()).reason, 'done');
  });

  it('DELETE of the API ends it at once', async () => {
    await start();
    await away();
    live.upstream?.drop('api_delete', false);
    assert.equal((await live.service.ended()).reason, 'api_delete');
  });

  it('the end of the service ends it at once', async () => {
    await start();
    await away();
    await live.service.registry.drain();
    assert.equal((await live.service.ended()).reason, 'shutdown');
  });

  it('a sender for another destination: the old one is ended at once', async () => {
    await start();
    await away();
    const old = live.upstream;
    const other = await KmpSender.open(live.service.port, {
      upstream_id: 'u1',
      url: `rtmp://127.0.0.1:${live.ingest.port}/other/s`,
    });
    live.senders.push(other);
    other.send(videoMinf(), ...videoFrames(0, 2));
    const ended = await live.service.ended();
    assert.equal(ended.upstream, old);
    assert.equal(ended.reason, 'done');
  });

  it('a connection that breaks meanwhile is made again, with metadata and headers', async () => {
    await start({ outReconnects: Infinity, outResend: 0 });
    await away();
    await live.killServer();
    await live.state('reconnecting');
    await live.startServer();
    clock.advance(1000);
    connection = await live.ingest.next();
    await connection.until(() => kindsOf(connection).length === 3);
    assert.deepEqual(kindsOf(connection), ['metadata', 'video header', 'audio header']);
    await live.state('input_lost');
    // Sound waits for the first picture on a new connection.
    senders.video = await live.reopen(videoMinf(), 0n);
    senders.video.send(...videoFrames(0, 3).map(renamed));
    assert.equal(await timeOf('N0'), 4290);
    senders.audio = await live.reopen(audioMinf(), 0n);
    senders.audio.send(...audioFrames(0, 3).map(renamed));
    assert.equal(await timeOf('M0'), 4300);
  });

  it('longer than a minute: a connection that breaks meanwhile is still made again', async () => {
    await start({ outReconnects: Infinity, outResend: 0, outLinger: 300_000 });
    await away(200_000);
    await live.killServer();
    await live.state('reconnecting');
    await live.startServer();
    clock.advance(1000);
    connection = await live.ingest.next();
    await connection.until(() => kindsOf(connection).length === 3);
  });

  it('each of several streams has its own time', async () => {
    await start();
    const other = await live.both({ url: live.url('other') });
    other.video.send(frameAt(0, 'o0', { key: true }));
    await connection.until(() => framesOf(connection).includes('o0'));
    senders.video.destroy();
    senders.audio.destroy();
    await noSender('video');
    await noSender('audio');
    assert.equal(live.status().state, 'publishing');
    clock.advance(LINGER);
    assert.deepEqual(Object.keys(live.status().streams), ['other']);
    // Its senders have sent nothing for as long; without new frames, its input counts as stalled.
    other.video.send(frameAt(40, 'o1'));
    other.audio.send(frameAt(40, 'p1'));
    await live.received('video', 2, 'other');
    await live.received('audio', 1, 'other');
    assert.equal(live.status().state, 'publishing');
  });

  it('loss and return are reported, and the API has their times', async () => {
    await start();
    await away(3000);
    assert.equal(tracks().audio?.input_lost, 3);
    await bothBack(8n, videoFrames(8, 10), audioFrames(8, 10));
    const lines = live.service.log.text.split('\n').filter((line) => /input_(lost|back)/.test(line));
    assert.equal(lines.length, 4);
    assert.match(lines[0] ?? '', /warn input_lost: no (video|audio) arrives: the connection of the sender is closed/);
    assert.match(lines[2] ?? '', /info input_back: audio arrives again after 3000 ms/);
    assert.match(lines[3] ?? '', /info input_back: video arrives again after 3000 ms/);
  });
});

/** v0 -> N0, a0 -> M0: a packet of another process with the same times. */
function renamed(packet: Buffer): Buffer {
  const at = packet.length - 2;
  packet.write(packet.toString('latin1', at, at + 1) === 'v' ? 'N' : 'M', at, 'latin1');
  return packet;
}
