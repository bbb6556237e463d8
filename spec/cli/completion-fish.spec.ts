import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { after, before, describe, it } from 'node:test';
import { Folder, kmpRtmp } from '../support/process/cli.js';

const hasFish = spawnSync('fish', ['-c', 'true']).status === 0;

describe('completion for fish, as a text', () => {
  it('has each command and its flags, and no quotation mark of a description ends it', async () => {
    const { code, stdout } = await kmpRtmp(['completion', 'fish']);
    assert.equal(code, 0);
    assert.match(stdout, /^complete -c kmp-rtmp -n '[^']*' -a 'restream' -d 'Take the stream of OBS/m);
    assert.match(stdout, /^complete -c kmp-rtmp -n '__fish_seen_subcommand_from send' -l url -x -d '/m);
    assert.match(stdout, /^complete -c kmp-rtmp -n '[^']*serve' -s c -l config -r -F -d '/m);
    for (const line of stdout.split('\n')) {
      const marks = line.replace(/\\./g, '').split("'").length - 1;
      assert.equal(line.startsWith('#') ? 0 : marks % 2, 0, line);
    }
  });
});

describe('completion for fish', { skip: hasFish ? false : 'there is no fish here' }, () => {
  const folder = new Folder();
  let script = '';
  before(async () => (script = folder.file('kmp-rtmp.fish', (await kmpRtmp(['completion', 'fish'])).stdout)));
  after(() => folder.remove());

  /** What fish offers behind this beginning of a line. */
  function offered(line: string): string[] {
    const program = `source '${script}'; complete -C '${line}'`;
    const env = { ...process.env, HOME: folder.path, XDG_CONFIG_HOME: folder.path };
    const { status, stdout, stderr } = spawnSync('fish', ['--private', '-c', program], { encoding: 'utf8', env });
    assert.deepEqual({ status, stderr }, { status: 0, stderr: '' });
    return stdout.split('\n').flatMap((row) => (row === '' ? [] : [row.split('\t', 1)[0] ?? '']));
  }

  it('offers each flag of each command', async () => {
    for (const command of ['serve', 'restream', 'ingest', 'send', 'inspect', 'check', 'top', 'demo', 'licenses']) {
      const { stdout } = await kmpRtmp([command, '--help']);
      const flags = [...stdout.matchAll(/^ {2}(?:-\w, )?(--[\w-]+)/gm)].map(([, long = '']) => long);
      assert.deepEqual(offered(`kmp-rtmp ${command} --`).sort(), flags.sort(), command);
    }
  });

  it('offers commands, flags and values', () => {
    const commands = offered('kmp-rtmp ');
    for (const command of ['serve', 'restream', 'ingest', 'send', 'help'])
      assert.ok(commands.includes(command), command);
    assert.ok(offered('kmp-rtmp restream --').includes('--key-file'));
    assert.ok(!offered('kmp-rtmp restream --').includes('--upstream-id'));
    assert.ok(offered('kmp-rtmp --').includes('--kmp-rtmp-out-chunk-size'), 'the flags of serve');
    assert.deepEqual(offered('kmp-rtmp completion ').sort(), ['bash', 'fish', 'zsh']);
    assert.deepEqual(offered('kmp-rtmp ingest --log-level w'), ['warn']);
  });
});
