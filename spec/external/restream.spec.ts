// ffmpeg in the place of OBS, behind it two nginx with their RTMP modules, and a server that refuses.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { join } from 'node:path';
import { Ingest } from '../../lib/ingest/ingest.js';
import { Folder, Run } from '../support/process/cli.js';
import { ffmpeg, packetsOf, type Packet } from '../support/programs/ffmpeg.js';
import { startNginx, type Nginx } from '../support/programs/nginx.js';

describe('restream with real programs', () => {
  let servers: Nginx[];
  let refusing: Ingest;
  let folder: Folder;
  let run: Run;
  let port: string | undefined;
  before(async () => {
    folder = new Folder();
    servers = [await startNginx(), await startNginx()];
    refusing = new Ingest({ refuse: () => ({ code: 'NetStream.Publish.BadName', description: 'unknown key' }) });
    await refusing.listen(0);
    const ports = [servers[0]?.port, refusing.port, servers[1]?.port];
    const urls = ports.map((of, n) => `rtmp://127.0.0.1:${of}/live/destination-${n}`);
    run = new Run(['restream', '--listen', '127.0.0.1:0', '--http', '127.0.0.1:0', '--key', 'stream-key', ...urls]);
    [, port] = await run.says(/Server +rtmp:\/\/127\.0\.0\.1:(\d+)\/live\n/);
  });
  after(async () => {
    run.kill('SIGKILL');
    await run.ended;
    for (const server of servers) await server.stop();
    await refusing.close();
    folder.remove();
  });

  /** What must arrive of a packet, whatever the container: its bytes and its times. */
  const facts = (packets: readonly Packet[], type: string): string[] =>
    packets.filter((packet) => packet.type === type).map(({ dts, pts, md5 }) => `${dts} ${pts} ${md5}`);

  it('every packet arrives at both good servers, B-frames included', { timeout: 110_000 }, async () => {
    const source = join(folder.path, 'source.flv');
    const video = ['-c:v', 'libx264', '-bf', '2', '-g', '25', '-pix_fmt', 'yuv420p'];
    const inputs = ['-f', 'lavfi', '-i', 'testsrc2=s=320x180:r=25', '-f', 'lavfi', '-i', 'sine=r=44100'];
    await ffmpeg(...inputs, '-t', '6', ...video, '-c:a', 'aac', source);
    await ffmpeg('-re', '-i', source, '-c', 'copy', '-f', 'flv', `rtmp://127.0.0.1:${port}/live/stream-key`);
    const sent = await packetsOf(source);
    assert.ok(facts(sent, 'video').length === 150);
    for (const [n, server] of servers.entries()) {
      const received = await packetsOf(await server.recorded(`destination-${n * 2}`));
      for (const type of ['video', 'audio']) assert.deepEqual(facts(received, type), facts(sent, type), `${n} ${type}`);
    }
    assert.match(run.stdout, /NetStream\.Publish\.BadName: unknown key/);
  });

  it('ffmpeg with a wrong key is refused, and prints why', async () => {
    const source = join(folder.path, 'source.flv');
    const url = `rtmp://127.0.0.1:${port}/live/wrong-key`;
    await assert.rejects(
      ffmpeg('-re', '-i', source, '-c', 'copy', '-f', 'flv', url),
      /Server error: wrong or missing key/,
    );
  });
});
