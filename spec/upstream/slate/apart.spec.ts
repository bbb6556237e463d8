import { afterEach, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { FakeClock } from '../../support/time/fake-clock.js';
import { framesOf, mediaOf } from '../../support/ingest/ingest-media.js';
import { audioFrames, Live, videoFrames } from '../../support/service/live.js';

/** AAC-LC, 48 kHz, stereo: a frame lasts 21.33 ms. */
const ASC = Buffer.from([0x11, 0x90]);

describe('a slate for tracks that do not arrive together', { timeout: 90_000 }, () => {
  let live: Live;
  afterEach(() => live.close());

  it('fills the sound from its last frame on, although the pictures were seconds ahead', async () => {
    const clock = new FakeClock();
    live = await Live.start({ clock, settings: { outLinger: 60_000, inAck: 'frame', outSlate: 'freeze' } });
    const video = await live.video();
    const audio = await live.audio({}, { extraData: ASC });
    const connection = await live.ingest.next();
    video.send(...videoFrames(0, 100));
    audio.send(...audioFrames(0, 5));
    await connection.until(() => framesOf(connection).length === 105);
    await live.state('publishing');
    video.destroy();
    audio.destroy();
    await live.state('input_lost');
    clock.advance(4000);
    const sound = (): number[] => mediaOf(connection).flatMap(({ kind, ms }) => (kind === 'audio' ? [ms] : []));
    await connection.until(() => (sound().at(-1) ?? 0) > 7000);
    const gaps = sound().map((ms, i, all) => (i < 5 ? 0 : ms - (all[i - 1] ?? 0)));
    assert.ok(Math.max(...gaps) <= 50, `a gap of ${Math.max(...gaps)} ms`);
  });
});
