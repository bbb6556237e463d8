import uPlot from './uplot.js';
import { color, onColors, type ColorName } from './colors.js';
import { timeOfDay } from './data/format.js';
import { POINTS, type Line, type Times } from './data/series.js';

/** One line of a chart. */
export interface ChartLine {
  readonly label: string;
  readonly color: ColorName;
}

interface ChartOptions {
  readonly lines: readonly ChartLine[];
  readonly height: number;
  /** Minimum upper end of the scale. Default 1. */
  readonly least?: number;
  /** Formats the values of the left axis; without it, the chart has no axes. */
  readonly format?: (value: number) => string;
}

/**
 * A chart of the last two minutes, as wide as its host. Screen readers ignore it: the text next to it has the values.
 */
export class Chart {
  private readonly plot: uPlot;
  private readonly release: () => void;
  private readonly resize: ResizeObserver;

  constructor(host: HTMLElement, { lines, height, format, least = 1 }: ChartOptions) {
    host.setAttribute('aria-hidden', 'true');
    const options: uPlot.Options = {
      width: host.clientWidth || 120,
      height,
      pxAlign: 0,
      padding: format ? [8, 26, 0, 0] : [2, 0, 2, 0],
      legend: { show: false },
      cursor: { show: false },
      select: { show: false, left: 0, top: 0, width: 0, height: 0 },
      scales: {
        x: { time: false, range: lastMinutes },
        y: { range: (_plot, _min, max) => [0, Math.max(least, (max ?? 0) * 1.1)] },
      },
      axes: format ? axes(format) : [{ show: false }, { show: false }],
      series: [{}, ...lines.map((line) => series(line, lines.length === 1))],
    };
    this.plot = new uPlot(options, [[], ...lines.map(() => [])], host);
    this.release = onColors(() => this.plot.redraw());
    this.resize = new ResizeObserver(() => {
      const width = host.clientWidth;
      if (width > 0 && width !== this.plot.width) this.plot.setSize({ width, height });
    });
    this.resize.observe(host);
  }

  show(times: Times, ...lines: readonly Line[]): void {
    this.plot.setData([times.values, ...lines]);
  }

  destroy(): void {
    this.release();
    this.resize.disconnect();
    this.plot.destroy();
  }
}

function lastMinutes(_plot: uPlot, _min: number, max: number | null): uPlot.Range.MinMax {
  const end = max ?? Date.now() / 1000;
  return [end - POINTS + 1, end];
}

function series(line: ChartLine, filled: boolean): uPlot.Series {
  return {
    label: line.label,
    stroke: () => color(line.color),
    ...(filled ? { fill: () => `${color(line.color)}22` } : {}),
    width: 1.5,
    points: { show: false },
  };
}

function axes(format: (value: number) => string): uPlot.Axis[] {
  const common: uPlot.Axis = {
    stroke: () => color('muted'),
    font: '11px system-ui, sans-serif',
    ticks: { show: false },
    grid: { stroke: () => color('grid'), width: 1 },
  };
  return [
    { ...common, grid: { show: false }, space: 90, size: 24, values: (_, at) => at.map((s) => timeOfDay(s * 1000)) },
    { ...common, space: 28, size: 72, values: (_, at) => at.map(format) },
  ];
}
