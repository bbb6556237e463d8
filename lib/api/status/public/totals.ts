import { Chart, type ChartLine } from './chart.js';
import { byId, el, Live } from './dom.js';
import { bitrate, bytes, count, frames, percent } from './data/format.js';
import { failed, type Model } from './data/model.js';
import { groupOf } from './data/order.js';
import type { Line } from './data/series.js';

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
    byId('totals', HTMLElement).append(...CARDS.map((card) => this.card(card)));
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

function statesOf({ upstreams, ended }: Model): string {
  const counts = new Map<string, number>();
  for (const { info } of upstreams.values())
    counts.set(groupOf(info.state), (counts.get(groupOf(info.state)) ?? 0) + 1);
  const parts = [...counts].sort(([, a], [, b]) => b - a).map(([group, number]) => `${count(number)}\u00a0${group}`);
  const failures = failed(ended);
  if (failures > 0) parts.push(`${count(failures)}\u00a0failed`);
  return parts.join(', ') || 'none yet';
}
