import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import type { MediaSettings } from '../../../lib/config/settings.js';
import { eventually } from '../../support/time/eventually.js';
import { FakeClock } from '../../support/time/fake-clock.js';
import { internalsOff } from '../../support/node/internals-off.js';
import { audioMinf, frameAt, KmpSender } from '../../support/kmp/kmp-sender.js';
import { startKmp, type KmpService } from '../../support/service/kmp-service.js';
import { ScriptableIngest } from '../../support/ingest/scriptable-ingest.js';

/** ms between two turns with the defaults; the first upstream of a clock has its turns at whole periods. */
const PERIOD = 230;

describe('turns, on a clock that the spec sets', { timeout: 90_000 }, () => {
  let ingest: ScriptableIngest;
  let service: KmpService;
  let clock: FakeClock;
  let sender: KmpSender;

  async function start(settings: Partial<MediaSettings> = {}): Promise<void> {
    service = await startKmp({ outWriteMetaTimeout: 0, outOnfiPeriod: 0, ...settings }, { clock });
    sender = await KmpSender.open(service.port, { upstream_id: 'u1', url: `rtmp://127.0.0.1:${ingest.port}/app/s` });
  }
  const track = () => service.registry.get('u1')?.status().streams['s']?.tracks.audio;

  beforeEach(async () => {
    clock = new FakeClock();
    ingest = await ScriptableIngest.start();
  });
  afterEach(async () => {
    sender.destroy();
    await service.close();
    await ingest.close();
  });

  it('merge a frame at the first turn after its time, not at its time', async () => {
    await start();
    sender.send(audioMinf(), frameAt(0, 'a'));
    await eventually(() => track()?.input?.received_frames === 1, 'the frame');
    const connection = await ingest.next();
    await eventually(() => service.registry.get('u1')?.state === 'publishing', 'the handshake');
    // It came at 0 ms and has to wait 500 ms (kmp_rtmp_out_min_process_delay).
    clock.advance(3 * PERIOD - 0.25);
    assert.equal(track()?.sent_frames, 0);
    clock.advance(0.25);
    assert.equal(track()?.sent_frames, 1);
    // It is written at this turn, whatever kmp_rtmp_out_flush_timeout says: the clock stands still.
    await connection.message(({ type, payload }) => type === 8 && payload.includes('a', 2));
  });

  it(
    'end the connection of a sender whose bytes are invalid, however many there are',
    { skip: internalsOff },
    async () => {
      await start({ inReadInterval: 230 });
      sender.send(audioMinf());
      await eventually(() => track() !== undefined, 'the track');
      // More than one block: the rest of it is read after the error.
      sender.socket.write(Buffer.alloc(400_000, 'A'));
      await eventually(() => {
        clock.advance(PERIOD / 8);
        return sender.isClosed;
      }, 'the end of the connection');
      assert.match(service.log.text, /error KMP connection closed: KMP packet "AAAA"/);
    },
  );

  it('read a socket at no other time', { skip: internalsOff }, async () => {
    await start({ inReadInterval: 230 });
    sender.send(audioMinf());
    await eventually(() => track() !== undefined, 'the track');
    await new Promise((resolve) => sender.socket.write(frameAt(0, 'a'), resolve));
    // The kernel has the frame, and whatever turns the event loop makes, nobody reads it.
    for (let turn = 0; turn < 100; turn++) await new Promise((resolve) => setImmediate(resolve));
    assert.equal(track()?.input?.received_frames, 0);
    await eventually(() => {
      clock.advance(PERIOD / 8);
      return track()?.input?.received_frames === 1;
    }, 'the frame');
  });
});
