import { afterEach, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { eventually } from '../../support/time/eventually.js';
import { FakeClock } from '../../support/time/fake-clock.js';
import { framesOf } from '../../support/ingest/ingest-media.js';
import { frameAt } from '../../support/kmp/kmp-sender.js';
import { Live } from '../../support/service/live.js';
import { DeferredActions } from '../../../lib/upstream/connection/deferred-actions.js';

describe('what waits for the answer to connect', { timeout: 90_000 }, () => {
  const clock = new FakeClock();
  let live: Live | undefined;

  afterEach(async () => {
    await live?.close();
    live = undefined;
  });

  it('does not grow while a sender comes and goes, and the stream is published in the end', async (t) => {
    const lengths: number[] = [];
    const add = t.mock.method(DeferredActions.prototype, 'add');
    const addEnd = t.mock.method(DeferredActions.prototype, 'addEnd');
    live = await Live.start({ clock, script: { unanswered: ['connect'] }, settings: { outWriteMetaTimeout: 0 } });
    const { service, ingest } = live;
    for (let i = 0; i < 20; i++) {
      const sender = await live.audio();
      sender.send(frameAt(i * 20, `a${i}`));
      const track = (): unknown => live?.upstream?.streams.get('s')?.tracks.audio?.input;
      await eventually(() => track() !== undefined, `sender ${i}`);
      clock.advance(0);
      sender.destroy();
      await eventually(() => service.counter.open === 0, 'the end of the connection');
      for (const { this: one } of [...add.mock.calls, ...addEnd.mock.calls]) {
        if (one instanceof DeferredActions) lengths.push(one.length);
      }
    }
    assert.ok(lengths.length > 20);
    assert.ok(Math.max(...lengths) <= 3, `${Math.max(...lengths)} actions`);
    const connection = await ingest.next();
    const success = { level: 'status', code: 'NetConnection.Connect.Success', description: '' };
    connection.sendCommand(0, '_result', 1, null, success);
    await connection.until(() => framesOf(connection).length > 0);
  });
});
