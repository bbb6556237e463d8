import { Lexer } from '../nginx/lexer.js';
import { Limits } from '../nginx/parser.js';
import { fileSystem, type Source } from '../nginx/source.js';

/**
 * The argument of `pid` in a configuration file that is not valid otherwise, so that its process can be ended. The file
 * is read up to the first error of its syntax; includes are not read. undefined: there is none.
 */
export function findPid(file: string, source: Source = fileSystem): string | undefined {
  let found: string | undefined;
  let depth = 0;
  let words: string[] = [];
  try {
    const lexer = new Lexer(source.read(file, Limits.fileBytes), file);
    for (let token = lexer.next(); token !== undefined && found === undefined; token = lexer.next()) {
      if (token.kind === 'word') {
        words.push(token.text);
        continue;
      }
      // Words before the name belong to a directive without its ";".
      if (token.kind === ';' && depth === 0 && words.at(-2) === 'pid') found = words.at(-1);
      if (token.kind === '{') depth++;
      if (token.kind === '}') depth--;
      words = [];
    }
  } catch {
    // What stands before the error counts.
  }
  return found;
}
