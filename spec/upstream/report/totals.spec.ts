import { afterEach, beforeEach, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import net from 'node:net';
import { once } from 'node:events';
import { eventually } from '../../support/time/eventually.js';
import { gone } from '../../support/time/gone.js';
import { audioMinf, frameAt, KmpSender, videoMinf } from '../../support/kmp/kmp-sender.js';
import { AT_ONCE_DIRECTIVES, RunningService } from '../../support/service/running-service.js';
import { ScriptableIngest } from '../../support/ingest/scriptable-ingest.js';

describe('the sums since the start', { timeout: 90_000 }, () => {
  let ingest: ScriptableIngest;
  let running: RunningService;
  const senders: KmpSender[] = [];

  async function metrics(): Promise<Map<string, number>> {
    const { text } = await running.request('GET', '/metrics');
    const rows = text.split('\n').filter((row) => row !== '' && !row.startsWith('#'));
    return new Map(
      rows.map((row) => [row.slice(0, row.lastIndexOf(' ')), Number(row.slice(row.lastIndexOf(' ') + 1))]),
    );
  }
  const open = async (id: string, options = {}): Promise<KmpSender> => {
    const data = { upstream_id: id, url: `rtmp://127.0.0.1:${ingest.port}/app/s` };
    const sender = await KmpSender.open(running.kmpPort, data, options);
    senders.push(sender);
    return sender;
  };

  beforeEach(async () => {
    ingest = await ScriptableIngest.start();
    const media = AT_ONCE_DIRECTIVES;
    running = await RunningService.start({ media });
  });
  afterEach(async () => {
    for (const sender of senders.splice(0)) sender.destroy();
    await running.close();
    await ingest.close();
  });

  it('are the same before and after an upstream has ended', async () => {
    const video = await open('u1');
    video.send(frameAt(0, 'none yet'), videoMinf(), frameAt(0, 'no key'), frameAt(1, 'a', { key: true }));
    const audio = await open('u2');
    audio.send(audioMinf(), frameAt(0, 'b'), frameAt(1, ''), frameAt(2, 'c'));
    for (let i = 0; i < 2; i++) {
      const connection = await ingest.next();
      await connection.message(({ payload }) => /[ac]$/.test(payload.toString('latin1')));
    }
    const names = ['input_bytes_total', 'written_bytes_total', 'sent_bytes_total', 'received_bytes_total'];
    const frames = ['received', 'sent', 'dropped', 'skipped'].flatMap((what) =>
      ['video', 'audio'].map((media) => `${what}_frames_total{media="${media}"}`),
    );
    const sums = async (): Promise<number[]> => {
      const all = await metrics();
      return [...names, ...frames].map((name) => all.get(`kmp_rtmp_${name}`) ?? NaN);
    };
    const living = await sums();
    assert.deepEqual(living.slice(4), [1, 2, 1, 2, 0, 0, 2, 1]);
    for (const value of living.slice(0, 4)) assert.ok(value > 0, `${living.join()}`);

    for (const connection of ingest.connections) connection.reset();
    await running.notified();
    await running.notified();
    const all = await metrics();
    assert.equal(all.get('kmp_rtmp_closed_upstreams_total{reason="recv_failed"}'), 2);
    assert.equal(all.get('kmp_rtmp_closed_upstreams_total{reason="done"}'), 0);
    assert.equal(all.get('kmp_rtmp_input_connections_total{result="accepted"}'), 2);
    assert.deepEqual(await sums(), living);
    await eventually(() => running.unseen === 0, 'no further notification');
    assert.equal((await metrics()).get('kmp_rtmp_notifications_total{result="sent"}'), 2);
  });

  it('are the same when an operator has deleted it', async () => {
    const video = await open('u1');
    video.send(videoMinf(), frameAt(0, 'a', { key: true }));
    const connection = await ingest.next();
    await connection.message(({ payload }) => payload.toString('latin1').endsWith('a'));
    const sent = async (): Promise<number | undefined> =>
      (await metrics()).get('kmp_rtmp_sent_frames_total{media="video"}');
    assert.equal(await sent(), 1);
    await running.request('DELETE', '/api/upstreams/u1');
    await running.notified();
    assert.equal(await sent(), 1);
  });

  it('include the bytes of connections that never had a track', async () => {
    const socket = net.connect(running.kmpPort, '127.0.0.1');
    await once(socket, 'connect');
    socket.end(Buffer.from('this is not KMP, not at all'));
    await gone(socket);
    assert.equal((await metrics()).get('kmp_rtmp_input_bytes_total'), 27);
  });
});
