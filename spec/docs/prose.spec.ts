import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';

/** The prose linter on one file of the given name and text: its exit code, and what it says without the file's path. */
function lint(folder: string, name: string, text: string): { status: number | null; lines: string[] } {
  const path = join(folder, name);
  writeFileSync(path, text);
  const { status, stderr } = spawnSync(process.execPath, ['scripts/prose/main.js', path], { encoding: 'utf8' });
  const lines = stderr.split('\n').filter((line) => line.startsWith(path));
  return { status, lines: lines.map((line) => line.slice(path.length + 1)) };
}

describe('npm run prose', () => {
  let folder = '';
  before(() => (folder = mkdtempSync(join(tmpdir(), 'prose-'))));
  after(() => rmSync(folder, { recursive: true, force: true }));

  const plain = 'A sender that reconnects continues at the first unacknowledged frame.\n';
  const long = `${'many words '.repeat(18)}end.\n`;

  it('accepts plain pages, wide tables and wide code', () => {
    const wide = `| ${'cell '.repeat(30)}|\n| --- |\n| ${'c'.repeat(130)} |\n\n\`\`\`sh\n${'echo anew '.repeat(15)}\n\`\`\`\n`;
    assert.deepEqual(lint(folder, 'plain.md', `# Plain\n\n${plain}\n${wide}\nAn \`anew\` in code.\n`), {
      status: 0,
      lines: [],
    });
  });

  const phrases = [
    'For who runs nginx, this is a page.',
    'A connection is made anew.',
    'It lets go of video.',
    'What of the module works is below.',
    'It repeats that for the sake of order.',
    'It is done so that it need not wait.',
    'The sender is told.',
    'This is the house.',
    'This is the way of a byte.',
    'The table says whose the port is.',
  ];
  it('refuses phrases of the word list in pages', () => {
    const { status, lines } = lint(folder, 'phrases.md', `# Page\n\n${plain}${phrases.join('\n')}\n`);
    assert.equal(status, 1);
    const said = lines.map((line) => /^(\d+):\d+ {2}Incorrect term: .* use “.+” instead {2}\(words\)$/.exec(line)?.[1]);
    assert.deepEqual(
      [...new Set(said)],
      phrases.map((_, index) => String(index + 4)),
      lines.join('\n'),
    );
  });

  it('refuses lines above 120 characters and sentences above 35 words', () => {
    const { status, lines } = lint(folder, 'long.md', `# Page\n\n${long}`);
    assert.equal(status, 1);
    assert.deepEqual(lines, [
      '3:1  Line of 202 characters; at most 120  (line-width)',
      '3:1  Sentence of 37 words; at most 35  (sentence-length)',
    ]);
  });

  it('refuses the same in comments and texts of sources, also across a line break, and in nothing else there', () => {
    const source = [
      'const anew = 1;',
      '/**',
      ' * A connection of which each sender is',
      ' * told.',
      ' */',
      "export const help = 'makes all of it anew';",
      `// ${'w '.repeat(70)}`,
    ];
    const { status, lines } = lint(folder, 'source.ts', `${source.join('\n')}\n`);
    assert.equal(status, 1);
    assert.deepEqual(
      lines.map((line) => /^(\d+):.*\((\S+)\)$/.exec(line)?.slice(1).join(' ') ?? line.split(':', 1)[0]),
      ['3', '6 words', '7 line-width'],
    );
  });
});
