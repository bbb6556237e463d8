/** The single executable: alone in a folder, without Node in PATH. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { copyFileSync, readFileSync, rmSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { FlvRecorder } from '../../../lib/ingest/flv-recorder.js';
import { Ingest } from '../../../lib/ingest/ingest.js';
import type { IngestStream } from '../../../lib/ingest/ingest-stream.js';
import { Folder, Run, type Ended } from '../../support/process/cli.js';
import { packetsOf, type Packet } from '../../support/programs/ffmpeg.js';
import { until } from '../../support/time/until.js';

const SAMPLE = resolve('assets/sample.mp4');
const PAGE = 'dist/lib/api/status/public';

const CONFIG = `
worker_processes 2;
pid kmp-rtmp.pid;
stream { server { listen 127.0.0.1:0; kmp_rtmp; } }
http {
  server {
    listen 127.0.0.1:0;
    location / { kmp_rtmp_status; }
    location /api/ { kmp_rtmp_api; }
  }
}`;

/** @param executable its path, once it is made */
export function executableChecks(executable: () => string): void {
  const start = (...args: string[]): Run =>
    new Run(args, { PATH: '/nonexistent', NODE_OPTIONS: '' }, undefined, {
      command: executable(),
      cwd: dirname(executable()),
    });
  const run = (...args: string[]): Promise<Ended> => start(...args).ended;

  it('prints version, help and errors', async () => {
    const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };
    assert.deepEqual(await run('--version'), { code: 0, signal: null, stdout: `${version}\n`, stderr: '' });
    assert.match((await run('--help')).stdout, /^Usage: kmp-rtmp /);
    assert.match((await run('-t')).stdout, /configuration is good/);
    assert.match((await run('completion', 'fish')).stdout, /-a 'restream'/);
    const wrong = await run('--v8-options');
    assert.deepEqual([wrong.code, wrong.stderr.split('\n', 1)], [1, ["kmp-rtmp: unknown option '--v8-options'"]]);
  });

  it('carries the licences of everything in it', async () => {
    const { stdout } = await run('licenses');
    const { dependencies } = JSON.parse(readFileSync('package.json', 'utf8')) as {
      dependencies: Record<string, string>;
    };
    assert.ok(stdout.startsWith(readFileSync('LICENSE', 'utf8')));
    for (const name of Object.keys(dependencies)) {
      // Types are not in a program.
      if (!name.startsWith('@types/')) assert.match(stdout, new RegExp(`^-{80}\n${name} \\d`, 'm'));
    }
    assert.match(stdout, /^-{80}\nNode\.js v\d[^]*Node\.js is licensed for use as follows/m);
  });

  it('plays its own sample through all stages: demo', async () => {
    const { code, stdout, stderr } = await run('demo', '--fast', '--out', 'demo.flv');
    assert.deepEqual([code, stderr], [0, '']);
    assert.match(stdout, /Every frame arrived, unchanged and in order/);
  });

  describe('as a service with two workers', () => {
    let folder: Folder;
    let ingest: Ingest;
    let service: Run;
    let kmp = '';
    let http = '';
    before(async () => {
      folder = new Folder();
      ingest = new Ingest();
      await ingest.listen(0);
      const config = folder.file('kmp-rtmp.conf', CONFIG.replace('kmp-rtmp.pid', join(folder.path, 'kmp-rtmp.pid')));
      service = start('-c', config);
      [, kmp = ''] = await service.says(/takes KMP on (127\.0\.0\.1:\d+)\n/);
      [, http = ''] = await service.says(/answers HTTP on (http:\S+)\/\n/);
    });
    after(async () => {
      service.kill('SIGKILL');
      await service.ended;
      await ingest.close();
      folder.remove();
    });

    const workers = (): Promise<number[]> =>
      until(
        'two workers',
        () => Promise.resolve(workersOf(service.pid)),
        (pids) => pids.length === 2,
      );
    const publish = async (name: string): Promise<void> => {
      const file = join(folder.path, `${name}.flv`);
      const recorded = new Promise<void>((done) =>
        ingest.once('stream', (stream: IngestStream) => new FlvRecorder(stream, file).once('close', done)),
      );
      const url = `rtmp://127.0.0.1:${ingest.port}/live/${name}`;
      const sent = await run('send', SAMPLE, '--to', kmp, '--upstream-id', name, '--url', url, '--fast', '-q');
      assert.deepEqual([sent.code, sent.stderr], [0, '']);
      await recorded;
      const facts = (packets: readonly Packet[], type: string): string[] =>
        packets.filter((packet) => packet.type === type).map(({ md5 }) => md5);
      const [is, should] = [await packetsOf(file), await packetsOf(SAMPLE)];
      assert.equal(facts(should, 'video').length, 150);
      for (const type of ['video', 'audio']) assert.deepEqual(facts(is, type), facts(should, type), type);
    };

    it('publishes every packet', () => publish('first'));

    it('serves the files of the status page', async () => {
      const index = await (await fetch(`${http}/`)).text();
      assert.equal(index, readFileSync(join(PAGE, 'index.html'), 'utf8'));
      for (const [name, path] of [
        ['main.js', join(PAGE, 'main.js')],
        ['styles/page.css', join(PAGE, 'styles/page.css')],
        ['uplot.js', 'node_modules/uplot/dist/uPlot.esm.js'],
      ] as const) {
        const answer = await fetch(`${http}/${name}`);
        assert.deepEqual([answer.status, await answer.text()], [200, readFileSync(path, 'utf8')], name);
      }
    });

    it('reloads on -s reload', async () => {
      const { code, stderr } = await run('-s', 'reload', '-c', join(folder.path, 'kmp-rtmp.conf'));
      assert.deepEqual([code, stderr], [0, '']);
      await service.says(/the configuration is reloaded/);
    });

    it('replaces a worker by one of its own version, also after an upgrade has replaced the file', async (t) => {
      const kept = join(folder.path, 'kept');
      copyFileSync(executable(), kept);
      t.after(() => {
        rmSync(executable(), { force: true });
        copyFileSync(kept, executable());
      });
      const [victim = 0, other = 0] = await workers();
      rmSync(executable());
      // Another program, which as a worker would end at once.
      copyFileSync('/bin/true', executable());
      process.kill(victim, 'SIGKILL');
      await service.says(/another takes its place/);
      await until(
        'the worker that replaces it',
        async () => (await (await fetch(`${http}/api/`)).json()) as { missing_workers: number[] },
        ({ missing_workers }) => missing_workers.length === 0 && !workersOf(service.pid).includes(victim),
      );
      assert.ok((await workers()).includes(other));
    });

    it('still publishes every packet', () => publish('second'));

    it('ends in order on -s quit, with its workers', async () => {
      const pids = await workers();
      const { code } = await run('-s', 'quit', '-c', join(folder.path, 'kmp-rtmp.conf'));
      assert.equal(code, 0);
      assert.equal((await service.ended).code, 0, service.stderr);
      await until(
        'the end of the workers',
        () => Promise.resolve(pids.filter((pid) => processes().some((one) => one.pid === pid))),
        (left) => left.length === 0,
      );
    });
  });
}

/** All processes, except those that have ended and that nobody has asked about (zombies). */
function processes(): { pid: number; parent: number }[] {
  const lines = execFileSync('ps', ['-eo', 'pid=,ppid=,stat='], { encoding: 'utf8' }).trim().split('\n');
  return lines.flatMap((line) => {
    const [pid, parent, state = ''] = line.trim().split(/\s+/);
    return state.startsWith('Z') ? [] : [{ pid: Number(pid), parent: Number(parent) }];
  });
}

function workersOf(primary: number): number[] {
  return processes().flatMap(({ pid, parent }) => (parent === primary ? [pid] : []));
}
