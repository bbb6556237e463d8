import { describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { checkSignature } from '../../lib/kmp/signature.js';
import { Folder } from '../support/process/cli.js';

const page = readFileSync('docs/control.md', 'utf8');
const SECRET = '5b1d0e6f7a8c9d2e3f405162738495a6';
const FIELDS = { upstream_id: 'ch1', url: 'rtmp://live.example.com/app/KÉY' };

function signer(base64: string): unknown {
  const packet = { data: Buffer.from(base64, 'base64'), channelId: 'c', trackId: 't' };
  return checkSignature(packet, [{ name: 'n', secret: SECRET }], Date.now() / 1000);
}

const codeOf = (language: string): string => {
  const found = [...page.matchAll(/```(\w+)\n(.*?)```/gs)].filter(([, name]) => name === language);
  return found.at(-1)?.[2] ?? '';
};

/** Why a spec that needs the program is skipped. */
const without = (program: string): string | false =>
  spawnSync(program, ['--version']).error === undefined ? false : `there is no ${program} here`;

describe('the signers of docs/control.md', () => {
  it('in JavaScript', async () => {
    const { connectData } = (await import(`data:text/javascript,${encodeURIComponent(codeOf('js'))}`)) as {
      connectData(fields: object, secret: string): string;
    };
    assert.deepEqual(signer(connectData(FIELDS, SECRET)), { signer: 'n' });
  });

  it('in a shell', { skip: process.platform === 'linux' ? without('openssl') : 'Linux only' }, () => {
    const folder = new Folder();
    const file = folder.file('secrets', `${SECRET}\n`);
    const script = `${codeOf('sh').replace('/etc/kmp-rtmp/secrets', file)}\nprintf %s "$connect_data"`;
    const { stdout } = spawnSync('sh', ['-c', script], { encoding: 'utf8' });
    assert.deepEqual(signer(stdout), { signer: 'n' });
    folder.remove();
  });

  it('in Python', { skip: without('python3') }, () => {
    const script = `${codeOf('python')}\nprint(connect_data(${JSON.stringify(FIELDS)}, "${SECRET}"))`;
    const { stdout } = spawnSync('python3', ['-'], { encoding: 'utf8', input: script });
    assert.deepEqual(signer(stdout), { signer: 'n' });
  });

  it('in PHP', { skip: without('php') }, () => {
    const script = `<?php\n${codeOf('php')}\necho connect_data(json_decode('${JSON.stringify(FIELDS)}', true), "${SECRET}");`;
    const { stdout } = spawnSync('php', [], { encoding: 'utf8', input: script });
    assert.deepEqual(signer(stdout), { signer: 'n' });
  });
});
