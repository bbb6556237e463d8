import { ConfigError } from '../errors.js';

export type Token =
  | { readonly kind: 'word'; readonly text: string; readonly line: number }
  | { readonly kind: ';' | '{' | '}'; readonly line: number };

const isBlank = (char: string | undefined): boolean =>
  char === ' ' || char === '\t' || char === '\r' || char === '\n' || char === undefined;

/** Resolves `\"`, `\'` and `\\`, and `\t`, `\r` and `\n`. A backslash before any other character is kept. */
function unescape(text: string): string {
  const blanks = new Map([
    ['t', '\t'],
    ['r', '\r'],
    ['n', '\n'],
  ]);
  return text.replace(/\\(["'\\trn])/g, (_, char: string) => blanks.get(char) ?? char);
}

/**
 * Splits nginx syntax into words, `;`, `{` and `}`, by the rules of nginx (ngx_conf_read_token). A word ends at
 * whitespace, `;` or `{`, so `a}b`, `a#b` and `a"b` are one word each. `${` does not open a block. Quotes are
 * recognised only at the start of a word, and whitespace, `;` or `{` must follow the closing quote.
 */
export class Lexer {
  private at = 0;
  private line = 1;

  constructor(
    private readonly text: string,
    private readonly file: string,
  ) {
    if (text.startsWith('\uFEFF')) this.at = 1;
    const nul = text.indexOf('\0');
    if (nul >= 0) {
      const line = text.slice(0, nul).split('\n').length;
      throw this.error(line, 'the file contains a NUL character; expected text');
    }
  }

  /** Returns the next token, or undefined at the end. @throws ConfigError config_syntax */
  next(): Token | undefined {
    this.skipBlanks();
    const char = this.text[this.at];
    const line = this.line;
    if (char === undefined) return undefined;
    if (char === ';' || char === '{' || char === '}') {
      this.at++;
      return { kind: char, line };
    }
    return { kind: 'word', text: unescape(char === '"' || char === "'" ? this.quoted(char) : this.plain()), line };
  }

  /** The line on which the last token, or the text, ended. */
  get lastLine(): number {
    return this.line;
  }

  private skipBlanks(): void {
    for (;;) {
      const char = this.text[this.at];
      if (char === '#') {
        const end = this.text.indexOf('\n', this.at);
        this.at = end < 0 ? this.text.length : end;
      } else if (char !== undefined && isBlank(char)) {
        if (char === '\n') this.line++;
        this.at++;
      } else return;
    }
  }

  private plain(): string {
    const begin = this.at;
    let last = '';
    for (let char = this.text[this.at]; char !== undefined; char = this.text[++this.at]) {
      if (isBlank(char) || char === ';' || (char === '{' && last !== '$')) break;
      if (char === '\\' && this.text[this.at + 1] === '\n') this.line++;
      if (char === '\\') this.at++;
      last = char;
    }
    return this.text.slice(begin, this.at);
  }

  private quoted(quote: string): string {
    const opened = this.line;
    const begin = ++this.at;
    for (;;) {
      const char = this.text[this.at];
      if (char === undefined) throw this.error(opened, `the quoted text that begins here has no closing ${quote}`);
      if (char === quote) break;
      if (char === '\\' && this.text[this.at + 1] === '\n') this.line++;
      if (char === '\n') this.line++;
      this.at += char === '\\' ? 2 : 1;
    }
    const text = this.text.slice(begin, this.at++);
    const after = this.text[this.at];
    if (!isBlank(after) && after !== ';' && after !== '{' && after !== ')') {
      throw this.error(this.line, `"${after}" follows a closing ${quote}; expected whitespace, ";" or "{"`);
    }
    return text;
  }

  private error(line: number, reason: string): ConfigError {
    return new ConfigError('config_syntax', { file: this.file, line }, reason);
  }
}
