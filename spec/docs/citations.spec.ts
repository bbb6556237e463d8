// Comments cite the pages by their path, and the protocol pages by section: each citation has to lead somewhere.
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';

const FOLDERS = ['lib', 'bench', 'spec', 'bin', 'examples', 'scripts'];

/** A file's text with comments that go over several lines joined: a citation may be broken like any other text. */
function joined(text: string): string {
  return text.replaceAll(/\n\s*(\*(?!\/)|\/\/|#)?[ \t]*/g, ' ');
}

/** The headings of a page, longest first: one may begin like another. */
function headings(path: string): string[] {
  const found = [...readFileSync(path, 'utf8').matchAll(/^#+ +(.+)$/gm)].map(([, title = '']) => title);
  return found.sort((a, b) => b.length - a.length);
}

/** What is wrong with the citations in a text. */
function wrongCitations(text: string): string[] {
  const all = joined(text);
  return [...all.matchAll(/(?<![\w/])docs\/[\w/-]+\.md/g)].flatMap((match) => {
    const [path] = match;
    const behind = all.slice(match.index + path.length);
    if (!existsSync(path)) return [`${path}: no such page`];
    const section = /^, ([A-Z].{0,60})/.exec(behind)?.[1];
    if (section === undefined) return path.startsWith('docs/protocol/') ? [`${path}: no section named`] : [];
    const known = headings(path).some((title) => section.startsWith(title) && !/^\w/.test(section.slice(title.length)));
    return known ? [] : [`${path}: no heading is the beginning of "${section}"`];
  });
}

function sources(): string[] {
  return FOLDERS.flatMap((folder) =>
    readdirSync(folder, { recursive: true })
      .map((name) => join(folder, String(name)))
      .filter((path) => /\.[jt]s$/.test(path) && !path.endsWith('citations.spec.ts')),
  );
}

describe('citations in the code', () => {
  it('lead to a page, and to a heading of it', () => {
    const wrong = sources().flatMap((path) =>
      wrongCitations(readFileSync(path, 'utf8')).map((problem) => `${path}: ${problem}`),
    );
    assert.deepEqual(wrong, []);
  });

  it('name no page that is not in the repository', () => {
    const wrong = sources().filter((path) =>
      [...readFileSync(path, 'utf8').matchAll(/(?<![\w/])spec\/[\w/-]+\.md/g)].some(([page]) => !existsSync(page)),
    );
    assert.deepEqual(wrong, []);
  });

  it('name pages of docs/protocol, from every layer that speaks a protocol', () => {
    for (const folder of ['lib/kmp', 'lib/rtmp', 'lib/merge', 'lib/media']) {
      const cited = sources().some(
        (path) => path.startsWith(folder) && readFileSync(path, 'utf8').includes('docs/protocol/'),
      );
      assert.ok(cited, `${folder} cites no page`);
    }
  });

  const rows: readonly (readonly [text: string, problem: RegExp | undefined])[] = [
    ['/** Rule (docs/protocol/kmp.md, Packet). */', undefined],
    ['/**\n * Rule (docs/protocol/kmp.md,\n * Rules of the input, 4).\n */', undefined],
    ['// docs/protocol/kmp.md, Packet types: by hand', undefined],
    ['// docs/protocol/kmp.md, Packets', /no heading/],
    ['// docs/protocol/kmp.md', /no section/],
    ['// docs/protocol/nothing.md, Packet', /no such page/],
    ['// as measured (docs/performance.md)', undefined],
    ['// docs/missing.md', /no such page/],
  ];
  for (const [text, problem] of rows) {
    it(`${problem === undefined ? 'accepts' : 'refuses'} ${JSON.stringify(text)}`, () => {
      const found = wrongCitations(text);
      if (problem === undefined) assert.deepEqual(found, []);
      else assert.match(found.join(), problem);
    });
  }
});

describe('docs/protocol', () => {
  it('has an index that leads to each of its pages', () => {
    const index = readFileSync('docs/protocol/index.md', 'utf8');
    const listed = [...index.matchAll(/^\| \[[^\]]+\]\(([\w-]+\.md)\)/gm)].map(([, name = '']) => name).sort();
    const there = readdirSync('docs/protocol').filter((name) => name.endsWith('.md') && name !== 'index.md');
    assert.deepEqual(listed, there.sort());
  });
});
