import { Chart, type ChartLine } from '../chart.js';
import { byId, el, Live } from '../dom.js';
import { bitrate, bytes, count, frames, percent } from '../data/format.js';
import type { Model } from '../data/model.js';
import { stateName } from '../data/news.js';
import { groupOfUpstream } from '../data/order.js';
import { GROUPS } from '../data/states.js';
import type { Line } from '../data/series.js';

interface Card {
  readonly title: string;
  readonly value: (model: Model) => string;
  readonly note: (model: Model) => string;
  readonly chart?: ChartLine & { readonly points: (model: Model) => Line };
}

const CARDS: readonly Card[] = [
  { title: 'Upstreams', value: ({ upstreams }) => count(upstreams.size), note: statesOf },
  {
    title: 'Bitrate in',
    value: ({ totals }) => bitrate(totals.bitrateIn),
    note: (model) => `KMP, ${count(inputsOf(model))} connections`,
    chart: { label: 'in', color: 'in', points: ({ lines }) => lines.bitrateIn },
  },
  {
    title: 'Bitrate out',
    value: ({ totals }) => bitrate(totals.bitrateOut),
    note: () => 'RTMP, as sent',
    chart: { label: 'out', color: 'out', points: ({ lines }) => lines.bitrateOut },
  },
  {
    title: 'Frames/s',
    value: ({ totals }) => frames(totals.frames),
    note: () => 'sent, all tracks',
    chart: { label: 'frames', color: 'frames', points: ({ lines }) => lines.frames },
  },
  {
    title: 'Memory',
    value: ({ totals }) => bytes(totals.memUsed),
    note: ({ totals: { memUsed, memLimit } }) =>
      memLimit === 0 ? 'no limit yet' : `${percent(memUsed / memLimit)} of ${bytes(memLimit)}`,
    chart: { label: 'memory', color: 'memory', points: ({ lines }) => lines.memory },
  },
  {
    title: 'Dropped frames',
    value: ({ totals }) => count(totals.dropped),
    note: ({ totals: { reconnects } }) => `${count(reconnects)} reconnect${reconnects === 1 ? '' : 's'}`,
  },
];

/** The cards at the top of the page. */
export class TotalsView {
  private readonly live = new Live<Model>();

  constructor() {
    const line = el('p', { class: 'totals-line' }, this.live.text(lineOf));
    byId('totals', HTMLElement).append(line, ...CARDS.map((card) => this.card(card)));
  }

  show(model: Model): void {
    this.live.refresh(model);
  }

  private card({ title, value, note, chart }: Card): HTMLElement {
    const { live } = this;
    const host = el('div', { class: 'spark' });
    const card = el(
      'article',
      { class: 'card' },
      el('h2', {}, title),
      el('p', { class: 'value' }, live.text(value)),
      el('p', { class: 'note' }, live.text(note)),
      ...(chart ? [host] : []),
    );
    if (chart) {
      let drawn: Chart | undefined;
      live.does((model) => {
        drawn ??= new Chart(host, { lines: [chart], height: 36 });
        drawn.show(model.times, chart.points(model));
      });
    }
    return card;
  }
}

function inputsOf({ upstreams }: Model): number {
  let inputs = 0;
  for (const { tracks } of upstreams.values()) inputs += tracks.filter(({ info }) => info.input !== null).length;
  return inputs;
}

/** `3 failed, 1 reconnecting, 42 publishing`: the worst first. */
function statesOf({ rows }: Model): string {
  const counts = new Map<string, number>();
  for (const upstream of rows) {
    const group = groupOfUpstream(upstream);
    counts.set(group, (counts.get(group) ?? 0) + 1);
  }
  const parts = GROUPS.flatMap((group) => {
    const number = counts.get(group) ?? 0;
    return number === 0 ? [] : [`${count(number)}\u00a0${stateName(group).replaceAll(' ', '\u00a0')}`];
  });
  return parts.join(', ') || 'none yet';
}

/** The line of totals of a narrow screen. */
function lineOf(model: Model): string {
  const { bitrateIn, bitrateOut, dropped } = model.totals;
  const rates = `in\u00a0${bitrate(bitrateIn)}, out\u00a0${bitrate(bitrateOut)}`;
  return `${statesOf(model)}; ${rates}${dropped > 0 ? `, ${count(dropped)}\u00a0frames dropped` : ''}`;
}
