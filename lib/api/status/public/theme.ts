import { readColors } from './colors.js';
import { byId, el } from './dom.js';

const KEY = 'kmp-rtmp-theme';
const THEMES = ['auto', 'light', 'dark'] as const;
type Theme = (typeof THEMES)[number];
/** A sign, and the word that goes with it where there is room. */
const LABELS: Readonly<Record<Theme, readonly [string, string]>> = {
  auto: ['◐', 'Auto'],
  light: ['☀', 'Light'],
  dark: ['☾', 'Dark'],
};

/** The button that goes round light, dark, and what the system says; the choice is kept by the browser. */
export function setUpTheme(): void {
  const button = byId('theme', HTMLButtonElement);
  let theme = stored();
  const apply = (): void => {
    if (theme === 'auto') delete document.documentElement.dataset['theme'];
    else document.documentElement.dataset['theme'] = theme;
    const [sign, word] = LABELS[theme];
    button.replaceChildren(sign, el('span', { class: 'word' }, ` ${word}`));
    button.setAttribute('aria-label', `Theme: ${theme}`);
    readColors();
  };
  button.addEventListener('click', () => {
    theme = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length] ?? 'auto';
    store(theme);
    apply();
  });
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', readColors);
  apply();
}

// A browser may refuse to keep anything.
function stored(): Theme {
  try {
    return THEMES.find((theme) => theme === localStorage.getItem(KEY)) ?? 'auto';
  } catch {
    return 'auto';
  }
}

function store(theme: Theme): void {
  try {
    localStorage.setItem(KEY, theme);
  } catch {
    // Then it holds until the page is left.
  }
}
