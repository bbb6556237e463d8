import { byId, el, setText } from '../dom.js';
import { groupOfUpstream, type Choice } from '../data/order.js';
import { stateName } from '../data/news.js';
import { GROUPS } from '../data/states.js';
import type { Upstream } from '../data/upstream.js';

/** In the filter, the usual state comes first. */
const CHOICES: readonly Choice[] = ['all', 'publishing', ...GROUPS.filter((group) => group !== 'publishing')];

/** The filters of the table: a text and a state. */
export class Filter {
  private readonly input = byId('filter', HTMLInputElement);
  private readonly counts = new Map<Choice, HTMLElement>();
  private readonly choices = new Map<Choice, HTMLInputElement>();

  constructor(private readonly change: (text: string, group: Choice) => void) {
    this.input.addEventListener('input', () => this.changed());
    this.input.addEventListener('keydown', (event) => {
      if (event.key === 'Escape' && this.input.value !== '') {
        event.preventDefault();
        this.clear();
      }
    });
    const groups = byId('groups', HTMLFieldSetElement);
    for (const group of CHOICES) {
      const choice = el('input', { type: 'radio', name: 'group', value: group, checked: group === 'all' });
      const count = el('span', { class: 'count' });
      choice.addEventListener('change', () => this.changed());
      groups.append(el('label', { 'data-state': group }, choice, el('span', {}, stateName(group), ' ', count)));
      this.counts.set(group, count);
      this.choices.set(group, choice);
    }
  }

  /** Shows the number of upstreams in each state. */
  show(upstreams: Iterable<Upstream>): void {
    const counted = new Map<Choice, number>(CHOICES.map((group) => [group, 0]));
    for (const upstream of upstreams) {
      for (const group of ['all', groupOfUpstream(upstream)] as const)
        counted.set(group, (counted.get(group) ?? 0) + 1);
    }
    for (const [group, element] of this.counts) {
      const number = counted.get(group) ?? 0;
      setText(element, String(number));
      // A state without upstreams has no button, unless it is selected.
      const label = element.closest('label');
      if (label) label.hidden = number === 0 && group !== 'all' && this.choices.get(group)?.checked !== true;
    }
  }

  clear(): void {
    this.input.value = '';
    const all = this.choices.get('all');
    if (all) all.checked = true;
    this.changed();
    this.input.focus();
  }

  private changed(): void {
    const group = CHOICES.find((one) => this.choices.get(one)?.checked === true) ?? 'all';
    this.change(this.input.value.trim(), group);
  }
}
