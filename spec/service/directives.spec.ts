import { afterEach, beforeEach, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { version } from '../../lib/base/version.js';
import { mediaOf } from '../support/ingest/ingest-media.js';
import { audioMinf, frameAt, KmpSender } from '../support/kmp/kmp-sender.js';
import type { Amf } from '../support/rtmp/rtmp-parse.js';
import { RunningService } from '../support/service/running-service.js';
import { ScriptableIngest } from '../support/ingest/scriptable-ingest.js';

const QUICK = `kmp_rtmp_out_write_meta_timeout 0; kmp_rtmp_out_min_process_delay 0; kmp_rtmp_in_read_interval 0;`;

describe('what a directive says is what the server sees', { timeout: 30_000 }, () => {
  let ingest: ScriptableIngest;
  let running: RunningService | undefined;
  const senders: KmpSender[] = [];

  async function publish(media: string, data: object = {}): Promise<KmpSender> {
    running = await RunningService.start({ media: `${QUICK} ${media}` });
    const url = `rtmp://127.0.0.1:${ingest.port}/app/s`;
    const sender = await KmpSender.open(running.kmpPort, { upstream_id: 'u1', url, ...data });
    senders.push(sender);
    sender.send(audioMinf());
    return sender;
  }
  const connectObject = async (): Promise<{ [key: string]: Amf }> => {
    const connection = await ingest.next();
    const [, , object] = await connection.command('connect');
    assert.ok(typeof object === 'object' && object !== null && !Array.isArray(object));
    return object;
  };

  beforeEach(async () => {
    ingest = await ScriptableIngest.start();
  });
  afterEach(async () => {
    for (const sender of senders.splice(0)) sender.destroy();
    await running?.close();
    await ingest.close();
  });

  it('kmp_rtmp_out_flash_ver, unless the connect data has one of its own', async () => {
    await publish('');
    assert.equal((await connectObject())['flashVer'], `FMLE/3.0 (compatible; KalturaLive/${version})`);
    await running?.close();
    await publish('kmp_rtmp_out_flash_ver "mine 1.0";');
    assert.equal((await connectObject())['flashVer'], 'mine 1.0');
    await running?.close();
    await publish('kmp_rtmp_out_flash_ver "mine 1.0";', { flash_ver: 'yours 2.0' });
    assert.equal((await connectObject())['flashVer'], 'yours 2.0');
  });

  it('kmp_rtmp_out_chunk_size: announced, and kept to', async () => {
    const sender = await publish('kmp_rtmp_out_chunk_size 1000; kmp_rtmp_out_flush_timeout 0;');
    sender.send(frameAt(0, Buffer.alloc(3500)));
    const connection = await ingest.next();
    const frame = await connection.message(({ type, payload }) => type === 8 && payload.length > 1000);
    assert.equal(frame.chunks, 4);
    const announced = connection.messages.find(({ type }) => type === 1);
    assert.equal(announced?.payload.readUInt32BE(0), 1000);
  });

  it('kmp_rtmp_out_onfi_period: an onFI each period, none with 0', async () => {
    const times = Array.from({ length: 60 }, (_, n) => n * 100);
    for (const [period, count] of [
      ['2s', 3],
      ['0', 0],
    ] as const) {
      const sender = await publish(`kmp_rtmp_out_onfi_period ${period}; kmp_rtmp_out_flush_timeout 0;`);
      for (const ms of times) sender.send(frameAt(ms, `f${ms}`, { created: 1_700_000_000_000 + ms }));
      const connection = await ingest.next();
      await connection.message(({ payload }) => payload.toString('latin1').endsWith('f5900'));
      assert.equal(mediaOf(connection).filter(({ kind }) => kind === 'onFI').length, count, period);
      await running?.close();
    }
  });

  it('kmp_rtmp_out_buffer_size: half of it is gathered at least before any is sent, with flush_timeout out of the way', async () => {
    const sender = await publish('kmp_rtmp_out_buffer_size 8k; kmp_rtmp_out_flush_timeout 1h;');
    const connection = await ingest.next();
    await connection.command('publish');
    for (let n = 0; n < 3; n++) sender.send(frameAt(n, Buffer.alloc(1000)));
    const shown = await running?.shows(
      'u1',
      ({ streams }) => streams['s']?.tracks.audio?.sent_frames === 3,
      'three encoded frames',
    );
    assert.equal(shown?.written_bytes, 3073 + connection.receivedBytes);
    assert.equal(mediaOf(connection).length, 0);
    for (let n = 3; n < 5; n++) sender.send(frameAt(n, Buffer.alloc(1000)));
    await connection.until(() => mediaOf(connection).filter(({ kind }) => kind === 'audio').length >= 4);
  });
});
