import { after, before, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { Limits, parseNginxFile, type Directive } from '../../../lib/config/nginx/parser.js';
import { matchesWildcard } from '../../../lib/config/nginx/wildcard.js';

describe('include', () => {
  let folder = '';
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'kmp-rtmp-include-'));
  });
  after(() => rmSync(folder, { recursive: true }));

  let files = 0;
  /** Writes files into a folder of their own, and reads the first. */
  function read(texts: Readonly<Record<string, string>>): readonly Directive[] {
    const root = join(folder, String(files++));
    for (const [name, text] of Object.entries(texts)) {
      mkdirSync(dirname(join(root, name)), { recursive: true });
      writeFileSync(join(root, name), text.replaceAll('ROOT', root));
    }
    return parseNginxFile(join(root, Object.keys(texts)[0] ?? ''));
  }
  const names = (tree: readonly Directive[]): unknown[] =>
    tree.map(({ name, block }) => (block === undefined ? name : [name, ...names(block)]));

  it('inserts the directives of a file in any block', () => {
    const tree = read({ 'main.conf': 'a; b { include x.conf; c; }', 'x.conf': 'x; y { z; }' });
    assert.deepEqual(names(tree), ['a', ['b', 'x', ['y', 'z'], 'c']]);
  });

  it('reports the file and line of included directives', () => {
    const [, x] = read({ 'main.conf': 'a;\ninclude x.conf;', 'x.conf': '\n\nx;' });
    assert.match(x?.file ?? '', /\/x\.conf$/);
    assert.equal(x?.line, 3);
  });

  it('includes the files of a pattern sorted by name, without hidden files', () => {
    const tree = read({
      'main.conf': 'include conf.d/*.conf;',
      'conf.d/b.conf': 'b;',
      'conf.d/a.conf': 'a;',
      'conf.d/c.txt': 'c;',
      'conf.d/.d.conf': 'd;',
    });
    assert.deepEqual(names(tree), ['a', 'b']);
  });

  it('accepts patterns in any part of a path, absolute or relative', () => {
    const texts = {
      'main.conf': 'include ROOT/*/[ab]?.conf;',
      'x/a1.conf': 'a1;',
      'y/b1.conf': 'b1;',
      'y/c1.conf': 'c1;',
    };
    assert.deepEqual(names(read(texts)), ['a1', 'b1']);
  });

  it('accepts a pattern without a match', () => {
    assert.deepEqual(names(read({ 'main.conf': 'a; include none/*.conf; b;' })), ['a', 'b']);
  });

  it('searches the folder of the main file first, as nginx does, then the folder of the including file', () => {
    const texts = {
      'main.conf': 'include sub/x.conf;',
      'sub/x.conf': 'include y.conf; include z.conf;',
      'sub/z.conf': 'z;',
    };
    assert.deepEqual(names(read({ ...texts, 'y.conf': 'outer;', 'sub/y.conf': 'inner;' })), ['outer', 'z']);
  });

  it('reports the place of an include if the file is missing', () => {
    assert.throws(() => read({ 'main.conf': 'a;\ninclude none.conf;' }), {
      code: 'config_file',
      line: 2,
      message: /main\.conf:2: cannot read ".*\/none\.conf": the file does not exist$/,
    });
  });

  it('reports a main file that is missing or is a folder', () => {
    assert.throws(() => parseNginxFile(join(folder, 'none')), /none: cannot read the file: the file does not exist$/);
    assert.throws(() => parseNginxFile(folder), /cannot read the file: it is a folder$/);
  });

  it('does not read devices, which may be endless', () => {
    assert.throws(() => parseNginxFile('/dev/zero'), /\/dev\/zero: cannot read the file: it is not a regular file$/);
  });

  it('detects a file that includes itself, also indirectly', () => {
    assert.throws(() => read({ 'main.conf': 'include main.conf;' }), /main\.conf:1: ".*main\.conf" includes itself/);
    assert.throws(
      () => read({ a: 'include b;', b: '\ninclude c;', c: 'include b;' }),
      /c:1: ".*b" includes itself: .*a > .*b > .*c > .*b/,
    );
  });

  it('limits the depth of includes', () => {
    const texts = Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`f${i}`, `include f${i + 1};`]));
    assert.throws(() => read(texts), /more than 16 nested includes/);
  });

  it('limits the number of includes', () => {
    // 8 to the 8th files, if nothing stopped it.
    const texts = Object.fromEntries(
      Array.from({ length: 9 }, (_, i) => [`f${i}`, i < 8 ? `include f${i + 1};`.repeat(8) : 'a;']),
    );
    assert.throws(() => read(texts), new RegExp(`more than ${Limits.files} files`));
  });

  it('rejects a file that is too large', () => {
    const texts = { 'main.conf': 'include big.conf;', 'big.conf': '#'.repeat(Limits.fileBytes + 1) };
    assert.throws(() => read(texts), /cannot read ".*big\.conf": the file is larger than 1048576 bytes/);
  });
});

describe('patterns', () => {
  const rows: readonly [pattern: string, text: string, fits: boolean][] = [
    ['*', '', true],
    ['*.conf', 'a.conf', true],
    ['*.conf', 'a.conf~', false],
    ['a*b*c', 'a-b-b-c', true],
    ['a*b*c', 'a-b-b', false],
    ['a?c', 'abc', true],
    ['a?c', 'ac', false],
    ['[a-c]x', 'bx', true],
    ['[!a-c]x', 'bx', false],
    ['[!a-c]x', 'dx', true],
    ['[-a]', '-', true],
    ['[', '[', true],
    ['a.c', 'abc', false],
  ];
  for (const [pattern, text, fits] of rows) {
    it(`${pattern} ${fits ? 'matches' : 'does not match'} "${text}"`, () =>
      assert.equal(matchesWildcard(pattern, text), fits));
  }
  it('matches a hostile pattern quickly', () => {
    assert.equal(matchesWildcard('*a'.repeat(50), 'a'.repeat(2000) + 'b'), false);
  });
});
