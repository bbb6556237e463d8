import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import { after, afterEach, describe, it } from 'node:test';
import { Folder, kmpRtmp, Run } from '../support/process/cli.js';
import { connect, frame, packet, videoFields } from '../support/kmp/kmp-bytes.js';

/** The sample of module.md, but for the ports. */
const SAMPLE = `
stream {
    server {
        listen 127.0.0.1:0;
        resolver 8.8.8.8;

        kmp_rtmp;
    }
}

http {
    server {
        listen 127.0.0.1:0;

        location /kmp_rtmp_api/ {
            kmp_rtmp_api write=on;
        }
    }
}
`;

const CONFIG = `
stream { server { listen 127.0.0.1:0; kmp_rtmp; } }
http { server { listen 127.0.0.1:0; location /kmp_rtmp_api/ { kmp_rtmp_api write=on; } } }
`;

describe('kmp-rtmp -c FILE', () => {
  const folder = new Folder();
  const runs: Run[] = [];
  afterEach(() => {
    for (const run of runs.splice(0)) run.kill('SIGKILL');
  });
  after(() => folder.remove());

  async function start(text = CONFIG, args: readonly string[] = []) {
    const file = folder.file('kmp.conf', text);
    const run = new Run(['-c', file, ...args]);
    runs.push(run);
    const [, kmp = ''] = await run.says(/takes KMP on 127\.0\.0\.1:(\d+)/);
    const [, http = ''] = await run.says(/answers HTTP on (http:\/\/127\.0\.0\.1:\d+\/)/);
    return { run, file, kmp: Number(kmp), api: `${http}kmp_rtmp_api/` };
  }

  async function status(api: string): Promise<{ pid: number; upstreams: Record<string, { url: string }> }> {
    return (await (await fetch(api)).json()) as never;
  }

  it('announces where it listens, takes KMP there and answers the API', async () => {
    const { run, kmp, api } = await start();
    assert.equal((await status(api)).pid, run.pid);

    const ingest = net.createServer().listen(0, '127.0.0.1');
    await once(ingest, 'listening');
    const { port } = ingest.address() as net.AddressInfo;
    const sender = net.connect(kmp, '127.0.0.1');
    sender.on('error', () => {});
    sender.write(connect({ upstream_id: 'u1', url: `rtmp://127.0.0.1:${port}/live/key` }));
    sender.write(packet('minf', videoFields()));
    const [socket] = (await once(ingest, 'connection')) as [net.Socket];
    assert.deepEqual(Object.keys((await status(api)).upstreams), ['u1']);
    socket.destroy();
    sender.destroy();
    ingest.close();
  });

  it('runs the sample of the module', async () => {
    const { run, api } = await start(SAMPLE);
    assert.equal((await status(api)).pid, run.pid);
    assert.equal((await fetch(`${api}upstreams/none`, { method: 'DELETE' })).status, 404, 'writable');
    run.kill('SIGTERM');
    assert.equal((await run.ended).code, 0);
  });

  it('without a file it takes KMP, and answers API, metrics and health checks', async () => {
    const run = new Run(['--listen', '127.0.0.1:0', '--http-listen', '127.0.0.1:0']);
    runs.push(run);
    await run.says(/takes KMP on 127\.0\.0\.1:\d+/);
    const [, http = ''] = await run.says(/answers HTTP on (http:\/\/127\.0\.0\.1:\d+\/)/);
    assert.equal((await status(`${http}kmp_rtmp_api/`)).pid, run.pid);
    for (const path of ['metrics', 'readyz', 'healthz']) assert.equal((await fetch(http + path)).status, 200, path);
  });

  it('does not open the debugger of Node on SIGUSR1, neither itself nor in a worker', async () => {
    const { run, api } = await start(`worker_processes 2; ${CONFIG}`);
    const children = readFileSync(`/proc/${run.pid}/task/${run.pid}/children`, 'utf8').trim().split(' ').map(Number);
    // Other children may have ended meanwhile.
    const workers = children.filter((pid) => {
      const path = `/proc/${pid}/cmdline`;
      return existsSync(path) && readFileSync(path, 'utf8').includes('worker-main');
    });
    assert.equal(workers.length, 2);
    for (const pid of [run.pid, ...workers]) process.kill(pid, 'SIGUSR1');
    await status(api);
    run.kill('SIGTERM');
    const { code, stderr } = await run.ended;
    assert.equal(code, 0);
    assert.doesNotMatch(stderr, /Debugger/i);
  });

  it('outlives the reader of its log', async () => {
    const { run, api } = await start();
    run.closeStderr();
    // Two that log: the first write may still end up in the pipe's buffer.
    for (const signal of ['SIGHUP', 'SIGHUP'] as const) {
      run.kill(signal);
      await status(api);
    }
    assert.equal((await status(api)).pid, run.pid);
    run.kill('SIGTERM');
    assert.equal((await run.ended).code, 0);
  });

  it('SIGTERM and SIGINT end it with code 0', async () => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) {
      const { run } = await start();
      run.kill(signal);
      const { code, signal: by } = await run.ended;
      assert.deepEqual({ code, by }, { code: 0, by: null });
    }
  });

  it('the first SIGTERM waits for what is under way, the second does not', async () => {
    const { run, kmp, api } = await start();
    // An RTMP server that takes the connection and never says a word: nothing can end in order.
    const ingest = net.createServer((socket) => socket.on('error', () => {}).resume()).listen(0, '127.0.0.1');
    await once(ingest, 'listening');
    const { port } = ingest.address() as net.AddressInfo;
    const sender = net.connect(kmp, '127.0.0.1');
    sender.on('error', () => {});
    sender.write(connect({ upstream_id: 'u1', url: `rtmp://127.0.0.1:${port}/live/key` }));
    sender.write(Buffer.concat([packet('minf', videoFields()), frame('0000', 0, 1)]));
    await once(ingest, 'connection');

    run.kill('SIGTERM');
    await run.says(/SIGTERM/);
    assert.equal((await status(api)).pid, run.pid, 'still at it');
    run.kill('SIGTERM');
    const { code } = await run.ended;
    assert.equal(code, 128 + 15);
    sender.destroy();
    ingest.close();
  });

  it('a port in use: one line, exit code 1', async () => {
    const other = net.createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    const { port } = other.address() as net.AddressInfo;
    const file = folder.file('taken.conf', CONFIG.replace('127.0.0.1:0', `127.0.0.1:${port}`));
    const { code, stderr } = await kmpRtmp(['-c', file]);
    other.close();
    assert.equal(code, 1);
    assert.match(stderr, new RegExp(`^kmp-rtmp: cannot listen on 127.0.0.1:${port}: .*\\n$`));
  });

  it('SIGHUP with a bad file keeps the old configuration and says why; with a good one takes it over', async () => {
    const { run, file, api } = await start();
    folder.file('kmp.conf', CONFIG.replace('kmp_rtmp;', 'kmp_rtmp; kmp_rtmp_out_chunk_size 1;'));
    run.kill('SIGHUP');
    const [line = ''] = await run.says(/\[error\].*not reloaded.*/);
    assert.ok(line.includes(`${file}:2: `), line);
    assert.equal((await status(api)).pid, run.pid);

    folder.file('kmp.conf', CONFIG.replace('listen 127.0.0.1:0; kmp', 'listen localhost:0; kmp'));
    run.kill('SIGHUP');
    const [, port = ''] = await run.says(/takes KMP on localhost:(\d+)/);
    const socket = net.connect(Number(port), 'localhost');
    await once(socket, 'connect');
    socket.destroy();
  });

  it('SIGHUP does not wait for a configuration, an include, a certificate or a slate that is a pipe', async () => {
    const { run, api } = await start();
    for (const [name, text] of [
      ['pipe1', `${CONFIG}\ninclude pipe1;`],
      ['pipe2', CONFIG.replace('kmp_rtmp;', 'kmp_rtmp; kmp_rtmp_in_secret_file pipe2;')],
      ['pipe3', CONFIG.replace('kmp_rtmp;', `kmp_rtmp; kmp_rtmp_out_ssl_trusted_certificate ${folder.path}/pipe3;`)],
      ['pipe4', CONFIG.replace('kmp_rtmp;', `kmp_rtmp; kmp_rtmp_out_slate ${folder.path}/pipe4;`)],
    ] as const) {
      execFileSync('mkfifo', [join(folder.path, name)]);
      folder.file('kmp.conf', text);
      run.kill('SIGHUP');
      await run.says(new RegExp(`not reloaded.*${name}.* not a regular file`));
      assert.equal((await status(api)).pid, run.pid);
    }
  });

  it('pid and -s: reload, quit and stop reach the process, and the file goes with it', async () => {
    const pid = `${folder.path}/kmp.pid`;
    for (const command of ['quit', 'stop']) {
      const { run, file } = await start(`pid ${pid};\n${CONFIG}`);
      assert.equal(readFileSync(pid, 'utf8'), `${run.pid}\n`);
      assert.equal((await kmpRtmp(['-s', 'reload', '-c', file])).code, 0);
      await run.says(/the configuration is reloaded/);

      const second = await kmpRtmp(['-c', file]);
      assert.equal(second.code, 1);
      assert.match(second.stderr, new RegExp(`^kmp-rtmp: kmp-rtmp is already running as process ${run.pid} .*\\n$`));

      assert.equal((await kmpRtmp(['-s', command, '-c', file])).code, 0);
      await run.ended;
      assert.equal(existsSync(pid), false);
    }
    const none = await kmpRtmp(['-s', 'quit', '-c', folder.file('kmp.conf', `pid ${pid};\n${CONFIG}`)]);
    assert.equal(none.code, 1);
    assert.match(none.stderr, /^kmp-rtmp: the pid file .* does not exist.*\n$/);
    const without = await kmpRtmp(['-s', 'quit', '-c', folder.file('kmp.conf', CONFIG)]);
    assert.equal(without.code, 1);
    assert.match(without.stderr, /^kmp-rtmp: .*no directive "pid".*\n$/);
  });

  it('-s quit and stop work although the configuration is not valid any more; -s reload says that nothing changes', async () => {
    const pid = `${folder.path}/kmp.pid`;
    for (const [command, text] of [
      ['quit', `worker_processes x;\npid ${pid};\n${CONFIG}`],
      ['stop', `worker_processes 2\npid ${pid};\nstream {`],
    ] as const) {
      const { run } = await start(`pid ${pid};\n${CONFIG}`);
      const broken = folder.file('broken.conf', text);
      const reload = await kmpRtmp(['-s', 'reload', '-c', broken]);
      assert.equal(reload.code, 1);
      assert.match(reload.stderr, /^kmp-rtmp: .*broken\.conf:\d+: .*; the running service was not told to reload.*\n$/);
      const { code, stderr } = await kmpRtmp(['-s', command, '-c', broken]);
      assert.match(
        stderr,
        /^warning: .*broken\.conf:\d+: .*; ".*" is sent to the process of .*kmp\.pid nevertheless\n$/,
      );
      assert.equal(code, 0);
      await run.ended;
      assert.equal(existsSync(pid), false);
    }
    const none = await kmpRtmp(['-s', 'quit', '-c', folder.file('broken.conf', 'stream {')]);
    assert.equal(none.code, 1);
    assert.match(none.stderr, /^kmp-rtmp: .*broken\.conf:1: .*; no directive "pid" was found.*--pid FILE\n$/);
  });

  it('--log-format and --log-level go before error_log', async () => {
    const { run } = await start(`error_log stderr error;\n${CONFIG}`, ['--log-format', 'json', '--log-level', 'info']);
    run.kill('SIGTERM');
    const { stderr } = await run.ended;
    const lines = stderr.trim().split('\n');
    for (const line of lines) assert.equal(typeof (JSON.parse(line) as { message: unknown }).message, 'string');
    assert.ok(lines.length >= 3, stderr);
  });
});
