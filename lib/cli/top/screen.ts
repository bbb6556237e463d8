import type { Clock, Timer } from '../../time/clock.js';
import { messageOf } from '../../base/errors.js';
import { printable } from '../../inspect/printable.js';
import { headLine, lackLine, tableLines } from './render.js';
import { ORDERS, rowsOf, type Order, type Row } from './rows.js';
import type { ServiceSample } from './status.js';
import { fit } from './width.js';

/** The output of the terminal: a `tty.WriteStream`, or an object with its methods. */
export interface ScreenOutput {
  readonly columns: number;
  readonly rows: number;
  write(text: string): unknown;
  on(event: 'resize', listener: () => void): unknown;
  off(event: 'resize', listener: () => void): unknown;
}

/** The input of the terminal: a `tty.ReadStream`, without `setRawMode` if it is not a terminal. */
export interface ScreenInput {
  setRawMode?(raw: boolean): unknown;
  resume(): unknown;
  pause(): unknown;
  on(event: 'data', listener: (data: Buffer) => void): unknown;
  off(event: 'data', listener: (data: Buffer) => void): unknown;
}

export interface ScreenOptions {
  readonly output: ScreenOutput;
  readonly input: ScreenInput;
  readonly clock: Clock;
  /** ms between two samples. */
  readonly interval: number;
  readonly sample: () => Promise<ServiceSample>;
  /** Colours and reverse video. */
  readonly colors: boolean;
  /** Order of the rows; the key `s` changes it. Default: `state`. */
  readonly order?: Order;
}

/** Switches to the alternate screen and hides the cursor; and back. */
const ENTER = '\u001b[?1049h\u001b[?25l';
const LEAVE = '\u001b[?25h\u001b[?1049l';
const HOME = '\u001b[H';
const CLEAR_LINE = '\u001b[K';
const CLEAR_BELOW = '\u001b[J';
const RESET = '\u001b[0m';

/** Colours of states that need attention. */
const STATE_COLORS: Readonly<Record<string, string>> = {
  refused: '\u001b[31m',
  failed: '\u001b[31m',
  input_lost: '\u001b[31m',
  input_stalled: '\u001b[31m',
  degraded: '\u001b[33m',
  reconnecting: '\u001b[31m',
  waiting: '\u001b[31m',
  resolving: '\u001b[33m',
  connecting: '\u001b[33m',
  handshaking: '\u001b[33m',
  closing: '\u001b[2m',
};
const SILENT_COLOR = '\u001b[33m';
const REVERSE = '\u001b[7m';

/** Ctrl-C and Ctrl-D come as keys, because the terminal is in raw mode. */
const QUIT_KEYS = new Set(['q', 'Q', '\u0003', '\u0004']);

/** Lines around the table: title, blank line and heading above, help below. */
const FRAME_LINES = 4;

/** The live view: reads the API, draws the table, handles keys. */
export class Screen {
  private earlier: ServiceSample | undefined;
  private last: ServiceSample | undefined;
  private trouble: string | undefined;
  private top = 0;
  private order: Order;
  private timer: Timer | undefined;
  private ended = false;
  private finish: () => void = () => {};
  private readonly done: Promise<void>;

  constructor(private readonly options: ScreenOptions) {
    this.done = new Promise((resolve) => (this.finish = resolve));
    this.order = options.order ?? 'state';
  }

  /** Shows the view until {@link quit} is called or a key ends it. Then the terminal is restored. */
  async run(): Promise<void> {
    const { output, input } = this.options;
    output.write(ENTER);
    input.setRawMode?.(true);
    input.on('data', this.onKeys);
    input.resume();
    output.on('resize', this.draw);
    void this.sample();
    await this.done;
    this.ended = true;
    this.timer?.cancel();
    output.off('resize', this.draw);
    input.off('data', this.onKeys);
    input.setRawMode?.(false);
    input.pause();
    output.write(LEAVE);
  }

  readonly quit = (): void => this.finish();

  private async sample(): Promise<void> {
    try {
      const sample = await this.options.sample();
      this.earlier = this.last;
      this.last = sample;
      this.trouble = undefined;
    } catch (error) {
      this.trouble = messageOf(error);
    }
    if (this.ended) return;
    this.draw();
    this.timer = this.options.clock.after(this.options.interval, () => void this.sample());
  }

  private readonly onKeys = (data: Buffer): void => {
    const page = Math.max(1, this.options.output.rows - FRAME_LINES);
    const keys = data.toString('latin1');
    const moves: Readonly<Record<string, number>> = {
      '\u001b[A': -1,
      k: -1,
      '\u001b[B': 1,
      j: 1,
      '\u001b[5~': -page,
      '\u001b[6~': page,
      ' ': page,
    };
    if (QUIT_KEYS.has(keys)) this.quit();
    else if (keys === 's') {
      this.order = ORDERS[(ORDERS.indexOf(this.order) + 1) % ORDERS.length] ?? 'state';
      this.top = 0;
      this.draw();
    } else if (keys in moves) {
      this.top += moves[keys] ?? 0;
      this.draw();
    }
  };

  private readonly draw = (): void => {
    const { output } = this.options;
    // Not the last column: after a character there, the place of the cursor depends on the terminal.
    const width = Math.max(1, output.columns - 1);
    const height = Math.max(FRAME_LINES + 1, output.rows);
    const lines = this.lines(width, height).slice(0, height);
    output.write(`${HOME}${lines.map((line) => `${line}${CLEAR_LINE}`).join('\r\n')}${CLEAR_BELOW}`);
  };

  private lines(width: number, height: number): string[] {
    const { last } = this;
    const trouble = this.trouble ?? (last && lackLine(last));
    const alarm = trouble === undefined ? '' : this.styled('\u001b[31m', fit(printable(trouble), width));
    if (last === undefined) return [trouble === undefined ? 'asking the API ...' : alarm, '', 'q quits'];
    const rows = rowsOf(last, this.earlier, this.order);
    const room = height - FRAME_LINES;
    this.top = Math.max(0, Math.min(this.top, rows.length - room));
    const shown = rows.slice(this.top, this.top + room);
    const [heading = '', ...table] = tableLines(shown, width);
    return [
      fit(headLine(last, rows), width),
      alarm,
      this.styled(REVERSE, heading),
      ...table.map((line, n) => this.row(line, shown[n])),
      ...(rows.length === 0 ? ['no upstreams'] : []),
      fit(this.foot(rows.length, shown.length), width),
    ];
  }

  private row(line: string, row: Row | undefined): string {
    if (row === undefined) return line;
    const color = Object.hasOwn(STATE_COLORS, row.state) ? STATE_COLORS[row.state] : undefined;
    if (color !== undefined) return this.styled(color, line);
    return row.silent ? this.styled(SILENT_COLOR, line) : line;
  }

  private styled(style: string, text: string): string {
    return this.options.colors ? `${style}${text}${RESET}` : text;
  }

  private foot(all: number, shown: number): string {
    const part = shown < all ? `${this.top + 1} to ${this.top + shown} of ${all}; up and down scroll, ` : '';
    return `${part}by ${this.order} (s: another order), q quits`;
  }
}
