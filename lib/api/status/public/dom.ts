// All elements of the page are created here. Text never becomes markup, and invisible characters are escaped.
import { visibleText } from './data/format.js';

type Attributes = Readonly<Record<string, string | boolean | undefined>>;

/** An element with attributes (true: present, false or undefined: absent) and children. */
export function el<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: readonly (Node | string)[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === true) element.setAttribute(name, '');
    else if (value !== undefined && value !== false) element.setAttribute(name, value);
  }
  element.append(...children.map((child) => (typeof child === 'string' ? visibleText(child) : child)));
  return element;
}

/** The element of the page with this id. */
export function byId<T extends HTMLElement>(id: string, type: new () => T): T {
  const element = document.getElementById(id);
  if (!(element instanceof type)) throw new Error(`the page has no ${type.name} with the id ${id}`);
  return element;
}

export function setText(element: HTMLElement, text: string): void {
  const shown = visibleText(text);
  if (element.textContent !== shown) element.textContent = shown;
}

export function setAttribute(element: HTMLElement, name: string, value: string): void {
  const shown = visibleText(value);
  if (element.getAttribute(name) !== shown) element.setAttribute(name, shown);
}

/** Parts of a view that depend on a value. They are created once; an update writes only what has changed. */
export class Live<T> {
  private readonly updates: ((of: T) => void)[] = [];

  text(read: (of: T) => string): Text {
    const node = document.createTextNode('');
    this.updates.push((of) => {
      const text = visibleText(read(of));
      if (node.data !== text) node.data = text;
    });
    return node;
  }

  attribute<E extends HTMLElement>(element: E, name: string, read: (of: T) => string): E {
    this.updates.push((of) => setAttribute(element, name, read(of)));
    return element;
  }

  /** Shows `element` while `test` returns true. */
  shown<E extends HTMLElement>(element: E, test: (of: T) => boolean): E {
    this.updates.push((of) => {
      const hidden = !test(of);
      if (element.hidden !== hidden) element.hidden = hidden;
    });
    return element;
  }

  does(update: (of: T) => void): void {
    this.updates.push(update);
  }

  refresh(of: T): void {
    for (const update of this.updates) update(of);
  }
}
