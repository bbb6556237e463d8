/** Rows in a table: those from `from` up to `to`, without it. */
export interface Range {
  readonly from: number;
  readonly to: number;
}

/** Rows that are kept ready above and below those in sight. */
const MARGIN = 4;

/**
 * Which rows are in sight, all being of the same height.
 *
 * @param above px of the rows that are scrolled out of sight at the top
 * @param height px in sight
 */
export function rowsInSight(count: number, rowHeight: number, above: number, height: number): Range {
  const clamp = (value: number): number => Math.max(0, Math.min(count, value));
  const from = clamp(Math.floor(above / rowHeight) - MARGIN);
  const to = clamp(Math.ceil((above + Math.max(0, height)) / rowHeight) + MARGIN);
  return { from: Math.min(from, to), to };
}

/** What a table's body holds from top to bottom: a row, or a gap as high as the rows that are left out there. */
export type Part = { readonly row: number } | { readonly gap: number };

/**
 * The rows of `range`, gaps for all others, and the row `kept` (the one with the keyboard's focus) wherever it is.
 *
 * @param kept index; -1: none
 */
export function bodyParts(count: number, { from, to }: Range, kept: number): Part[] {
  const rows: number[] = [];
  for (let row = from; row < to; row++) rows.push(row);
  if (kept >= 0 && kept < count && (kept < from || kept >= to)) {
    rows.push(kept);
    rows.sort((a, b) => a - b);
  }
  const parts: Part[] = [];
  let next = 0;
  for (const row of rows) {
    if (row > next) parts.push({ gap: row - next });
    parts.push({ row });
    next = row + 1;
  }
  if (count > next) parts.push({ gap: count - next });
  return parts;
}
