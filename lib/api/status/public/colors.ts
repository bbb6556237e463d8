// Colours for canvases, which know no CSS variables. They are those of theme.css.

const NAMES = ['in', 'out', 'frames', 'memory', 'delay', 'muted', 'grid'] as const;
export type ColorName = (typeof NAMES)[number];

const colors = new Map<ColorName, string>();
const listeners = new Set<() => void>();

export function color(name: ColorName): string {
  if (colors.size === 0) readColors();
  return colors.get(name) ?? 'gray';
}

/** Calls back when the colours have changed. @returns what takes it back */
export function onColors(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** Reads the colours of the theme that is on now. */
export function readColors(): void {
  const style = getComputedStyle(document.documentElement);
  for (const name of NAMES) colors.set(name, style.getPropertyValue(`--${name}`).trim());
  for (const listener of listeners) listener();
}
