import { Chart } from '../chart.js';
import { el, Live } from '../dom.js';
import { bitrate, bytes, count, duration, frames, milliseconds, nameOf, percent } from '../data/format.js';
import { newsOf, pillOf, troubleOf, whyOf } from '../data/news.js';
import { displayState, isTroubled } from '../data/order.js';
import type { Times } from '../data/series.js';
import type { Upstream } from '../data/upstream.js';

/** One row of the table. It is reused for different upstreams. */
export class RowView {
  readonly element: HTMLTableRowElement;
  /** Opens the details. It has the focus of the row. */
  readonly button = el('button', { type: 'button', class: 'name', tabindex: '-1', 'aria-controls': 'detail' });
  /** Hides a failure. */
  readonly dismiss = el('button', { type: 'button', class: 'dismiss', tabindex: '-1' }, 'Dismiss');
  upstream: Upstream | undefined;
  private readonly live = new Live<Upstream>();
  private readonly spark = el('div', { class: 'spark' });
  private chart: Chart | undefined;

  constructor() {
    const { live, button } = this;
    button.append(live.text(({ info }) => nameOf(info.id)));
    live.attribute(button, 'title', ({ info }) => nameOf(info.id));
    const state = el('span', { class: 'pill' }, live.text(pillOf));
    const said = el(
      'small',
      {},
      live.text((one) => (isTroubled(one) ? troubleOf(one) : one.silent ? 'no data arrives' : newsOf(one.info))),
    );
    const why = el(
      'p',
      { class: 'why' },
      live.text((one) => (isTroubled(one) ? whyOf(one, Date.now()) : '')),
    );
    live.attribute(why, 'title', (one) => (isTroubled(one) ? whyOf(one, Date.now()) : ''));
    live.shown(why, isTroubled);
    live.attribute(this.dismiss, 'aria-label', ({ info }) => `Dismiss the failure of ${nameOf(info.id)}`);
    // It stands beside the lines that say what is wrong.
    live.shown(this.dismiss, (one) => one.failure !== undefined && isTroubled(one));
    const bar = el('span');
    const meter = el('span', { class: 'meter' }, bar);
    live.does(({ memShare }) => bar.style.setProperty('width', `${Math.min(100, memShare * 100).toFixed(1)}%`));
    this.element = el(
      'tr',
      {},
      el(
        'th',
        { scope: 'row' },
        button,
        el(
          'small',
          {},
          el(
            'span',
            { class: 'on-node' },
            live.text(({ info }) => (info.node === undefined ? '' : `${info.node} `)),
          ),
          live.text(({ info }) => info.elsewhere ?? info.url),
        ),
      ),
      el('td', { 'data-column': 'state' }, live.attribute(state, 'data-state', displayState), said, why, this.dismiss),
      el(
        'td',
        { 'data-column': 'node' },
        live.text(({ info }) => info.node ?? ''),
        el(
          'small',
          {},
          live.text(({ info }) => (info.alsoOn === undefined ? '' : `and ${info.alsoOn.join(', ')}`)),
        ),
      ),
      this.number(
        'bitrateIn',
        ({ bitrateIn }) => bitrate(bitrateIn),
        quietAtZero(({ bitrateIn }) => bitrateIn),
      ),
      this.number(
        'bitrateOut',
        ({ bitrateOut }) => bitrate(bitrateOut),
        quietAtZero(({ bitrateOut }) => bitrateOut),
      ),
      el('td', { 'data-column': 'chart', 'aria-hidden': 'true' }, this.spark),
      this.number(
        'frames',
        (upstream) => frames(upstream.frames),
        quietAtZero((upstream) => upstream.frames),
      ),
      this.number('delay', ({ delay }) => milliseconds(delay)),
      el(
        'td',
        { 'data-column': 'memory' },
        live.attribute(meter, 'data-level', ({ memShare }) => levelOf(memShare)),
        el(
          'span',
          {},
          live.text(({ memShare }) => percent(memShare)),
        ),
        el(
          'small',
          {},
          live.text(({ memUsed }) => bytes(memUsed)),
        ),
      ),
      this.number(
        'dropped',
        ({ dropped }) => count(dropped),
        alarmingAboveZero(({ dropped }) => dropped),
      ),
      this.number(
        'reconnects',
        ({ info }) => count(info.reconnects),
        alarmingAboveZero(({ info }) => info.reconnects),
      ),
      this.number('uptime', ({ uptime }) => duration(uptime)),
    );
  }

  /**
   * @param index position in the table; the heading is 1
   * @param why height of the lines that say why it is in trouble, in px
   */
  show(upstream: Upstream, index: number, times: Times, selected: boolean, why: number): void {
    this.upstream = upstream;
    this.live.refresh(upstream);
    this.element.setAttribute('aria-rowindex', String(index));
    this.element.classList.toggle('selected', selected);
    this.element.dataset['state'] = displayState(upstream);
    this.element.classList.toggle('troubled', isTroubled(upstream));
    this.element.style.setProperty('--why', `${why}px`);
    this.element.classList.toggle('ended', upstream.isEnded);
    this.button.setAttribute('aria-expanded', String(selected));
    if (this.spark.clientWidth === 0) return; // the screen is too narrow for charts
    this.chart ??= new Chart(this.spark, { lines: [{ label: 'out', color: 'out' }], height: 28 });
    this.chart.show(times, upstream.lines.bitrateOut);
  }

  private number(
    column: string,
    read: (upstream: Upstream) => string,
    level?: (upstream: Upstream) => 'quiet' | 'alarm' | 'plain',
  ): HTMLElement {
    const cell = el('td', { 'data-column': column, 'data-number': true }, this.live.text(read));
    return level ? this.live.attribute(cell, 'data-level', level) : cell;
  }
}

function quietAtZero(read: (upstream: Upstream) => number): (upstream: Upstream) => 'quiet' | 'plain' {
  return (upstream) => (read(upstream) === 0 ? 'quiet' : 'plain');
}

function alarmingAboveZero(read: (upstream: Upstream) => number): (upstream: Upstream) => 'quiet' | 'alarm' {
  return (upstream) => (read(upstream) === 0 ? 'quiet' : 'alarm');
}

function levelOf(share: number): string {
  return share >= 0.9 ? 'bad' : share >= 0.7 ? 'warn' : 'good';
}
