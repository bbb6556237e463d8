/**
 * A terminal that knows just what `top` may send: home, clear to the end of the line and of the screen, another screen
 * and back, cursor on and off, colours. Everything else fails, so an escape sequence that came from outside cannot
 * pass.
 */
import { EventEmitter } from 'node:events';

export class FakeTerminal extends EventEmitter {
  /** Whether the other screen is shown. */
  away = false;
  cursor = true;
  private cells: string[][] = [];
  private x = 0;
  private y = 0;

  constructor(
    public columns: number,
    public rows: number,
  ) {
    super();
  }

  resize(columns: number, rows: number): void {
    this.columns = columns;
    this.rows = rows;
    this.emit('resize');
  }

  /** What is to be seen, line by line, without the blanks at their ends; the second half of a wide character is `~`. */
  get lines(): string[] {
    return Array.from({ length: this.rows }, (_, y) =>
      Array.from({ length: this.columns }, (_, x) => this.cells[y]?.[x] ?? ' ')
        .join('')
        .trimEnd(),
    );
  }

  write(text: string): boolean {
    // eslint-disable-next-line no-control-regex
    for (const [token] of text.matchAll(/\u001b\[[?\d;]*[A-Za-z]|[^]/gu)) this.take(token);
    return true;
  }

  private take(token: string): void {
    if (token.startsWith('\u001b[')) this.control(token.slice(2));
    else if (token === '\r') this.x = 0;
    else if (token === '\n') this.y++;
    else {
      if (/\p{C}/u.test(token)) throw new Error(`the screen got ${JSON.stringify(token)}`);
      if (this.y >= this.rows) throw new Error(`a line past the last one: ${JSON.stringify(token)}`);
      if (this.x >= this.columns && !/\p{M}/u.test(token))
        throw new Error(`line ${this.y} is too long at ${JSON.stringify(token)}`);
      const line = (this.cells[this.y] ??= []);
      if (/\p{M}/u.test(token)) line[this.x - 1] += token;
      else line[this.x++] = token;
      if (/\p{Script=Han}/u.test(token)) line[this.x++] = '~';
    }
  }

  private control(sequence: string): void {
    if (sequence === 'H') [this.x, this.y] = [0, 0];
    else if (sequence === 'K') this.cells[this.y]?.splice(this.x);
    else if (sequence === 'J') {
      this.cells[this.y]?.splice(this.x);
      this.cells.splice(this.y + 1);
    } else if (sequence === '?1049h' || sequence === '?1049l') this.away = sequence.endsWith('h');
    else if (sequence === '?25h' || sequence === '?25l') this.cursor = sequence.endsWith('h');
    else if (!/^\d*m$/.test(sequence)) throw new Error(`the screen got the sequence ${JSON.stringify(sequence)}`);
  }
}

/** The keyboard of such a terminal. */
export class FakeKeyboard extends EventEmitter {
  raw = false;
  reading = false;

  setRawMode(raw: boolean): void {
    this.raw = raw;
  }

  resume(): void {
    this.reading = true;
  }

  pause(): void {
    this.reading = false;
  }

  press(keys: string): void {
    this.emit('data', Buffer.from(keys, 'latin1'));
  }
}
