import { Chart } from '../chart.js';
import { byId, el, Live } from '../dom.js';
import type { Dropper } from '../orders/drop.js';
import { bitrate, bytes, count, duration, frames, milliseconds, nameOf, percent, timeOfDay } from '../data/format.js';
import type { Model } from '../data/model.js';
import { displayState } from '../data/order.js';
import { backupName, isDown } from '../data/states.js';
import type { Times } from '../data/series.js';
import { endedSection } from './ended-section.js';
import { ago, pillOf, troubleText } from '../data/news.js';
import { streamSection } from './stream-section.js';
import type { Upstream } from '../data/upstream.js';

type Fact = readonly [title: string, read: (upstream: Upstream) => string];

const FACTS: readonly Fact[] = [
  ['Destination', ({ info }) => destinationOf(info)],
  ['Server', ({ info }) => info.remoteAddr || 'not connected'],
  ['Local address', ({ info }) => info.localAddr || '–'],
  ['Node', ({ info }) => [info.node ?? '', ...(info.alsoOn ?? [])].join(', also on ')],
  ['Connection', ({ info }) => String(info.connection)],
  ['Uptime', ({ uptime }) => duration(uptime)],
  ['Next attempt', ({ info }) => (info.nextAttempt === null ? '–' : timeOfDay(Date.parse(info.nextAttempt)))],
  ['Reconnects', ({ info }) => count(info.reconnects)],
  ['Delay', ({ delay }) => milliseconds(delay)],
  ['Frames', (upstream) => `${frames(upstream.frames)} per second`],
  ['Memory', (of) => `${bytes(of.memUsed)} of ${bytes(of.info.memLimit)} (${percent(of.memShare)})`],
  ['Dropped', ({ dropped }) => `${count(dropped)} frames`],
  ['Skipped', ({ skipped }) => `${count(skipped)} frames`],
  ['Sent', ({ sentBytes }) => bytes(sentBytes)],
  ['Queued for sending', (of) => bytes(Math.max(0, of.writtenBytes - of.sentBytes))],
  ['Received', ({ receivedBytes }) => bytes(receivedBytes)],
];

/** The URL that is in use, which backup it is, and whether an operator has sent the upstream there. */
function destinationOf({ url, elsewhere, backup }: Upstream['info']): string {
  const moved = `${elsewhere} (an operator has sent it there; its senders ask for ${url})`;
  const primary = elsewhere === null ? url : moved;
  return backup === null
    ? primary
    : `${backup.url} (${backupName(backup.number, backup.count)}; the primary destination is ${primary})`;
}

/** The panel with the details of an upstream. */
export class DetailView {
  private readonly panel = byId('detail', HTMLElement);
  private live = new Live<Upstream>();
  private charts: { chart: Chart; show: (upstream: Upstream, times: Times) => void }[] = [];
  private upstream: Upstream | undefined;
  /** Describes the structure of the panel. It is rebuilt when the streams, tracks or senders change. */
  private shape = '';

  constructor(
    private readonly dropper: Dropper,
    private readonly closed: (upstream: Upstream | undefined) => void,
    private readonly dismissed: (upstream: Upstream) => void,
  ) {
    this.panel.addEventListener('keydown', ({ key }) => {
      if (key === 'Escape') this.close();
    });
  }

  get key(): number | undefined {
    return this.upstream?.key;
  }

  open(upstream: Upstream, model: Model): void {
    this.upstream = upstream;
    this.build(upstream);
    this.panel.hidden = false;
    this.show(model);
    this.panel.querySelector('h2')?.focus();
  }

  /** Updates the panel. If the upstream has ended, one with the same id replaces it, or the record of its end. */
  show(model: Model): void {
    if (!this.upstream) return;
    const there = model.upstreams.get(this.upstream.key) === this.upstream;
    const upstream = (this.upstream = there ? this.upstream : (model.find(this.upstream.info.id) ?? this.upstream));
    const present = model.upstreams.get(upstream.key) === upstream;
    if (shapeOf(upstream, this.dropper) !== this.shape) this.build(upstream);
    this.panel.classList.toggle('ended', !present);
    this.live.refresh(upstream);
    if (present) for (const { show } of this.charts) show(upstream, model.times);
  }

  /** @param tell false: the address of the page stays as it is */
  close(tell = true): void {
    const { upstream } = this;
    if (!upstream) return;
    this.upstream = undefined;
    this.panel.hidden = true;
    this.clear();
    if (tell) this.closed(upstream);
  }

  private clear(): void {
    for (const { chart } of this.charts) chart.destroy();
    this.charts = [];
    this.live = new Live<Upstream>();
    this.panel.replaceChildren();
  }

  private build(upstream: Upstream): void {
    const focused = this.panel.contains(document.activeElement);
    this.clear();
    this.shape = shapeOf(upstream, this.dropper);
    const { live } = this;
    const close = el('button', { type: 'button', class: 'close', 'aria-label': 'Close details' }, '×');
    close.addEventListener('click', () => this.close());
    const title = el(
      'h2',
      { id: 'detail-title', tabindex: '-1' },
      live.text(({ info }) => nameOf(info.id)),
    );
    const state = el(
      'span',
      { class: 'pill' },
      live.text((one) => (one.silent ? `${one.info.state}, but no data arrives` : pillOf(one))),
    );
    live.attribute(state, 'data-state', displayState);
    if (upstream.isEnded) {
      this.panel.append(
        el('header', {}, title, close),
        el('p', { class: 'state' }, state, this.dismissButton(upstream)),
        endedSection(live),
        this.facts(FACTS.slice(0, 1)),
      );
      if (focused) title.focus({ preventScroll: true });
      return;
    }
    const trouble = el('p', { class: 'last', 'data-level': 'error' }, live.text(troubleText));
    live.shown(trouble, ({ info }) => (info.trouble ?? '') !== '');
    const last = el('p', { class: 'last' });
    live.shown(last, ({ info }) => info.lastStatus !== null);
    live.attribute(last, 'data-level', ({ info }) => info.lastStatus?.level ?? '');
    last.append(
      el(
        'b',
        {},
        live.text(({ info }) => info.lastStatus?.code ?? ''),
      ),
      ' ',
      live.text(({ info }) => info.lastStatus?.description ?? ''),
    );
    const broke = el(
      'p',
      { class: 'last' },
      el('b', {}, 'Last error'),
      live.text(({ info }) => (typeof info.lastErrorAt === 'string' ? `, ${ago(info.lastErrorAt, Date.now())}` : '')),
      ' ',
      live.text(({ info }) => [info.lastError ?? '', info.advice ?? ''].filter(Boolean).join('. ')),
    );
    live.shown(broke, ({ info }) => info.lastError !== null);
    live.attribute(broke, 'data-level', ({ info }) => (isDown(info.state) ? 'error' : ''));
    this.panel.append(
      el('header', {}, title, close),
      el('p', { class: 'state' }, state, this.orderButtons(upstream)),
      endedSection(live),
      trouble,
      last,
      broke,
    );
    this.panel.append(this.bitrates(), this.delays(), this.facts(FACTS));
    for (const stream of upstream.streams) this.panel.append(streamSection(upstream, stream, live, this.dropper));
    this.panel.append(el('p', { class: 'gone' }, 'This upstream has ended. The numbers are its last values.'));
    if (focused) title.focus({ preventScroll: true });
  }

  private facts(facts: readonly Fact[]): HTMLElement {
    const list = el('dl', { class: 'facts-list' });
    for (const [name, read] of facts) {
      const wide = name === 'Destination' ? 'wide' : undefined;
      const fact = el('div', { class: wide }, el('dt', {}, name), el('dd', {}, this.live.text(read)));
      if (name === 'Node') this.live.shown(fact, ({ info }) => info.node !== undefined);
      list.append(fact);
    }
    return list;
  }

  private dismissButton(upstream: Upstream): Node {
    const button = el('button', { type: 'button' }, 'Dismiss');
    button.addEventListener('click', () => this.dismissed(upstream));
    return this.live.shown(button, ({ failure }) => failure?.failed === true && failure.liveAgainAt === null);
  }

  /** What an operator can do. */
  private orderButtons(upstream: Upstream): HTMLElement {
    const buttons = el('span', { class: 'orders' });
    if (!this.dropper.can(upstream)) return buttons;
    const order = (name: string, which: 'disable' | 'enable' | 'retry', test: (state: string) => boolean): void => {
      const button = el('button', { type: 'button' }, name);
      button.addEventListener('click', () => this.dropper.order(this.upstream ?? upstream, which));
      buttons.append(this.live.shown(button, ({ info }) => test(info.state)));
    };
    buttons.append(this.dropButton(upstream));
    order('Disable', 'disable', (state) => state !== 'disabled' && state !== 'closing');
    order('Enable', 'enable', (state) => state === 'disabled');
    order('Try now', 'retry', isDown);
    this.elsewhereButtons(upstream, buttons);
    return buttons;
  }

  private elsewhereButtons(upstream: Upstream, buttons: HTMLElement): void {
    const { elsewhere } = this.dropper;
    const send = el('button', { type: 'button', 'aria-haspopup': 'dialog' }, 'Send elsewhere');
    send.addEventListener('click', () => elsewhere.open(this.upstream ?? upstream));
    const back = el('button', { type: 'button' }, 'Send back');
    back.addEventListener('click', () => void elsewhere.back(this.upstream ?? upstream));
    buttons.append(
      this.live.shown(send, ({ info }) => info.state !== 'closing'),
      this.live.shown(back, ({ info }) => info.elsewhere !== null),
    );
  }

  private dropButton(upstream: Upstream): Node {
    const button = el('button', { type: 'button', class: 'danger' }, 'Drop upstream');
    button.addEventListener('click', () => this.dropper.upstream(upstream));
    return button;
  }

  private bitrates(): HTMLElement {
    const host = el('div', { class: 'plot' });
    const lines = [
      { label: 'in', color: 'in' },
      { label: 'out', color: 'out' },
    ] as const;
    const chart = new Chart(host, { lines, height: 150, format: bitrate, least: 100_000 });
    this.charts.push({
      chart,
      show: ({ lines: { bitrateIn, bitrateOut } }, times) => chart.show(times, bitrateIn, bitrateOut),
    });
    const { live } = this;
    return el(
      'figure',
      {},
      el(
        'figcaption',
        {},
        'Bitrate ',
        el(
          'span',
          { class: 'key', 'data-color': 'in' },
          'in ',
          live.text(({ bitrateIn }) => bitrate(bitrateIn)),
        ),
        el(
          'span',
          { class: 'key', 'data-color': 'out' },
          'out ',
          live.text(({ bitrateOut }) => bitrate(bitrateOut)),
        ),
      ),
      host,
    );
  }

  private delays(): HTMLElement {
    const host = el('div', { class: 'plot' });
    const chart = new Chart(host, {
      lines: [{ label: 'delay', color: 'delay' }],
      height: 96,
      format: milliseconds,
      least: 100,
    });
    this.charts.push({ chart, show: ({ lines: { delay } }, times) => chart.show(times, delay) });
    const now = this.live.text(({ delay }) => milliseconds(delay));
    return el(
      'figure',
      {},
      el('figcaption', {}, 'Delay ', el('span', { class: 'key', 'data-color': 'delay' }, now)),
      host,
    );
  }
}

function shapeOf(upstream: Upstream, dropper: Dropper): string {
  return JSON.stringify([upstream.key, upstream.info.streams, dropper.can(upstream)]);
}
