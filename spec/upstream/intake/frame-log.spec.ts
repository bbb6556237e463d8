import { afterEach, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import type { MediaSettings } from '../../../lib/config/settings.js';
import { KmpSender, frameAt, videoMinf } from '../../support/kmp/kmp-sender.js';
import { startKmp, type KmpService } from '../../support/service/kmp-service.js';
import { ScriptableIngest } from '../../support/ingest/scriptable-ingest.js';

const quick = { outMinProcessDelay: 0, outFlushTimeout: 0, outWriteMetaTimeout: 0 } as const;

/** The frames that are sent: a key frame, one that has B-frame delay, an empty one, which does not count. */
const lines = {
  // md5sum of "first"
  key: {
    id: 41,
    created: 90_000_000,
    dts: 900,
    flags: 1,
    pts_delay: 0,
    size: 5,
    md5: '8b04d5e3775d298e78455efc5ca404d5',
  },
  // md5sum of "second frame"
  second: {
    id: 42,
    created: 90_001_800,
    dts: 2700,
    flags: 0,
    pts_delay: 3600,
    size: 12,
    md5: 'cf7d891cdcc0add53e97cde0a7c95c78',
  },
} as const;

describe('kmp_rtmp_in_log_frames', { timeout: 90_000 }, () => {
  let ingest: ScriptableIngest;
  let service: KmpService;
  let sender: KmpSender;

  async function framesLogged(inLogFrames: MediaSettings['inLogFrames']): Promise<object[]> {
    ingest = await ScriptableIngest.start({ answers: true });
    service = await startKmp({ ...quick, inAck: 'frame', inLogFrames });
    const data = { upstream_id: 'u1', url: `rtmp://127.0.0.1:${ingest.port}/app/secretname` };
    sender = await KmpSender.open(service.port, data, { frameId: 41n });
    sender.send(
      videoMinf(),
      frameAt(10, 'first', { key: true, created: 1_000_000 }),
      frameAt(30, 'second frame', { created: 1_000_020, pts: 40 }),
      frameAt(50, '', { created: 1_000_040 }),
    );
    await sender.acked(44n);
    const found = service.log.lines.filter(({ message }) => message === 'frame');
    for (const { level, fields } of found) {
      assert.equal(level, 'info');
      assert.deepEqual([fields['upstream'], fields['channel'], fields['stream']], ['u1', 'ch1', 'se***']);
    }
    return found.map(({ fields }) => {
      const { id, created, dts, flags, pts_delay, size, md5 } = fields;
      return { id, created, dts, flags, pts_delay, size, md5 };
    });
  }

  afterEach(async () => {
    sender.destroy();
    await service.close();
    await ingest.close();
  });

  it('off: nothing', async () => assert.deepEqual(await framesLogged('off'), []));

  for (const mode of ['on', 'all'] as const) {
    it(`${mode}: every frame`, async () => assert.deepEqual(await framesLogged(mode), [lines.key, lines.second]));
  }

  it('key: key frames', async () => assert.deepEqual(await framesLogged('key'), [lines.key]));
});
