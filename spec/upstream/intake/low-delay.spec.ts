import { afterEach, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import type { MediaSettings } from '../../../lib/config/settings.js';
import { eventually } from '../../support/time/eventually.js';
import { FakeClock } from '../../support/time/fake-clock.js';
import { framesOf } from '../../support/ingest/ingest-media.js';
import { frameAt, type KmpSender } from '../../support/kmp/kmp-sender.js';
import { Live } from '../../support/service/live.js';
import type { IngestConnection } from '../../support/ingest/scriptable-ingest.js';
import { turns } from '../../support/time/turns.js';

/** min_process_delay and max_process_delay as documented: 500 ms and 1 s. */
const DELAYS = { outMinProcessDelay: 500, outMaxProcessDelay: 1000 } as const;

describe('kmp_rtmp_out_early_release', { timeout: 90_000 }, () => {
  let clock: FakeClock;
  let live: Live;
  let video: KmpSender;
  let audio: KmpSender;
  let connection: IngestConnection;
  const counts = { video: 0, audio: 0 };

  async function start(settings: Partial<MediaSettings> = {}): Promise<void> {
    clock = new FakeClock();
    live = await Live.start({ clock, settings: { ...DELAYS, outEarlyRelease: true, ...settings } });
    ({ video, audio } = await live.both());
    connection = await live.ingest.next();
    Object.assign(counts, { video: 0, audio: 0 });
    await eventually(() => live.upstream?.streams.get('s')?.settled === true, 'both tracks');
    await live.confirmed(1);
  }

  /** Sends one frame, whose name is its kind and time, and waits until the service has it. */
  async function send(kind: 'video' | 'audio', ms: number): Promise<void> {
    const sender = kind === 'video' ? video : audio;
    sender.send(frameAt(ms, `${kind}${ms}`, { key: kind === 'video' }));
    await live.received(kind, ++counts[kind]);
  }

  /** What has come once nothing more does: the answer to a ping comes behind all that was written. */
  async function came(): Promise<string[]> {
    const pongs = (): number => connection.messages.filter(({ type }) => type === 4).length;
    const before = pongs();
    connection.ping(1);
    await connection.until(() => pongs() > before);
    return framesOf(connection);
  }

  afterEach(() => live.close());

  it('releases a frame as soon as every track of its stream has a later one', async () => {
    await start();
    await send('video', 0);
    assert.deepEqual(await came(), []);
    await send('audio', 10);
    assert.deepEqual(await came(), ['video0']);
    await send('video', 40);
    assert.deepEqual(await came(), ['video0', 'audio10']);
    await send('audio', 33);
    assert.deepEqual(await came(), ['video0', 'audio10', 'audio33']);
    await send('audio', 56);
    assert.deepEqual(await came(), ['video0', 'audio10', 'audio33', 'video40']);
    // No time has passed at all.
    assert.equal(clock.now(), 0);
  });

  it('releases frames with the same time in the order in which they arrived', async () => {
    await start();
    await send('audio', 0);
    await send('video', 0);
    assert.deepEqual(await came(), ['audio0']);
    await send('audio', 20);
    assert.deepEqual(await came(), ['audio0', 'video0']);
  });

  it('is bounded by min_process_delay where the other track is silent', async () => {
    await start();
    await send('video', 0);
    clock.advance(499);
    assert.deepEqual(await came(), []);
    clock.advance(1);
    assert.deepEqual(await came(), ['video0']);
  });

  it('waits for no track whose sender has left', async () => {
    await start();
    await send('video', 0);
    audio.end();
    await audio.closed;
    await eventually(() => live.upstream?.streams.get('s')?.tracks.audio === undefined, 'the end of the track');
    assert.deepEqual(await came(), ['video0']);
    await send('video', 40);
    assert.deepEqual(await came(), ['video0', 'video40']);
  });

  it('writes the frames in front of invalid bytes, and ends only that connection', async () => {
    await start();
    await send('video', 0);
    audio.send(Buffer.concat([frameAt(10, 'audio10'), Buffer.alloc(64, 0xff), frameAt(33, 'audio33')]));
    await audio.closed;
    await eventually(() => live.upstream?.streams.get('s')?.tracks.audio?.input === undefined, 'the end of the input');
    await send('video', 40);
    assert.deepEqual(await came(), ['video0', 'audio10', 'video40']);
  });

  it('does not delay a stream because of another one', async () => {
    await start();
    const other = await live.both({ url: live.url('other') });
    await eventually(() => live.upstream?.streams.get('other')?.settled === true, 'the other stream');
    other.video.send(frameAt(0, 'other0', { key: true }));
    await live.received('video', 1, 'other');
    await send('video', 1000);
    await send('audio', 1010);
    assert.deepEqual(await came(), ['video1000']);
    other.audio.send(frameAt(20, 'other20'));
    await live.received('audio', 1, 'other');
    assert.deepEqual(await came(), ['video1000', 'other0']);
  });

  it('keeps the order when the times of a track jump back', async () => {
    await start();
    await send('video', 5000);
    await send('audio', 5010);
    assert.deepEqual(await came(), ['video5000']);
    // The jump: this track gets there first, and the other one's frames are the later ones now.
    await send('video', 0);
    assert.deepEqual(await came(), ['video5000', 'video0']);
    await send('audio', 5030);
    assert.deepEqual(await came(), ['video5000', 'video0']);
    // max_process_delay ends what would be a wait for ever.
    clock.advance(1000);
    assert.deepEqual(await came(), ['video5000', 'video0', 'audio5010', 'audio5030']);
  });

  it('is off by default: every frame waits for min_process_delay', async () => {
    await start({ outEarlyRelease: false });
    await send('video', 0);
    await send('audio', 10);
    await send('video', 40);
    await send('audio', 50);
    clock.advance(499);
    assert.deepEqual(await came(), []);
    clock.advance(1);
    assert.deepEqual(await came(), ['video0', 'audio10', 'video40', 'audio50']);
  });
});

describe('kmp_rtmp_out_flush_timeout', { timeout: 90_000 }, () => {
  const clock = new FakeClock();
  let live: Live;

  async function publish(
    settings: Partial<MediaSettings>,
  ): Promise<{ sender: KmpSender; connection: IngestConnection }> {
    live = await Live.start({ clock, settings });
    const { audio: sender } = await live.both();
    const connection = await live.ingest.next();
    await eventually(() => live.upstream?.streams.get('s')?.settled === true, 'both tracks');
    await live.confirmed(1);
    return { sender, connection };
  }

  afterEach(() => live.close());

  it('0 sends bytes at once', async () => {
    const { sender, connection } = await publish({ outFlushTimeout: 0 });
    sender.send(frameAt(0, 'first'), frameAt(20, 'second'));
    await connection.until(() => framesOf(connection).length === 2);
  });

  it('gathers bytes until it has passed', async () => {
    const { sender, connection } = await publish({ outFlushTimeout: 300 });
    clock.advance(300);
    await connection.until(() => connection.messages.some(({ type }) => type === 18));
    sender.send(frameAt(0, 'first'));
    await live.received('audio', 1);
    clock.advance(200);
    sender.send(frameAt(20, 'second'));
    await live.received('audio', 2);
    await turns();
    assert.deepEqual(framesOf(connection), []);
    clock.advance(100);
    await connection.until(() => framesOf(connection).length === 2);
  });

  it('is not waited for when kmp_rtmp_out_buffer_size is reached', async () => {
    const { sender, connection } = await publish({ outFlushTimeout: 300, outBufferSize: 4096 });
    sender.send(frameAt(0, Buffer.alloc(5000)));
    await connection.until(() => framesOf(connection).length === 1);
  });
});
