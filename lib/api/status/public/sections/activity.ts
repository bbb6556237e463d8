import { byId, el, setText } from '../dom.js';
import { count, nameOf } from '../data/format.js';
import type { ActivityEntry } from '../data/model.js';
import { clockTime } from '../data/news.js';
import type { Ended } from '../data/wire.js';

/** Maximum number of entries. */
const LIMIT = 200;

/** The list of changes since the page was opened, newest first. */
export class ActivityView {
  private readonly panel = byId('activity', HTMLElement);
  private readonly toggle = byId('show-activity', HTMLButtonElement);
  private readonly badge = byId('activity-count', HTMLSpanElement);
  private readonly list = el('ol', { class: 'activity-list' });
  private readonly empty = el('p', { class: 'empty' }, 'No changes since this page was opened.');
  private readonly sums = el('p', { class: 'sums' });
  private unseen = 0;

  constructor(private readonly opened: () => void) {
    const close = el('button', { type: 'button', class: 'close', 'aria-label': 'Close' }, '×');
    close.addEventListener('click', () => this.close());
    const title = el('h2', { id: 'activity-title', tabindex: '-1' }, 'Activity');
    this.panel.append(el('header', {}, title, close), this.sums, this.empty, this.list);
    this.panel.addEventListener('keydown', ({ key }) => {
      if (key === 'Escape') this.close();
    });
    this.toggle.addEventListener('click', () => {
      if (!this.panel.hidden) this.close();
      else {
        this.opened();
        this.panel.hidden = false;
        this.toggle.setAttribute('aria-expanded', 'true');
        this.unseen = 0;
        this.showBadge();
        title.focus();
      }
    });
  }

  /** Shows the number of upstreams that have ended since the service started, by reason. */
  showEnded(ended: Ended): void {
    const reasons = Object.entries(ended).sort(([, a], [, b]) => b - a);
    const text = reasons.map(([reason, number]) => `${count(number)} ${reason}`).join(', ');
    setText(this.sums, text === '' ? '' : `Upstreams ended since the service started: ${text}.`);
  }

  add(happened: readonly ActivityEntry[]): void {
    if (happened.length === 0) return;
    this.prepend(happened);
    if (this.panel.hidden) this.unseen += happened.length;
    this.showBadge();
  }

  /** Shows what happened before the page was opened, in the place of all entries. */
  begin(history: readonly ActivityEntry[]): void {
    this.list.replaceChildren();
    this.empty.hidden = false;
    if (history.length > 0) this.prepend(history);
  }

  private prepend(entries: readonly ActivityEntry[]): void {
    const now = Date.now();
    for (const { at, id, what, kind } of entries.slice(-LIMIT)) {
      const time = clockTime(new Date(at).toISOString(), now);
      this.list.prepend(el('li', { 'data-kind': kind }, el('time', {}, time), el('b', {}, nameOf(id)), ` ${what}`));
    }
    while (this.list.childElementCount > LIMIT) this.list.lastElementChild?.remove();
    this.empty.hidden = true;
  }

  /** Closes the panel. If the focus was inside, it moves back to the button. */
  close(): void {
    const inside = this.panel.contains(document.activeElement);
    this.panel.hidden = true;
    this.toggle.setAttribute('aria-expanded', 'false');
    if (inside) this.toggle.focus();
  }

  private showBadge(): void {
    this.badge.hidden = this.unseen === 0;
    setText(this.badge, this.unseen > 99 ? '99+' : String(this.unseen));
  }
}
