import assert from 'node:assert/strict';
import { chmodSync, mkdirSync } from 'node:fs';
import { after, afterEach, beforeEach, describe, it } from 'node:test';
import { Folder, kmpRtmp, Run } from '../support/process/cli.js';
import { freePort } from '../support/network/free-port.js';
import { httpTarget, reply, type HttpTarget } from '../support/network/http-target.js';
import { framesOf } from '../support/ingest/ingest-media.js';
import { audioMinf, frameAt, KmpSender, videoMinf } from '../support/kmp/kmp-sender.js';
import { ScriptableIngest } from '../support/ingest/scriptable-ingest.js';

describe('the end of kmp-rtmp', { timeout: 90_000 }, () => {
  const folder = new Folder();
  let ingest: ScriptableIngest;
  let target: HttpTarget;
  let run: Run | undefined;
  const senders: KmpSender[] = [];

  beforeEach(async () => {
    ingest = await ScriptableIngest.start({ answers: true });
    target = await httpTarget((socket) => reply(socket, 204));
  });
  afterEach(async () => {
    for (const sender of senders.splice(0)) sender.destroy();
    run?.kill('SIGKILL');
    await run?.ended;
    await ingest.close();
    await target.close();
  });
  after(() => folder.remove());

  async function start(media: string, main = ''): Promise<{ run: Run; port: number }> {
    const text = `${main}
      stream { server { listen 127.0.0.1:${await freePort()}; kmp_rtmp; kmp_rtmp_out_notif_url ${target.url}; ${media} } }`;
    run = new Run(['-c', folder.file('kmp.conf', text)]);
    const [, port = ''] = await run.says(/takes KMP on 127\.0\.0\.1:(\d+)/);
    return { run, port: Number(port) };
  }
  async function open(port: number): Promise<KmpSender> {
    const data = { upstream_id: 'u1', url: `rtmp://127.0.0.1:${ingest.port}/app/s` };
    const sender = await KmpSender.open(port, data);
    senders.push(sender);
    return sender;
  }
  const reasons = (): unknown[] => target.requests.map(({ body }) => (JSON.parse(body) as { reason: unknown }).reason);

  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    it(`in order (${signal}): what was received goes out, streams are unpublished, notifications sent, exit code 0`, async () => {
      const { run, port } = await start(
        'kmp_rtmp_in_ack frame; kmp_rtmp_out_min_process_delay 1h; kmp_rtmp_out_max_process_delay 1h;',
      );
      const [video, audio] = [await open(port), await open(port)];
      video.send(videoMinf(), ...[0, 1, 2].map((n) => frameAt(n * 40, `v${n}`, { key: n === 0 })));
      audio.send(audioMinf(), ...[0, 1, 2].map((n) => frameAt(n * 40 + 10, `a${n}`)));
      const connection = await ingest.next();
      await connection.message(({ type }) => type === 18);
      run.kill(signal);
      const { code, signal: by } = await run.ended;
      assert.deepEqual({ code, by }, { code: 0, by: null });
      assert.deepEqual(framesOf(connection), ['v0', 'a0', 'v1', 'a1', 'v2', 'a2']);
      assert.deepEqual(
        connection
          .commands()
          .slice(-2)
          .map(([name]) => name),
        ['FCUnpublish', 'deleteStream'],
      );
      assert.deepEqual(reasons(), ['shutdown']);
      await Promise.all([video.closed, audio.closed]);
      // All of it was acknowledged on the way out.
      assert.deepEqual([video.lastAck, audio.lastAck], [3n, 3n]);
    });
  }

  it('no later than worker_shutdown_timeout, whatever the server does; the notification is sent anyway', async () => {
    ingest.script = { reads: 'never' };
    const { run, port } = await start('kmp_rtmp_out_min_process_delay 0;', 'worker_shutdown_timeout 4s;');
    const sender = await open(port);
    sender.send(audioMinf(), ...Array.from({ length: 12 }, (_, n) => frameAt(n, Buffer.alloc(2 ** 20))));
    const connection = await ingest.next();
    await connection.until(() => connection.c2.length > 0);
    const began = performance.now();
    run.kill('SIGTERM');
    const { code } = await run.ended;
    assert.equal(code, 0);
    // By itself it would wait ten seconds for the server to read.
    assert.ok(performance.now() - began < 8000);
    assert.deepEqual(reasons(), ['shutdown']);
  });

  it('takes no new connections while it ends', async () => {
    ingest.script = { stallAt: 'nothing' };
    const { run, port } = await start('', 'worker_shutdown_timeout 2s;');
    const sender = await open(port);
    sender.send(audioMinf(), frameAt(0, 'a'));
    await ingest.next();
    run.kill('SIGTERM');
    await run.says(/shutting down gracefully/);
    // The line is logged a moment before. A connection that waits to be accepted at that time is reset.
    const refused = async (): Promise<void> => {
      for (let tries = 0; tries < 1000; tries++) {
        await open(port).catch((error: NodeJS.ErrnoException) => {
          if (error.code !== 'ECONNRESET') throw error;
        });
      }
    };
    await assert.rejects(refused(), { code: 'ECONNREFUSED' });
    run.kill('SIGTERM');
    assert.equal((await run.ended).code, 128 + 15);
  });

  it(
    'before it begins: a folder that cannot be written to is one clear line',
    { skip: process.getuid?.() === 0 ? 'root may write everywhere' : false },
    async () => {
      const path = `${folder.path}/locked`;
      mkdirSync(path);
      chmodSync(path, 0o500);
      for (const directive of ['kmp_rtmp_in_dump_folder', 'kmp_rtmp_out_dump_folder']) {
        const text = `stream { server { listen 127.0.0.1:0; kmp_rtmp; ${directive} ${path}; } }`;
        const { code, stderr } = await kmpRtmp(['-c', folder.file('locked.conf', text)]);
        assert.equal(code, 1);
        assert.match(stderr, /^kmp-rtmp: [^\n]*locked[^\n]*\n$/);
      }
    },
  );

  it('before it begins: a folder that is not there is one clear line', async () => {
    for (const directive of ['kmp_rtmp_in_dump_folder', 'kmp_rtmp_out_dump_folder']) {
      const text = `stream { server { listen 127.0.0.1:0; kmp_rtmp; ${directive} ${folder.path}/none; } }`;
      const { code, stderr } = await kmpRtmp(['-c', folder.file('none.conf', text)]);
      assert.equal(code, 1);
      assert.match(stderr, /^kmp-rtmp: [^\n]*none[^\n]*\n$/);
    }
  });
});
