import { dirname, isAbsolute, join, resolve } from 'node:path';
import { messageOf } from '../../base/errors.js';
import { ConfigError, type Origin } from '../errors.js';
import { Lexer } from './lexer.js';
import { fileSystem, expandPattern, isPattern, type Source } from './source.js';
import { hasControlCharacter } from '../types.js';

/** One directive of the file: `name args;` or `name args { block }`. */
export interface Directive extends Origin {
  readonly name: string;
  readonly args: readonly string[];
  readonly block?: readonly Directive[];
}

/** Limits that bound the time and memory for any text, including a hostile one. */
export const Limits = {
  /** bytes of one file */
  fileBytes: 1_048_576,
  /** files; a file counts each time it is included */
  files: 1000,
  /** bytes of all files */
  totalBytes: 16_777_216,
  /** directives of all files */
  directives: 100_000,
  /** nesting depth of blocks */
  blockDepth: 32,
  /** nesting depth of includes */
  includeDepth: 16,
} as const;

/** What a {@link TreeBuilder} needs from its reader. */
interface TreeContext {
  /** Counts a directive. @throws ConfigError above the limit */
  count(origin: Origin): void;
  /** @param blocks nesting depth of blocks at the include */
  include(args: readonly string[], origin: Origin, blocks: number): readonly Directive[];
}

/** Builds the tree of directives of one text. */
class TreeBuilder {
  private readonly top: Directive[] = [];
  private readonly open: { readonly origin: Origin; readonly name: string; readonly list: Directive[] }[] = [];

  /** @param depth nesting depth of blocks at the place where the text is included */
  constructor(
    private readonly file: string,
    private readonly depth: number,
    private readonly context: TreeContext,
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
    if (name !== undefined) throw syntax(origin, `"}" inside a directive; expected ";" after "${name}"`);
    if (this.open.pop() === undefined) throw syntax(origin, '"}" closes no block');
  }

  private directive(end: ';' | '{', origin: Origin, [name, ...args]: readonly string[]): void {
    if (name === undefined) throw syntax(origin, `"${end}" without a directive before it`);
    const list = this.open.at(-1)?.list ?? this.top;
    const blocks = this.depth + this.open.length;
    this.context.count(origin);
    if (name === 'include') {
      if (end === '{') throw syntax(origin, '"include" has no block; expected ";"');
      for (const directive of this.context.include(args, origin, blocks)) list.push(directive);
    } else if (end === ';') {
      list.push({ ...origin, name, args });
    } else {
      if (blocks >= Limits.blockDepth) throw syntax(origin, `more than ${Limits.blockDepth} nested blocks`);
      const block: Directive[] = [];
      list.push({ ...origin, name, args, block });
      this.open.push({ origin, name, list: block });
    }
  }
}

/** Reads files into trees and counts files, bytes and directives. */
class FileReader {
  private files = 0;
  private bytes = 0;
  private directives = 0;

  constructor(
    private readonly source: Source,
    private readonly main: string,
  ) {}

  /** @param origin place of the include, for messages */
  text(file: string, origin: Origin): string {
    try {
      return this.source.read(file, Math.min(Limits.fileBytes, Limits.totalBytes - this.bytes));
    } catch (error) {
      const what = origin.line === 0 ? 'cannot read the file' : `cannot read "${file}"`;
      throw new ConfigError('config_file', origin, `${what}: ${messageOf(error)}`, { cause: error });
    }
  }

  /** @param chain the including files, outermost first, and this file */
  tree(text: string, file: string, chain: readonly string[], depth: number): readonly Directive[] {
    this.files++;
    this.bytes += Buffer.byteLength(text);
    return new TreeBuilder(file, depth, {
      include: (args, origin, blocks) => this.include(args, origin, chain, blocks),
      count: (origin) => {
        if (++this.directives > Limits.directives) throw fileError(origin, `more than ${Limits.directives} directives`);
      },
    }).parse(text);
  }

  private include(args: readonly string[], origin: Origin, chain: readonly string[], depth: number): Directive[] {
    const [named = ''] = args;
    if (args.length !== 1 || named === '' || hasControlCharacter(named)) {
      throw new ConfigError('config_value', origin, '"include" expects one file');
    }
    const resolveInclude = this.paths(named, origin);
    return resolveInclude.flatMap((file) => {
      const key = resolve(file);
      if (chain.includes(key)) throw fileError(origin, `"${file}" includes itself: ${[...chain, key].join(' > ')}`);
      if (chain.length > Limits.includeDepth)
        throw fileError(origin, `more than ${Limits.includeDepth} nested includes`);
      if (this.files >= Limits.files) throw fileError(origin, `more than ${Limits.files} files are included`);
      return this.tree(this.text(file, origin), file, [...chain, key], depth);
    });
  }

  /** nginx resolves includes against the folder of the main file only, so that folder has priority. */
  private paths(named: string, { file }: Origin): readonly string[] {
    const places = isAbsolute(named)
      ? [named]
      : [dirname(this.main), dirname(file)].map((folder) => join(folder, named));
    if (isPattern(named)) {
      return (
        places.map((place) => expandPattern(place, this.source, Limits.files)).find((found) => found.length > 0) ?? []
      );
    }
    return [places.find((place) => this.source.exists(place)) ?? places[0] ?? named];
  }
}

function fileError(origin: Origin, reason: string): ConfigError {
  return new ConfigError('config_file', origin, reason);
}

function syntax(origin: Origin, reason: string): ConfigError {
  return new ConfigError('config_syntax', origin, reason);
}

/**
 * Parses nginx syntax and replaces each include by the directives of its files. A relative include is resolved against
 * the folder of the main file, as in nginx, and if it is not found, against the folder of the including file. A pattern
 * (`conf.d/*.conf`) includes all matching files, sorted by name; no match is not an error.
 * @param file name for messages; includes are relative to its folder
 * @throws ConfigError config_syntax, config_file, or config_value for an include without a file name
 */
export function parseNginx(text: string, file: string, source: Source = fileSystem): readonly Directive[] {
  if (Buffer.byteLength(text) > Limits.fileBytes) {
    throw new ConfigError('config_file', { file, line: 0 }, `the file is larger than ${Limits.fileBytes} bytes`);
  }
  return new FileReader(source, file).tree(text, file, [resolve(file)], 0);
}

/** Like {@link parseNginx}, for a file. */
export function parseNginxFile(file: string, source: Source = fileSystem): readonly Directive[] {
  return parseNginx(new FileReader(source, file).text(file, { file, line: 0 }), file, source);
}
