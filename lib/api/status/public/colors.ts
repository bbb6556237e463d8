// Colours of theme.css for canvases, which do not support CSS variables.

const NAMES = ['in', 'out', 'frames', 'memory', 'delay', 'muted', 'grid'] as const;
export type ColorName = (typeof NAMES)[number];

const colors = new Map<ColorName, string>();
const listeners = new Set<() => void>();

export function color(name: ColorName): string {
  if (colors.size === 0) readColors();
  return colors.get(name) ?? 'gray';
}

/** Calls `listener` when the colours have changed. @returns a function that removes it */
export function onColors(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** Reads the colours of the current theme. */
export function readColors(): void {
  const style = getComputedStyle(document.documentElement);
  for (const name of NAMES) colors.set(name, style.getPropertyValue(`--${name}`).trim());
  for (const listener of listeners) listener();
}
