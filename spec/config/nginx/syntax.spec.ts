import { describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { ConfigError } from '../../../lib/config/errors.js';
import { Limits, parseNginx, type Directive } from '../../../lib/config/nginx/parser.js';

/** Names, arguments and blocks, as nested arrays. */
function shape(tree: readonly Directive[]): unknown[] {
  return tree.map(({ name, args, block }) => (block === undefined ? [name, ...args] : [name, ...args, shape(block)]));
}
const parse = (text: string) => shape(parseNginx(text, 'a.conf'));

function failure(text: string): string {
  try {
    parseNginx(text, 'a.conf');
  } catch (error) {
    if (error instanceof ConfigError) return `${error.code} ${error.message}`;
    throw error;
  }
  return 'no error';
}

describe('nginx syntax', () => {
  // What nginx makes of each, by the rules of its own reader of tokens.
  const rows: readonly [text: string, tree: unknown[]][] = [
    ['', []],
    ['# only a comment', []],
    ['a;', [['a']]],
    ['a b c;', [['a', 'b', 'c']]],
    ['a\tb\r\n  c ;b;', [['a', 'b', 'c'], ['b']]],
    ['a{}', [['a', []]]],
    ['a b{c;d{e f;}}', [['a', 'b', [['c'], ['d', [['e', 'f']]]]]]],
    ['a; # b;\nc;', [['a'], ['c']]],
    ['a b#c;', [['a', 'b#c']]],
    ['a \'b c\' "d;e{}#";', [['a', 'b c', 'd;e{}#']]],
    ["a '';", [['a', '']]],
    ['a "b\nc";', [['a', 'b\nc']]],
    ['a b"c"d;', [['a', 'b"c"d']]],
    ['a "b\\"c" \'d\\\'e\' f\\\\g;', [['a', 'b"c', "d'e", 'f\\g']]],
    ['a b\\tc\\nd\\.e;', [['a', 'b\tc\nd\\.e']]],
    ['a b\\;c b\\ d;', [['a', 'b\\;c', 'b\\ d']]],
    ['a ${b}c;', [['a', '${b}c']]],
    ['a b}c;', [['a', 'b}c']]],
    ['"a" b;', [['a', 'b']]],
    ['a (b)"c";', [['a', '(b)"c"']]],
    ['\uFEFFa;', [['a']]],
  ];
  for (const [text, tree] of rows) {
    it(`reads ${JSON.stringify(text)}`, () => assert.deepEqual(parse(text), tree));
  }

  const broken: readonly [text: string, error: string][] = [
    ['a', 'config_syntax a.conf:1: the file ends within "a"; expected ";" or "{"'],
    ['\na b\nc', 'config_syntax a.conf:2: the file ends within "a"; expected ";" or "{"'],
    [';', 'config_syntax a.conf:1: ";" without a directive before it'],
    ['a;\n{}', 'config_syntax a.conf:2: "{" without a directive before it'],
    ['a;\n}', 'config_syntax a.conf:2: "}" closes no block'],
    ['a {\n b;\n', 'config_syntax a.conf:1: the block of "a" is not closed; expected "}"'],
    ['a {\n b\n }', 'config_syntax a.conf:3: "}" inside a directive; expected ";" after "b"'],
    ['a;\nb "c\nd;', 'config_syntax a.conf:2: the quoted text that begins here has no closing "'],
    ["a 'b'c;", 'config_syntax a.conf:1: "c" follows a closing \'; expected whitespace, ";" or "{"'],
    ['a;\nb\0;', 'config_syntax a.conf:2: the file contains a NUL character; expected text'],
    ['include { }', 'config_syntax a.conf:1: "include" has no block; expected ";"'],
    ['include;', 'config_value a.conf:1: "include" expects one file'],
    ['include "a\tb";', 'config_value a.conf:1: "include" expects one file'],
  ];
  for (const [text, error] of broken) {
    it(`rejects ${JSON.stringify(text)}`, () => assert.equal(failure(text), error));
  }

  it('keeps the first line of each directive', () => {
    const [a, b] = parseNginx('\n\na\n  "x\ny" {\n  c; }\n# z\nb;', 'a.conf');
    assert.deepEqual([a?.line, a?.block?.[0]?.line, b?.line], [3, 6, 8]);
  });

  it('enforces its limits', () => {
    assert.match(failure('a{'.repeat(Limits.blockDepth + 1)), /config_syntax .*more than 32 nested blocks/);
    assert.match(failure('a{'.repeat(400_000)), /more than 32 nested blocks/);
    assert.match(failure('a;'.repeat(Limits.directives + 1)), /config_file .*more than 100000 directives/);
    assert.match(
      failure('#'.repeat(Limits.fileBytes + 1)),
      /config_file a\.conf: the file is larger than 1048576 bytes/,
    );
    assert.equal(parse('#'.repeat(Limits.fileBytes)).length, 0);
  });
});
