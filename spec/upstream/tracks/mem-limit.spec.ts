import { afterEach, beforeEach, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import type { UpstreamStatus } from '../../../lib/upstream/report/status.js';
import { FakeClock } from '../../support/time/fake-clock.js';
import { audioMinf, frameAt, KmpSender, videoMinf } from '../../support/kmp/kmp-sender.js';
import { RunningService } from '../../support/service/running-service.js';
import { ScriptableIngest } from '../../support/ingest/scriptable-ingest.js';

const LIMIT = 16_384;

/**
 * The memory limit is reached at each step in turn. How much a step takes is not known here: the specs ask the API what
 * is left, and leave so much that the step before still fits.
 */
describe('the memory limit of an upstream, and where it is reached', { timeout: 90_000 }, () => {
  let ingest: ScriptableIngest;
  let running: RunningService;
  const senders: KmpSender[] = [];

  const start = async (media: string, clock?: FakeClock): Promise<void> => {
    running = await RunningService.start({
      ...(clock === undefined ? {} : { clock }),
      media: `kmp_rtmp_in_max_name_length 0; kmp_rtmp_in_read_interval 0; kmp_rtmp_out_onfi_period 0; ${media}`,
    });
  };
  const open = async (more: object = {}): Promise<KmpSender> => {
    const url = `rtmp://127.0.0.1:${ingest.port}/app/s`;
    const sender = await KmpSender.open(running.kmpPort, { upstream_id: 'u1', url, ...more });
    senders.push(sender);
    return sender;
  };
  async function endedFor(reason: string): Promise<void> {
    assert.equal((await running.notified()).reason, reason);
    for (const sender of senders) await sender.closed;
    assert.deepEqual((await running.status()).upstreams, {});
    assert.equal(running.unseen, 0);
  }
  const settled = ({ state, written_bytes, sent_bytes, streams }: UpstreamStatus): boolean =>
    state === 'publishing' && written_bytes === sent_bytes && Object.keys(streams).length > 0;
  /** mem_left once nothing is on its way any more. */
  async function left(): Promise<number> {
    let before = -1;
    const { mem_left } = await running.shows(
      'u1',
      (upstream) => {
        const same = settled(upstream) && upstream.mem_left === before;
        before = upstream.mem_left;
        return same;
      },
      'nothing on its way',
    );
    return mem_left;
  }
  /**
   * Queues a frame that leaves exactly `spare` bytes, while the service's clock stands still. What a queued frame costs
   * beside its payload is measured with another one.
   */
  async function fillUpTo(spare: number, sender: KmpSender): Promise<void> {
    const before = await left();
    sender.send(frameAt(0, Buffer.alloc(1)));
    const { mem_left } = await running.shows('u1', ({ mem_left }) => mem_left < before, 'a queued frame');
    const cost = before - mem_left - 1;
    sender.send(frameAt(1, Buffer.alloc(mem_left - cost - spare)));
    await running.shows('u1', (upstream) => upstream.mem_left === spare, `${spare} bytes left`);
  }

  /** The time to wait for another track, which is 0, is over, and that for a batch to be sent as well. */
  async function metadataWritten(clock: FakeClock): Promise<void> {
    await left();
    const { written_bytes: before } = (await running.upstream('u1')) ?? {};
    clock.advance(3000);
    await running.shows('u1', ({ written_bytes }) => written_bytes > (before ?? Infinity), 'the metadata');
  }

  beforeEach(async () => {
    ingest = await ScriptableIngest.start();
  });
  afterEach(async () => {
    for (const sender of senders.splice(0)) sender.destroy();
    await running.close();
    await ingest.close();
  });

  it('alloc_failed: the connect data', async () => {
    await start('kmp_rtmp_out_mem_limit 1k;');
    const sender = await open({ opaque: 'x'.repeat(2000) });
    sender.send(audioMinf());
    await endedFor('alloc_failed');
  });

  it('write_connect_failed: the connect command', async () => {
    await start(`kmp_rtmp_out_mem_limit 1k; kmp_rtmp_out_flash_ver ${'x'.repeat(2000)};`);
    const sender = await open();
    sender.send(audioMinf());
    await endedFor('write_connect_failed');
  });

  it('create_stream_failed: the commands that publish a stream', async () => {
    await start('kmp_rtmp_out_mem_limit 2k;');
    // In the connect data it is there once, in the commands three times.
    const sender = await open({ name: 'x'.repeat(700) });
    sender.send(audioMinf());
    await endedFor('create_stream_failed');
  });

  it('create_track_failed: the track', async () => {
    await start('kmp_rtmp_out_mem_limit 1k;');
    const sender = await open();
    sender.send(audioMinf());
    await endedFor('create_track_failed');
  });

  it('add_media_info_failed: the codec private data, of the first media info or a later one', async () => {
    await start(`kmp_rtmp_out_mem_limit ${LIMIT};`);
    const large = audioMinf({ extraData: Buffer.alloc(LIMIT) });
    const first = await open();
    first.send(large);
    await endedFor('add_media_info_failed');
    const second = await open();
    second.send(audioMinf(), frameAt(0, 'a'), large);
    await endedFor('add_media_info_failed');
  });

  it('mem_limit_exceeded: what the first packet holds when the track joins', async () => {
    await start(`kmp_rtmp_out_mem_limit ${LIMIT};`);
    const sender = await open();
    const begun = frameAt(0, Buffer.alloc(LIMIT + 2));
    sender.send(audioMinf(), begun.subarray(0, -1));
    await endedFor('mem_limit_exceeded');
  });

  it('get_buf_failed: a frame, whole or as far as it has come', async () => {
    await start(`kmp_rtmp_out_mem_limit ${LIMIT};`);
    for (const missing of [0, 1]) {
      const sender = await open();
      sender.send(audioMinf(), frameAt(0, 'first'));
      await running.shows('u1', ({ streams }) => streams['s']?.tracks.audio?.input?.received_frames === 1, 'a frame');
      const frame = frameAt(1, Buffer.alloc(LIMIT + 2));
      sender.send(frame.subarray(0, frame.length - missing));
      await endedFor('get_buf_failed');
    }
  });

  it('alloc_chain_failed: the pieces that a frame came in', async () => {
    await start('kmp_rtmp_out_mem_limit 64k; kmp_rtmp_out_write_meta_timeout 0;');
    const sender = await open();
    sender.send(audioMinf());
    const frame = frameAt(0, Buffer.alloc((await left()) - 300));
    const piece = Math.ceil(frame.length / 8);
    const received = async (): Promise<number> =>
      (await running.upstream('u1'))?.streams['s']?.tracks.audio?.input?.received_bytes ?? 0;
    const before = await received();
    for (let at = 0; at < frame.length; at += piece) {
      sender.send(frame.subarray(at, at + piece));
      // Each piece is a read of its own.
      if (at + piece < frame.length) {
        const wanted = before + at + piece;
        await running.shows('u1', ({ streams }) => streams['s']?.tracks.audio?.input?.received_bytes === wanted, 'it');
      }
    }
    await endedFor('alloc_chain_failed');
  });

  it('push_frame_failed: the entry in the queue', async () => {
    await start(`kmp_rtmp_out_mem_limit ${LIMIT};`);
    const sender = await open();
    sender.send(audioMinf());
    sender.send(frameAt(0, Buffer.alloc((await left()) - 20)));
    await endedFor('push_frame_failed');
  });

  it('process_frame_failed: a frame that is encoded', async () => {
    const clock = new FakeClock();
    const slow = 'kmp_rtmp_out_write_meta_timeout 0; kmp_rtmp_out_min_process_delay 300ms;';
    await start(`kmp_rtmp_out_mem_limit ${LIMIT}; ${slow}`, clock);
    const sender = await open();
    sender.send(audioMinf());
    await metadataWritten(clock);
    await fillUpTo(10, sender);
    // The process delay, and the next turn of the upstream.
    clock.advance(1000);
    await endedFor('process_frame_failed');
  });

  it('flush_failed: the batch that is sent', async () => {
    const clock = new FakeClock();
    const slow = 'kmp_rtmp_out_min_process_delay 300ms; kmp_rtmp_out_flush_timeout 0;';
    await start(`kmp_rtmp_out_mem_limit ${LIMIT}; kmp_rtmp_out_write_meta_timeout 0; ${slow}`, clock);
    const sender = await open();
    sender.send(audioMinf());
    await metadataWritten(clock);
    await fillUpTo(400, sender);
    clock.advance(300);
    await endedFor('flush_failed');
  });

  it('write_meta_failed: the metadata of the stream', async () => {
    const clock = new FakeClock();
    await start(`kmp_rtmp_out_mem_limit ${LIMIT}; kmp_rtmp_out_write_meta_timeout 500ms;`, clock);
    const sender = await open();
    sender.send(audioMinf());
    await fillUpTo(100, sender);
    clock.advance(500);
    await endedFor('write_meta_failed');
  });

  it('unpublish_stream_failed: the commands that take a stream back', async () => {
    await start(`kmp_rtmp_out_mem_limit ${LIMIT}; kmp_rtmp_out_write_meta_timeout 500ms;`, new FakeClock());
    // Longer than what the track gives back when it leaves.
    const leaving = await open({ name: 'x'.repeat(3000) });
    leaving.send(videoMinf());
    await running.shows('u1', ({ streams }) => Object.keys(streams).length === 1, 'a stream');
    const staying = await open();
    staying.send(audioMinf());
    await running.shows('u1', ({ streams }) => Object.keys(streams).length === 2, 'two streams');
    await fillUpTo(100, staying);
    leaving.end();
    await endedFor('unpublish_stream_failed');
  });
});
