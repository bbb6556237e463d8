import { readColors } from './colors.js';
import { byId, el } from './dom.js';

const KEY = 'kmp-rtmp-theme';
const THEMES = ['auto', 'light', 'dark'] as const;
type Theme = (typeof THEMES)[number];
/** A symbol, and a word that is shown if there is room. */
const LABELS: Readonly<Record<Theme, readonly [string, string]>> = {
  auto: ['◐', 'Auto'],
  light: ['☀', 'Light'],
  dark: ['☾', 'Dark'],
};

/**
 * Sets up the button that switches between light, dark and the setting of the system. The browser stores the choice.
 */
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

// A browser may refuse to store data.
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
    // The choice is then lost with the page.
  }
}
