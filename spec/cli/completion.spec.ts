import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { after, before, describe, it } from 'node:test';
import { Folder, kmpRtmp } from '../support/process/cli.js';

function has(shell: string): boolean {
  return spawnSync(shell, ['-c', 'true']).status === 0;
}

/** The flags that a command's help lists. */
async function flagsInHelp(command: string): Promise<string[]> {
  const { stdout } = await kmpRtmp([command, '--help']);
  return [...stdout.matchAll(/^ {2}(?:(-\w), )?(--[\w-]+)/gm)].flatMap(([, short, long = '']) =>
    short === undefined ? [long] : [short, long],
  );
}

describe('completion for bash', { skip: has('bash') ? false : 'there is no bash here' }, () => {
  const folder = new Folder();
  let script = '';
  before(async () => {
    const { code, stdout } = await kmpRtmp(['completion', 'bash']);
    assert.equal(code, 0);
    script = folder.file('kmp-rtmp.bash', stdout);
  });
  after(() => folder.remove());

  /** What bash offers where the cursor stands behind these words, as after a press of TAB. */
  function offered(...words: readonly string[]): string[] {
    const quoted = ['kmp-rtmp', ...words].map((word) => `'${word}'`).join(' ');
    const program = `
      set -u
      source '${script}'
      COMP_WORDS=(${quoted}); COMP_CWORD=${words.length}
      complete -p kmp-rtmp > /dev/null
      function=$(complete -p kmp-rtmp | sed 's/.*-F \\([^ ]*\\).*/\\1/')
      $function
      for reply in "\${COMPREPLY[@]+"\${COMPREPLY[@]}"}"; do printf '%s\\n' "$reply"; done`;
    const { status, stdout, stderr } = spawnSync('bash', ['--norc', '-c', program], { encoding: 'utf8' });
    assert.deepEqual({ status, stderr }, { status: 0, stderr: '' });
    return stdout.split('\n').filter((line) => line !== '');
  }

  it('is a script that bash can parse', () => {
    assert.equal(spawnSync('bash', ['-n', script]).status, 0);
  });

  it('offers the commands', () => {
    const commands = offered('');
    for (const command of ['serve', 'restream', 'ingest', 'send', 'top', 'licenses', 'completion', 'help']) {
      assert.ok(commands.includes(command), command);
    }
    assert.deepEqual(offered('ins'), ['inspect']);
  });

  it('offers each flag of each command, and no other', async () => {
    for (const command of ['serve', 'restream', 'ingest', 'send', 'inspect', 'check', 'top', 'demo', 'licenses']) {
      assert.deepEqual(offered(command, '-').sort(), (await flagsInHelp(command)).sort(), command);
    }
  });

  it('offers the flags of serve where no command is named, directives among them', () => {
    assert.deepEqual(offered('--kmp-rtmp-out-chu'), ['--kmp-rtmp-out-chunk-size']);
    assert.deepEqual(offered('-c', 'FILE', '--log-f'), ['--log-format']);
    assert.ok(offered('--ver').includes('--version'));
  });

  it('offers the values that a flag can have, in both spellings', () => {
    assert.deepEqual(offered('--log-format', ''), ['text', 'json']);
    assert.deepEqual(offered('--log-format', '=', 'j'), ['json']);
    assert.deepEqual(offered('--kmp-rtmp-in-ack', ''), ['on', 'group', 'frame', 'off']);
    assert.deepEqual(offered('inspect', '--type', 'k'), ['kmp']);
    assert.deepEqual(offered('completion', ''), ['bash', 'zsh', 'fish']);
    assert.deepEqual(offered('help', 'se'), ['serve', 'send']);
  });

  it('takes a word for a command where one can stand, and for a value elsewhere', () => {
    assert.deepEqual(offered('-c', 'check', '--sig'), ['--signal']);
    assert.deepEqual(offered('send', '--name', 'top', '--upstr'), ['--upstream-id']);
    assert.deepEqual(offered('-c', 'FILE', 's'), []);
  });

  it('lets bash complete files where an argument is a file', () => {
    assert.deepEqual(offered('-c', ''), []);
    assert.deepEqual(offered('inspect', ''), []);
    assert.match(spawnSync('bash', ['-c', `source '${script}'; complete -p kmp-rtmp`]).stdout.toString(), /-o default/);
  });
});

describe('completion for zsh', () => {
  it('is a script that has every command and flag, and that zsh can parse, if it is here', async () => {
    const { code, stdout } = await kmpRtmp(['completion', 'zsh']);
    assert.equal(code, 0);
    assert.match(stdout, /^#compdef kmp-rtmp\n/);
    for (const command of ['serve', 'restream', 'ingest', 'send', 'inspect', 'check', 'top', 'demo', 'licenses']) {
      const [, part = ''] = new RegExp(`\\n    ${command}\\)\\n([^]*?) ;;\\n`).exec(stdout) ?? [];
      for (const flag of await flagsInHelp(command)) assert.ok(part.includes(flag), `${command} ${flag}`);
    }
    if (has('zsh')) assert.equal(spawnSync('zsh', ['-n'], { input: stdout }).status, 0);
  });

  it('no other shell is known, and the error says which are', async () => {
    const { code, stderr } = await kmpRtmp(['completion', 'tcsh']);
    assert.equal(code, 1);
    assert.match(stderr, /bash, zsh, fish/);
  });
});
