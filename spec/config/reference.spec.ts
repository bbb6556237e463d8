import { describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { directives, groups } from '../../lib/config/directives.js';
import { configurationReference, directiveHelp } from '../../lib/config/reference.js';

const page = configurationReference();

describe('reference page', () => {
  it('in docs/ is current (npm run reference)', () => {
    // dist/spec/config is three below the root.
    const written = readFileSync(new URL('../../../docs/configuration.md', import.meta.url), 'utf8');
    // The page is wrapped; `node scripts/reference.js --check` compares every character.
    const words = (text: string): string => text.replaceAll(/\s+/g, ' ').trim();
    assert.equal(words(written), words(page));
  });

  it('describes each directive once and completely', () => {
    for (const name of groups.flatMap(({ rows }) => Object.keys(rows))) {
      const sections = page.split(/^### /m).filter((section) => section.startsWith(`${name}\n`));
      assert.equal(sections.length, 1, name);
      assert.match(
        sections[0] ?? '',
        /\*\*syntax\*\*: `.+`\n- \*\*type\*\*: \S.+\n- \*\*default\*\*: .+\n- \*\*context\*\*: `.+`[^]*\n\n[A-Z].{20}/,
        name,
      );
    }
  });

  it('shows a directive like the documentation of the module', () => {
    const [, section] = page.split('### kmp_rtmp_out_chunk_size\n');
    assert.ok(
      section?.startsWith(`
- **syntax**: \`kmp_rtmp_out_chunk_size size;\`
- **type**: a size such as 4096, 64k or 16m in the range 128 .. 16777215
- **default**: \`64k\`
- **context**: \`stream\`, \`server\`
- **flag, variable**: \`--kmp-rtmp-out-chunk-size\`, \`KMP_RTMP_OUT_CHUNK_SIZE\`
`),
    );
  });

  it('says why the four directives without an effect have none', () => {
    const without = page.match(/\| \[(\w+)\]\(#\w+\) \| .* \| accepted, no effect \|/g) ?? [];
    assert.equal(without.length, 4);
    assert.equal(page.match(/\| \[(\w+)\]\(#\w+\) \| .* \| {2}\|/g)?.length, directives.size - 4);
    assert.equal(page.match(/^\*\*Accepted, no effect\*\*: [^#]+?\.$/gm)?.length, 4);
  });
});

describe('help', () => {
  it('has the flags with their arguments, defaults, and text that fits the terminal', () => {
    const help = directiveHelp(80);
    assert.match(help, /^ {2}--kmp-rtmp-out-reconnects <num \| unlimited> \[0\]$/m);
    assert.match(help, /^ {2}--http-listen </m);
    assert.doesNotMatch(help, /--kmp-rtmp-status|--include|--server(?!-)/);
    const long = help.split('\n').filter((line) => line.length > 80 && !line.startsWith('  --'));
    assert.deepEqual(long, []);
  });
});
