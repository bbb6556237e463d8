import { byId, el } from '../dom.js';
import type { Model } from '../data/model.js';
import { matches, sort, type Choice, type Sorting } from '../data/order.js';
import { RowView } from './row.js';
import { WhyHeights } from './why-height.js';
import type { Upstream } from '../data/upstream.js';
import { bodyParts, visibleRows } from '../data/visible-rows.js';

/** ms after the last mouse movement during which rows keep their order. */
const HOLD_MS = 5000;

export interface TableListener {
  open(upstream: Upstream): void;
  /** The failure of the upstream does not have to be shown any more. */
  dismiss(upstream: Upstream): void;
}

/**
 * The table of upstreams. Only the visible rows and the focused row are in the document, independent of the number of
 * upstreams. Rows keep their order while the mouse moves over them or one of them has the focus.
 */
export class TableView {
  /** The displayed upstreams, in order. */
  order: readonly Upstream[] = [];
  sorting: Sorting = { column: 'state', direction: 'ascending' };
  text = '';
  group: Choice = 'all';
  /** Name of the node whose upstreams are shown; undefined: all nodes. */
  node: string | undefined;
  /** Key of the upstream in the details panel. */
  selected: number | undefined;
  private readonly table = byId('table', HTMLTableElement);
  private readonly scroller = byId('scroller', HTMLDivElement);
  private readonly body: HTMLTableSectionElement;
  private readonly why = new WhyHeights(this.table);
  private readonly views = new Map<number, RowView>();
  private readonly spare: RowView[] = [];
  private readonly gaps: HTMLTableRowElement[] = [];
  /** Key of the row that Tab moves to. */
  private active: number | undefined;
  private heldUntil = 0;
  private frame: number | undefined;

  constructor(
    private readonly model: Model,
    private readonly listener: TableListener,
  ) {
    this.body = this.table.tBodies[0] ?? this.table.createTBody();
    this.body.addEventListener('click', (event) => this.click(event));
    this.body.addEventListener('keydown', (event) => this.key(event));
    this.body.addEventListener('focusin', ({ target }) => {
      const view = this.viewOf(target);
      if (view?.upstream) this.active = view.upstream.key;
    });
    this.body.addEventListener('pointermove', () => (this.heldUntil = performance.now() + HOLD_MS));
    this.body.addEventListener('pointerleave', () => (this.heldUntil = 0));
    const later = (): void => {
      this.frame ??= requestAnimationFrame(() => this.draw());
    };
    addEventListener('scroll', later, { capture: true, passive: true });
    addEventListener('resize', later);
    new ResizeObserver(later).observe(this.scroller);
  }

  /** Sorts and draws the upstreams of the model. @param reorder whether the user changed the order or the filter */
  refresh(reorder = false): void {
    const { text, group, node } = this;
    this.table.classList.toggle('fleet', this.model.parts.nodes.length > 0);
    const all = this.model.rows.filter((upstream) => matches(upstream, text, group, node));
    this.order = !reorder && this.held ? keepOrder(this.order, sort(all, this.sorting)) : sort(all, this.sorting);
    this.draw();
  }

  /** Moves the focus to the row of an upstream, or to the first row. */
  focus(key: number | undefined): void {
    const index = Math.max(0, this.indexOf(key));
    this.moveTo(index);
  }

  /** Scrolls the row of an upstream to the top of what is in sight. */
  reveal(key: number): void {
    const view = this.views.get(key);
    view?.element.scrollIntoView({ block: 'start' });
  }

  private get held(): boolean {
    return performance.now() < this.heldUntil || this.body.contains(document.activeElement);
  }

  private draw(): void {
    if (this.frame !== undefined) cancelAnimationFrame(this.frame);
    this.frame = undefined;
    const { order, body } = this;
    const focused = body.contains(document.activeElement) ? document.activeElement : null;
    if (this.indexOf(this.active) < 0) this.active = order[0]?.key;
    const height = this.size('--row', 52);
    const more = this.moreHeight();
    const top = Math.max(0, this.scroller.getBoundingClientRect().top);
    const bottom = Math.min(innerHeight, this.scroller.getBoundingClientRect().bottom);
    const above = top - body.getBoundingClientRect().top;
    const range = visibleRows(order.length, height, above, bottom - top, more);
    const parts = bodyParts(order.length, range, this.indexOf(this.active));
    this.release(parts);
    let gap = 0;
    let next = 0;
    const rows = parts.map((part) => {
      if ('gap' in part) {
        const first = next;
        next += part.gap;
        return this.gap(gap++, part.gap * height + more(next) - more(first));
      }
      next = part.row + 1;
      const upstream = order[part.row];
      return upstream && this.row(upstream, part.row);
    });
    place(
      body,
      rows.filter((row) => row !== undefined),
    );
    this.table.setAttribute('aria-rowcount', String(order.length + 1));
    // An element loses the focus when it is moved within the document.
    if (focused instanceof HTMLElement && focused !== document.activeElement && body.contains(focused)) {
      focused.focus({ preventScroll: true });
    }
    // A chart can be created only when its host is in the document.
    for (const part of parts) if ('row' in part) this.fill(part.row);
  }

  /** Keeps rows that are no longer visible for reuse. */
  private release(parts: ReturnType<typeof bodyParts>): void {
    const needed = new Set(parts.map((part) => ('row' in part ? this.order[part.row]?.key : undefined)));
    for (const [key, view] of this.views) {
      if (needed.has(key)) continue;
      this.views.delete(key);
      view.upstream = undefined;
      this.spare.push(view);
    }
  }

  private row(upstream: Upstream, index: number): HTMLTableRowElement {
    let view = this.views.get(upstream.key);
    if (!view) {
      view = this.spare.pop() ?? new RowView();
      this.views.set(upstream.key, view);
    }
    view.upstream = upstream;
    view.element.dataset['index'] = String(index);
    for (const button of [view.button, view.dismiss]) button.tabIndex = upstream.key === this.active ? 0 : -1;
    return view.element;
  }

  private fill(index: number): void {
    const upstream = this.order[index];
    if (!upstream) return;
    const view = this.views.get(upstream.key);
    view?.show(upstream, index + 2, this.model.times, upstream.key === this.selected, this.why.of(upstream));
  }

  private gap(index: number, height: number): HTMLTableRowElement {
    const gap = (this.gaps[index] ??= el('tr', { class: 'gap', 'aria-hidden': 'true' }, el('td')));
    gap.style.height = `${height}px`;
    return gap;
  }

  /** A size of the style sheet, in px. */
  private size(name: string, usual: number): number {
    return parseFloat(getComputedStyle(this.table).getPropertyValue(name)) || usual;
  }

  /** Rows in trouble are higher, by what their reason needs: the result says by how much all rows before a row are. */
  private moreHeight(): (row: number) => number {
    const sums = [0];
    for (const upstream of this.order) sums.push((sums.at(-1) ?? 0) + this.why.of(upstream));
    return (row) => sums[row] ?? 0;
  }

  private indexOf(key: number | undefined): number {
    return key === undefined ? -1 : this.order.findIndex((upstream) => upstream.key === key);
  }

  private viewOf(target: EventTarget | null): RowView | undefined {
    const row = target instanceof Element ? target.closest('tr') : null;
    return [...this.views.values()].find(({ element }) => element === row);
  }

  private click({ target }: Event): void {
    const upstream = this.viewOf(target)?.upstream;
    // Selecting text in a row must not open it.
    if (!upstream || getSelection()?.type === 'Range') return;
    if (target instanceof Element && target.closest('.dismiss') !== null) {
      this.listener.dismiss(upstream);
      return;
    }
    this.active = upstream.key;
    this.listener.open(upstream);
  }

  private key(event: KeyboardEvent): void {
    const upstream = this.viewOf(event.target)?.upstream;
    if (!upstream || event.altKey || event.ctrlKey || event.metaKey) return;
    const sight = Math.min(innerHeight, this.scroller.clientHeight);
    const page = Math.max(1, Math.floor(sight / this.size('--row', 52)) - 2);
    const last = this.order.length - 1;
    const index = this.indexOf(upstream.key);
    const targets: Readonly<Record<string, number>> = {
      ArrowDown: index + 1,
      ArrowUp: index - 1,
      PageDown: index + page,
      PageUp: index - page,
      Home: 0,
      End: last,
    };
    const wanted = targets[event.key];
    if (wanted === undefined) return;
    event.preventDefault();
    this.moveTo(Math.max(0, Math.min(last, wanted)));
  }

  private moveTo(index: number): void {
    const upstream = this.order[index];
    if (!upstream) return;
    this.active = upstream.key;
    this.draw();
    const view = this.views.get(upstream.key);
    view?.element.scrollIntoView({ block: 'nearest' });
    view?.button.focus({ preventScroll: true });
  }
}

/** `fresh` with the existing upstreams in their old order, followed by the new ones. */
function keepOrder(old: readonly Upstream[], fresh: readonly Upstream[]): Upstream[] {
  const present = new Set(fresh);
  const kept = old.filter((upstream) => present.has(upstream));
  const known = new Set(kept);
  return [...kept, ...fresh.filter((upstream) => !known.has(upstream))];
}

/** Makes `rows` the children of `body`, and moves only rows in the wrong place. */
function place(body: HTMLElement, rows: readonly HTMLElement[]): void {
  const wanted = new Set<Element>(rows);
  for (const child of [...body.children]) if (!wanted.has(child)) child.remove();
  let at = body.firstElementChild;
  for (const row of rows) {
    if (row === at) at = at.nextElementSibling;
    else body.insertBefore(row, at);
  }
}
