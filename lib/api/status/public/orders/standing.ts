import type { Access } from '../access.js';
import type { Announcer } from '../announcer.js';
import { byId, el, setText } from '../dom.js';
import { nameOf } from '../data/format.js';
import type { Model } from '../data/model.js';
import { ago, clockTime } from '../data/news.js';
import type { OrderInfo } from '../data/wire.js';

/** The orders that no row of the table shows: for routes, and for upstreams that are not present. */
export class StandingOrders {
  private readonly section = byId('orders', HTMLElement);
  private readonly list = byId('orders-list', HTMLUListElement);
  private readonly rows = new Map<number, { readonly row: HTMLLIElement; readonly text: HTMLSpanElement }>();

  constructor(
    private readonly model: Model,
    private readonly access: Access,
    private readonly announcer: Announcer,
    private readonly report: (problem: string) => void,
  ) {}

  show(): void {
    const { orders, api } = this.model;
    this.section.hidden = orders.length === 0;
    for (const [number, { row }] of this.rows) {
      if (orders.some(({ order }) => order === number)) continue;
      row.remove();
      this.rows.delete(number);
    }
    for (const [n, order] of orders.entries()) {
      const { row, text } = this.rowOf(order);
      if (this.list.children[n] !== row) this.list.insertBefore(row, this.list.children[n] ?? null);
      setText(text, sentence(order));
      for (const button of row.getElementsByTagName('button')) button.hidden = api === null;
    }
  }

  private rowOf(order: OrderInfo): { readonly row: HTMLLIElement; readonly text: HTMLSpanElement } {
    const known = this.rows.get(order.order);
    if (known !== undefined) return known;
    const text = el('span');
    const button = el('button', { type: 'button', 'aria-label': `Undo: ${subject(order)} ${state(order)}` }, 'Undo');
    button.addEventListener('click', () => {
      button.disabled = true;
      void this.undo(order).finally(() => (button.disabled = false));
    });
    const made = { row: el('li', {}, text, button), text };
    this.rows.set(order.order, made);
    return made;
  }

  private async undo(order: OrderInfo): Promise<void> {
    const what = `the order for ${nameOfOrder(order)}`;
    try {
      const path = `${this.model.api ?? '.'}/orders/${order.order}`;
      const { ok, status } = await this.access.request(path, { method: 'DELETE' });
      const done = order.kind === 'disabled' ? 'enabled' : 'sent back';
      if (ok) this.announcer.say('order', `Done: ${subject(order)} ${order.id === null ? 'are' : 'is'} ${done}`);
      else if (status === 404) this.report(`${what} was taken back already`);
      else this.report(`${what} was not taken back: HTTP ${status}`);
    } catch {
      this.report(`${what} was not taken back: the service does not answer`);
    }
  }
}

function sentence(order: OrderInfo): string {
  const now = Date.now();
  const by = order.by === null ? '' : `, by ${order.by}`;
  const absent = order.id === null ? '' : '. It is not present';
  return `${subject(order)} ${state(order)} since ${clockTime(order.since, now)} (${ago(order.since, now)})${by}${absent}.`;
}

function nameOfOrder({ id, route }: OrderInfo): string {
  return id === null ? (route ?? '') : nameOf(id);
}

function subject(order: OrderInfo): string {
  return order.id === null ? `All upstreams to ${nameOfOrder(order)}` : nameOfOrder(order);
}

function state({ id, url }: OrderInfo): string {
  return `${id === null ? 'are' : 'is'} ${url === null ? 'disabled' : `sent to ${url}`}`;
}
