import { el } from '../dom.js';
import { whyOf } from '../data/news.js';
import { isTroubled } from '../data/order.js';
import type { Upstream } from '../data/upstream.js';

/** Most heights that are kept. */
const MAX_KEPT = 2000;
/** px between the reason and the next row. */
const SPACE = 8;

/**
 * How much higher the rows in trouble are: each as much as its reason needs. Texts are measured in a row that nobody
 * sees, once for each text and width.
 */
export class WhyHeights {
  private readonly probe = el('p', { class: 'why', 'aria-hidden': 'true' });
  private readonly known = new Map<string, number>();
  private width = 0;

  constructor(private readonly table: HTMLTableElement) {
    this.probe.style.visibility = 'hidden';
    this.probe.style.top = '0';
    table.before(this.probe);
  }

  /** The height of the lines that say why, in px; 0: the row has none. */
  of(upstream: Upstream): number {
    if (!isTroubled(upstream)) return 0;
    const width = this.table.clientWidth;
    if (width !== this.width) this.fit(width);
    const text = whyOf(upstream, Date.now());
    // Digits are about equally wide: a text whose seconds count up is not measured each time.
    const key = text.replace(/\d/g, '0');
    const known = this.known.get(key);
    if (known !== undefined) return known;
    if (this.known.size >= MAX_KEPT) this.known.clear();
    this.probe.textContent = key;
    const height = Math.ceil(this.probe.getBoundingClientRect().height) + SPACE;
    this.probe.textContent = '';
    this.known.set(key, height);
    return height;
  }

  /** Makes the hidden text as wide as that of a row. */
  private fit(width: number): void {
    const { probe } = this;
    this.width = width;
    this.known.clear();
    probe.style.width = '';
    const { left, right } = getComputedStyle(probe);
    probe.style.width = `${width - parseFloat(left) - parseFloat(right)}px`;
  }
}
