import { byId, el, setAttribute, setText } from '../dom.js';
import { count } from '../data/format.js';
import type { Model } from '../data/model.js';
import { lacksOf, nodeNote, nodeState } from '../data/parts.js';
import type { NodeInfo } from '../data/wire.js';

interface NodeView {
  readonly item: HTMLLIElement;
  readonly button: HTMLButtonElement;
  readonly name: HTMLElement;
  readonly note: HTMLElement;
}

/**
 * The nodes of the fleet, and what the list of upstreams lacks because a node or a worker does not answer. A node that
 * is chosen limits the list to its upstreams.
 */
export class NodesView {
  private readonly section = byId('parts', HTMLElement);
  private readonly lacks = byId('lacks', HTMLParagraphElement);
  private readonly list = byId('nodes', HTMLUListElement);
  private readonly views = new Map<string, NodeView>();
  private chosen: string | undefined;

  constructor(private readonly choose: (node: string | undefined, said: string) => void) {}

  show({ parts }: Model): void {
    const lacks = lacksOf(parts);
    this.section.hidden = parts.nodes.length === 0 && lacks === '';
    this.lacks.hidden = lacks === '';
    setText(this.lacks, lacks);
    this.list.hidden = parts.nodes.length === 0;
    for (const [name, { item }] of this.views) {
      if (parts.nodes.some((node) => node.name === name)) continue;
      item.remove();
      this.views.delete(name);
      if (this.chosen === name) this.toggle(name);
    }
    for (const [n, node] of parts.nodes.entries()) {
      const { item, button, note } = this.viewOf(node);
      if (this.list.children[n] !== item) this.list.insertBefore(item, this.list.children[n] ?? null);
      setText(note, nodeNote(node, count));
      setAttribute(button, 'data-state', nodeState(node));
      setAttribute(button, 'aria-pressed', String(this.chosen === node.name));
      setAttribute(button, 'title', node.missing ?? `kmp-rtmp ${node.version}`);
    }
  }

  /** All upstreams are shown. */
  clear(): void {
    if (this.chosen !== undefined) this.toggle(this.chosen);
  }

  private viewOf({ name }: NodeInfo): NodeView {
    const known = this.views.get(name);
    if (known !== undefined) return known;
    const text = el('b', {}, name);
    const note = el('span');
    const button = el('button', { type: 'button', 'aria-pressed': 'false' }, text, ' ', note);
    button.addEventListener('click', () => this.toggle(name));
    const made = { item: el('li', {}, button), button, name: text, note };
    this.views.set(name, made);
    return made;
  }

  private toggle(name: string): void {
    this.chosen = this.chosen === name ? undefined : name;
    for (const [one, { button }] of this.views) setAttribute(button, 'aria-pressed', String(this.chosen === one));
    this.choose(this.chosen, this.chosen === undefined ? 'All nodes' : `Node ${this.chosen}`);
  }
}
