// Completion in a zsh that has a terminal: what Tab makes of a line.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { after, before, describe, it } from 'node:test';
import { Folder, kmpRtmp } from '../support/process/cli.js';

const hasZsh = spawnSync('zsh', ['-c', 'true']).status === 0;

/**
 * Starts an interactive zsh in a terminal of its own, types each line with a Tab behind it, and prints what then stands
 * in the line. Nothing sleeps: Ctrl-X says the line once zsh is done with the keys before it.
 */
const DRIVER = `
zmodload zsh/zpty
script=$1; shift
zpty shell zsh -f -i
zpty -w shell 'autoload -Uz compinit; compinit -u -D; source '$script'; say() { print -r -- "<""<$BUFFER>>"; BUFFER= }'
zpty -w shell 'zle -N say; bindkey "^X" say; unsetopt beep; setopt no_auto_list no_auto_menu; print -r -- "<""<begun>>"'
zpty -r shell out '*<<begun>>*'
for line in "$@"; do
  zpty -w -n shell $line$'\\t\\C-x'
  zpty -r shell out '*<<*>>*'
  out=\${out##*<<}
  print -r -- \${out%%>>*}
done
zpty -d shell
`;

describe('completion for zsh, in a terminal', { skip: hasZsh ? false : 'there is no zsh here' }, () => {
  const folder = new Folder();
  let driver = '';
  let script = '';
  before(async () => {
    script = folder.file('_kmp-rtmp', (await kmpRtmp(['completion', 'zsh'])).stdout);
    driver = folder.file('driver.zsh', DRIVER);
    folder.file('movie.mp4', '');
  });
  after(() => folder.remove());

  const typed: [line: string, completed: string][] = [
    ['kmp-rtmp ins', 'kmp-rtmp inspect '],
    ['kmp-rtmp send --upstr', 'kmp-rtmp send --upstream-id='],
    ['kmp-rtmp send mov', 'kmp-rtmp send movie.mp4 '],
    ['kmp-rtmp send --url rtmp://h/a/s mov', 'kmp-rtmp send --url rtmp://h/a/s movie.mp4 '],
    ['kmp-rtmp inspect --type k', 'kmp-rtmp inspect --type kmp '],
    ['kmp-rtmp inspect --type=r', 'kmp-rtmp inspect --type=rtmp '],
    ['kmp-rtmp -c mov', 'kmp-rtmp -c movie.mp4 '],
    ['kmp-rtmp --kmp-rtmp-out-chu', 'kmp-rtmp --kmp-rtmp-out-chunk-size='],
    ['kmp-rtmp --log-format=j', 'kmp-rtmp --log-format=json '],
    ['kmp-rtmp serve -s rel', 'kmp-rtmp serve -s reload '],
    ['kmp-rtmp completion z', 'kmp-rtmp completion zsh '],
    ['kmp-rtmp help ser', 'kmp-rtmp help serve '],
    ['kmp-rtmp top --nothing', 'kmp-rtmp top --nothing'],
  ];

  it('completes commands, flags, their values and files', () => {
    const lines = typed.map(([line]) => line);
    const options = { cwd: folder.path, encoding: 'utf8', timeout: 60_000 } as const;
    const { status, stdout, stderr } = spawnSync('zsh', ['-f', driver, script, ...lines], options);
    assert.equal(status, 0, stderr);
    const expected = typed.map(([, completed]) => completed);
    assert.deepEqual(stdout.replace(/\n$/, '').split('\n'), expected);
  });
});
