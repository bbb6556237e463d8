// "A KMP sender and the service" of the README, typed as it stands there, with ports that are free.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { packetsOf } from '../support/programs/ffmpeg.js';
import { listening } from '../support/network/listening.js';
import { freePort } from '../support/network/free-port.js';
import { reap } from '../support/process/reaper.js';

const section = readFileSync('README.md', 'utf8')
  .split(/^## /m)
  .find((part) => part.startsWith('A KMP sender and the service\n'));
const commands = [...(section ?? '').matchAll(/^```sh\n([^]*?)^```/gm)].map(([, command = '']) => command.trim());

describe('"A KMP sender and the service" of the README', () => {
  let folder = '';
  const running: { kill: () => void }[] = [];

  before(() => (folder = mkdtempSync(join(tmpdir(), 'readme-'))));
  after(() => {
    for (const one of running) one.kill();
    rmSync(folder, { recursive: true, force: true });
  });

  it('makes a file, plays it through the service into ffmpeg, and every frame is in what that recorded', async () => {
    assert.deepEqual(
      commands.map((command) => command.replace(/^npx /, '').split(' ', 1)[0]),
      ['ffmpeg', 'ffmpeg', 'npm', 'kmp-rtmp'],
    );
    const ports: Record<string, number> = { 1935: await freePort(), 8005: await freePort(), 8001: await freePort() };
    const bin = resolve('dist/bin/kmp-rtmp.js');
    const typed = (command: string): string =>
      command
        .replace(/127\.0\.0\.1:(1935|8005)/g, (_, port: string) => `127.0.0.1:${ports[port]}`)
        .replace(/^npm start$/, `kmp-rtmp --listen 127.0.0.1:${ports[8005]} --http-listen 127.0.0.1:${ports[8001]}`)
        .replace(/^(npx )?kmp-rtmp /, `exec '${process.execPath}' '${bin}' `)
        .replace(/^ffmpeg /, 'exec ffmpeg -v error -nostdin -y ');
    const start = (command: string): { ended: Promise<number | null>; text: () => string } => {
      const child = reap(spawn('sh', ['-c', typed(command)], { cwd: folder }));
      running.push({ kill: () => void child.kill('SIGKILL') });
      let text = '';
      for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (text += String(chunk)));
      return { ended: once(child, 'close').then(([code]: (number | null)[]) => code ?? null), text: () => text };
    };
    const [make = '', ingest = '', service = '', send = ''] = commands;

    const made = start(make);
    assert.equal(await made.ended, 0, made.text());
    const recorder = start(ingest);
    start(service);
    await listening(ports[8005] ?? 0);
    await listening(ports[1935] ?? 0);
    const sender = start(send);
    assert.equal(await sender.ended, 0, sender.text());
    assert.match(sender.text(), /v1 +H\.264 +250 .*complete/);
    await recorder.ended;

    const wanted = await frames(join(folder, 'test.mp4'));
    assert.deepEqual(await frames(join(folder, 'received.flv')), wanted);
    assert.equal(wanted.filter((frame) => frame.startsWith('video')).length, 250);
  });
});

/** What a file holds, as far as it does not depend on the container. */
async function frames(file: string): Promise<string[]> {
  const packets = await packetsOf(file);
  return packets.map(({ type, size, md5 }) => `${type} ${size} ${md5}`).sort();
}
