/** A range of rows: `from` is included, `to` is not. */
export interface Range {
  readonly from: number;
  readonly to: number;
}

/** Number of rows to keep above and below the visible ones. */
const MARGIN = 4;

/**
 * The range of visible rows.
 *
 * @param rowHeight height of a row, in px
 * @param above height of the rows above the visible area, in px
 * @param height height of the visible area, in px
 * @param more by how much the rows before a row are higher than that, in px; default: all rows have the same height
 */
export function visibleRows(
  count: number,
  rowHeight: number,
  above: number,
  height: number,
  more: (row: number) => number = () => 0,
): Range {
  const clamp = (value: number): number => Math.max(0, Math.min(count, value));
  const top = (row: number): number => row * rowHeight + more(clamp(row));
  // The last row that begins at or above a place; beyond the rows, as if there were more.
  const rowAt = (place: number): number => {
    if (place < 0) return Math.floor(place / rowHeight);
    if (place >= top(count)) return count + Math.floor((place - top(count)) / rowHeight);
    let low = 0;
    let high = count;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (top(middle) <= place) low = middle;
      else high = middle;
    }
    return low;
  };
  const bottom = above + Math.max(0, height);
  const last = rowAt(bottom);
  const from = clamp(rowAt(above) - MARGIN);
  const to = clamp((top(last) < bottom ? last + 1 : last) + MARGIN);
  return { from: Math.min(from, to), to };
}

/** A part of the body of the table: a row, or a gap with the height of the omitted rows. */
export type Part = { readonly row: number } | { readonly gap: number };

/**
 * The rows of `range`, the row `kept` (the focused one), and gaps for all others.
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
