import { dirname, isAbsolute, join, resolve } from 'node:path';
import { messageOf } from '../../base/errors.js';
import { ConfigError, type Origin } from '../errors.js';
import { Lexer } from './lexer.js';
import { disk, expand, isPattern, type Source } from './source.js';
import { hasControl } from '../types.js';

/** One directive as written: `name args;` or `name args { block }`. */
export interface Directive extends Origin {
  readonly name: string;
  readonly args: readonly string[];
  readonly block?: readonly Directive[];
}

/** What a configuration may take, so that no text, however hostile, takes more. */
export const Limits = {
  /** bytes of one file */
  fileBytes: 1_048_576,
  /** files, each counted as often as it is included */
  files: 1000,
  /** bytes of all of them */
  totalBytes: 16_777_216,
  /** directives of all of them */
  directives: 100_000,
  /** blocks within blocks */
  blockDepth: 32,
  /** includes within includes */
  includeDepth: 16,
} as const;

/** What a tree needs of its reader. */
interface Around {
  /** Counts a directive. @throws ConfigError past the limit */
  count(origin: Origin): void;
  /** @param blocks how many blocks the include is within */
  include(args: readonly string[], origin: Origin, blocks: number): readonly Directive[];
}

/** Builds the tree of one text. */
class Tree {
  private readonly top: Directive[] = [];
  private readonly open: { readonly origin: Origin; readonly name: string; readonly list: Directive[] }[] = [];

  /** @param depth blocks that the text is within, where it is included */
  constructor(
    private readonly file: string,
    private readonly depth: number,
    private readonly around: Around,
  ) {}

  parse(text: string): readonly Directive[] {
    const lexer = new Lexer(text, this.file);
    let words: string[] = [];
    let line = 1;
    for (let token = lexer.next(); token !== undefined; token = lexer.next()) {
      if (words.length === 0) line = token.line;
      if (token.kind === 'word') {
        words.push(token.text);
      } else if (token.kind === '}') {
        this.close({ file: this.file, line: token.line }, words);
      } else {
        this.directive(token.kind, { file: this.file, line }, words);
        words = [];
      }
    }
    const [name] = words;
    if (name !== undefined)
      throw syntax({ file: this.file, line }, `the file ends within "${name}"; expected ";" or "{"`);
    const left = this.open.at(-1);
    if (left !== undefined) throw syntax(left.origin, `the block of "${left.name}" is not closed; expected "}"`);
    return this.top;
  }

  private close(origin: Origin, [name]: readonly string[]): void {
    if (name !== undefined) throw syntax(origin, `"}" in mid-directive; expected ";" after "${name}"`);
    if (this.open.pop() === undefined) throw syntax(origin, '"}" closes no block');
  }

  private directive(end: ';' | '{', origin: Origin, [name, ...args]: readonly string[]): void {
    if (name === undefined) throw syntax(origin, `"${end}" without a directive before it`);
    const list = this.open.at(-1)?.list ?? this.top;
    const blocks = this.depth + this.open.length;
    this.around.count(origin);
    if (name === 'include') {
      if (end === '{') throw syntax(origin, '"include" takes no block; expected ";"');
      for (const directive of this.around.include(args, origin, blocks)) list.push(directive);
    } else if (end === ';') {
      list.push({ ...origin, name, args });
    } else {
      if (blocks >= Limits.blockDepth) throw syntax(origin, `more than ${Limits.blockDepth} blocks within one another`);
      const block: Directive[] = [];
      list.push({ ...origin, name, args, block });
      this.open.push({ origin, name, list: block });
    }
  }
}

/** Reads files into trees, and counts what they take. */
class Reader {
  private files = 0;
  private bytes = 0;
  private directives = 0;

  constructor(
    private readonly source: Source,
    private readonly main: string,
  ) {}

  /** @param origin where the file is asked for */
  text(file: string, origin: Origin): string {
    try {
      return this.source.read(file, Math.min(Limits.fileBytes, Limits.totalBytes - this.bytes));
    } catch (error) {
      const what = origin.line === 0 ? 'cannot read it' : `cannot read "${file}"`;
      throw new ConfigError('CONFIG_FILE', origin, `${what}: ${messageOf(error)}`, { cause: error });
    }
  }

  /** @param chain the files that led to this one, outermost first, and itself */
  tree(text: string, file: string, chain: readonly string[], depth: number): readonly Directive[] {
    this.files++;
    this.bytes += Buffer.byteLength(text);
    return new Tree(file, depth, {
      include: (args, origin, blocks) => this.include(args, origin, chain, blocks),
      count: (origin) => {
        if (++this.directives > Limits.directives) throw fileError(origin, `more than ${Limits.directives} directives`);
      },
    }).parse(text);
  }

  private include(args: readonly string[], origin: Origin, chain: readonly string[], depth: number): Directive[] {
    const [named = ''] = args;
    if (args.length !== 1 || named === '' || hasControl(named)) {
      throw new ConfigError('CONFIG_VALUE', origin, '"include" expects one file');
    }
    const paths = this.paths(named, origin);
    return paths.flatMap((file) => {
      const key = resolve(file);
      if (chain.includes(key)) throw fileError(origin, `"${file}" includes itself: ${[...chain, key].join(' > ')}`);
      if (chain.length > Limits.includeDepth)
        throw fileError(origin, `more than ${Limits.includeDepth} files include one another`);
      if (this.files >= Limits.files) throw fileError(origin, `more than ${Limits.files} files are included`);
      return this.tree(this.text(file, origin), file, [...chain, key], depth);
    });
  }

  /** nginx knows one folder only, that of the main file; whatever is there goes first. */
  private paths(named: string, { file }: Origin): readonly string[] {
    const places = isAbsolute(named)
      ? [named]
      : [dirname(this.main), dirname(file)].map((folder) => join(folder, named));
    if (isPattern(named)) {
      return places.map((place) => expand(place, this.source, Limits.files)).find((found) => found.length > 0) ?? [];
    }
    return [places.find((place) => this.source.exists(place)) ?? places[0] ?? named];
  }
}

function fileError(origin: Origin, reason: string): ConfigError {
  return new ConfigError('CONFIG_FILE', origin, reason);
}

function syntax(origin: Origin, reason: string): ConfigError {
  return new ConfigError('CONFIG_SYNTAX', origin, reason);
}

/**
 * Parses nginx's syntax, with the files it includes in their places. Relative includes are taken from the folder of the main file
 * as in nginx, and if they are not there from that of the file that names them; patterns (`conf.d/*.conf`) give their files in
 * order of name, and may give none.
 * @param file name for messages, and whose folder includes are taken from
 * @throws ConfigError CONFIG_SYNTAX, CONFIG_FILE, or CONFIG_VALUE for an include that names no file
 */
export function parseNginx(text: string, file: string, source: Source = disk): readonly Directive[] {
  if (Buffer.byteLength(text) > Limits.fileBytes) {
    throw new ConfigError('CONFIG_FILE', { file, line: 0 }, `it is bigger than ${Limits.fileBytes} bytes`);
  }
  return new Reader(source, file).tree(text, file, [resolve(file)], 0);
}

/** The same for a file. */
export function parseNginxFile(file: string, source: Source = disk): readonly Directive[] {
  return parseNginx(new Reader(source, file).text(file, { file, line: 0 }), file, source);
}
