import type { SendProgress } from '../../send/sender.js';

/** Where progress is shown: `process.stdout`. */
export interface Screen {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

const BAR = 24;

/** Shows the progress of a sender: a bar on a terminal, else a line from time to time. */
export class ProgressView {
  private shown = 0;
  private lastLine = 0;
  private before: SendProgress | undefined;

  /**
   * @param total ms of media that will be sent; undefined if it is unknown or endless
   * @param lineEvery ms between two lines if the output is not a terminal
   */
  constructor(
    private readonly screen: Screen,
    private readonly total: number | undefined,
    private readonly lineEvery = 5000,
  ) {}

  /** Shows the progress, if it is due. */
  show(progress: SendProgress): void {
    if (this.screen.isTTY === true) {
      const line = `${bar(progress, this.total)}${status(progress, this.before)}`.slice(
        0,
        (this.screen.columns ?? 80) - 1,
      );
      this.screen.write(`\r${line.padEnd(this.shown)}`);
      this.shown = line.length;
      this.before = progress;
    } else if (progress.elapsed - this.lastLine >= this.lineEvery) {
      this.lastLine = progress.elapsed;
      this.screen.write(`${status(progress, this.before)}\n`);
      this.before = progress;
    }
  }

  /** Clears the bar, so that lines can follow. */
  clear(): void {
    if (this.shown > 0) this.screen.write(`\r${' '.repeat(this.shown)}\r`);
    this.shown = 0;
  }
}

function bar({ media }: SendProgress, total: number | undefined): string {
  if (total === undefined || total <= 0) return '';
  const part = Math.min(1, media / total);
  const full = Math.round(part * BAR);
  const percent = `${Math.floor(part * 100)}%`.padStart(4);
  return `[${'#'.repeat(full)}${'-'.repeat(BAR - full)}]${percent}  of ${timeText(total)}  `;
}

function status(now: SendProgress, before: SendProgress | undefined): string {
  const span = now.elapsed - (before?.elapsed ?? 0);
  const rate = span > 0 ? ((now.bytes - (before?.bytes ?? 0)) * 8) / span : 0;
  const parts = [timeText(now.media), `${now.frames} frames`, `${Math.round(rate)} kbit/s`];
  if (now.acked > 0) parts.push(`${now.acked} acked`);
  if (now.reconnects > 0) parts.push(`${now.reconnects} reconnects`);
  return parts.join('  ');
}

/** `1:02:03` or `2:03`. */
export function timeText(ms: number): string {
  const seconds = Math.floor(ms / 1000);
  const [h, m, s] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  const end = `${String(s).padStart(2, '0')}`;
  return h > 0 ? `${h}:${String(m).padStart(2, '0')}:${end}` : `${m}:${end}`;
}

/** Formats bytes, for example `1.2 MB`. */
export function bytesText(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit] ?? ''}`;
}
