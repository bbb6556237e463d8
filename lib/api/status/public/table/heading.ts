import { byId, el, setAttribute } from '../dom.js';
import { COLUMNS, type Column, type Sorting } from '../data/order.js';

const TITLES: Readonly<Record<Column, string>> = {
  id: 'Upstream',
  state: 'State',
  node: 'Node',
  bitrateIn: 'In',
  bitrateOut: 'Out',
  frames: 'Frames/s',
  delay: 'Delay',
  memory: 'Memory',
  dropped: 'Dropped',
  reconnects: 'Reconnects',
  uptime: 'Uptime',
};

const ORDER: readonly (Column | 'chart')[] = [
  'id',
  'state',
  'node',
  'bitrateIn',
  'bitrateOut',
  'chart',
  'frames',
  'delay',
  'memory',
  'dropped',
  'reconnects',
  'uptime',
];

/** Columns that are aligned to the left, unlike numbers. */
const TEXTS: ReadonlySet<Column> = new Set(['id', 'state', 'node', 'memory']);

/** The heading of the table with buttons for sorting, and a list for narrow screens that does the same. */
export class Heading {
  private readonly cells = new Map<Column, HTMLTableCellElement>();
  private readonly select = byId('sorting', HTMLSelectElement);

  constructor(
    private sorting: Sorting,
    private readonly change: (sorting: Sorting, said: string) => void,
  ) {
    const row = el('tr', { 'aria-rowindex': '1' });
    for (const column of ORDER) {
      if (column === 'chart') {
        row.append(el('td', { 'data-column': 'chart', 'aria-hidden': 'true' }, 'Two minutes'));
        continue;
      }
      const button = el('button', { type: 'button' }, TITLES[column]);
      const number = !TEXTS.has(column);
      const cell = el('th', { scope: 'col', 'data-column': column, 'data-number': number }, button);
      button.addEventListener('click', () => this.toggle(column));
      this.cells.set(column, cell);
      row.append(cell);
      this.select.append(el('option', { value: column }, TITLES[column]));
    }
    byId('table', HTMLTableElement).tHead?.append(row);
    this.select.addEventListener('change', () => this.toggle(this.select.value as Column));
    this.show();
  }

  /** The column of nodes can be sorted by in a fleet only. */
  showNodes(shown: boolean): void {
    for (const option of this.select.options) if (option.value === 'node') option.hidden = !shown;
  }

  private toggle(column: Column): void {
    const { start } = COLUMNS[column];
    const same = this.sorting.column === column;
    const other = this.sorting.direction === 'ascending' ? 'descending' : 'ascending';
    this.sorting = { column, direction: same ? other : start };
    this.show();
    this.change(this.sorting, `Sorted by ${TITLES[column]}, ${this.sorting.direction}`);
  }

  private show(): void {
    for (const [column, cell] of this.cells) {
      setAttribute(cell, 'aria-sort', column === this.sorting.column ? this.sorting.direction : 'none');
    }
    this.select.value = this.sorting.column;
  }
}
