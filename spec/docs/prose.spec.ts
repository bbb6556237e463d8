import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';

const plain = 'A sender that reconnects continues at the first unacknowledged frame.\n';
const wide = `| ${'cell '.repeat(30)}|\n| --- |\n| ${'c'.repeat(130)} |\n\n\`\`\`sh\n${'echo anew '.repeat(15)}\n\`\`\`\n`;

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

const source = [
  'const anew = 1;',
  '/**',
  ' * A connection of which each sender is',
  ' * told.',
  ' */',
  "export const help = 'makes all of it anew';",
  `// ${'w '.repeat(70)}`,
];

const good = {
  'plain.md': `# Plain\n\n${plain}\n${wide}\nAn \`anew\` in code.\n`,
  'plain.ts': 'const anew = "anew";\n',
};
const bad = {
  'phrases.md': `# Page\n\n${plain}${phrases.join('\n')}\n`,
  'long.md': `# Page\n\n${'many words '.repeat(18)}end.\n`,
  'source.ts': `${source.join('\n')}\n`,
  'unit.service': '[Unit]\nDescription=anew\n# This is made\n# anew.\n',
};

describe('npm run prose', () => {
  let folder = '';
  before(() => (folder = mkdtempSync(join(tmpdir(), 'prose-'))));
  after(() => rmSync(folder, { recursive: true, force: true }));

  /** The linter on files of these names and texts: its exit code, and what it says of each file, without the path. */
  function lint(files: Readonly<Record<string, string>>): { status: number | null; said: (name: string) => string[] } {
    const paths = Object.entries(files).map(([name, text]) => {
      writeFileSync(join(folder, name), text);
      return join(folder, name);
    });
    const { status, stderr } = spawnSync(process.execPath, ['scripts/prose/main.js', ...paths], { encoding: 'utf8' });
    const lines = stderr.split('\n');
    const said = (name: string): string[] => {
      const start = `${join(folder, name)}:`;
      return lines.filter((line) => line.startsWith(start)).map((line) => line.slice(start.length));
    };
    return { status, said };
  }

  it('accepts plain pages with wide tables and wide code, and sources in which only a name is on the list', () => {
    const { status, said } = lint(good);
    assert.deepEqual([status, ...Object.keys(good).flatMap(said)], [0]);
  });

  it('refuses phrases of the word list, long lines and long sentences, in pages, comments and texts', () => {
    const { status, said } = lint(bad);
    assert.equal(status, 1);

    const ofPhrases = said('phrases.md').map(
      (line) => /^(\d+):\d+ {2}Incorrect term: .* use “.+” instead {2}\(words\)$/.exec(line)?.[1],
    );
    assert.deepEqual(
      [...new Set(ofPhrases)],
      phrases.map((_, index) => String(index + 4)),
    );
    assert.deepEqual(said('long.md'), [
      '3:1  Line of 202 characters; at most 120  (line-width)',
      '3:1  Sentence of 37 words; at most 30  (sentence-length)',
    ]);
    // The first phrase is broken over two lines: it and what the linter says of it have a line break.
    assert.deepEqual(
      said('source.ts').map((line) => line.split(':', 1)[0]),
      ['3', '6', '7'],
    );
    assert.deepEqual(
      said('unit.service').map((line) => line.split('  ')[0]),
      ['4:3'],
    );
  });
});
