/**
 * Whether `text` fits `pattern` in full: `*` stands for any text, `?` for any one character, `[a-z]` for one of a set (`[!a-z]` for
 * one that is not in it), all else for itself. Time is at most the product of both lengths, whatever the pattern.
 */
export function fitsWildcard(pattern: string, text: string): boolean {
  const parts = pattern.match(/\[!?\]?[^\]]*\]|[^]/g) ?? [];
  let part = 0;
  let at = 0;
  let star = -1;
  let starAt = 0;
  while (at < text.length) {
    if (parts[part] === '*') {
      star = part++;
      starAt = at;
    } else if (part < parts.length && fitsOne(parts[part] ?? '', text[at] ?? '')) {
      part++;
      at++;
    } else if (star >= 0) {
      // Let the last star take one character more: earlier ones need not be tried again.
      part = star + 1;
      at = ++starAt;
    } else return false;
  }
  while (parts[part] === '*') part++;
  return part === parts.length;
}

function fitsOne(part: string, char: string): boolean {
  if (part === '?') return true;
  if (part.length === 1) return part === char;
  const not = part[1] === '!';
  const set = part.slice(not ? 2 : 1, -1);
  let found = false;
  for (let i = 0; i < set.length; i++) {
    const low = set[i] ?? '';
    const range = set[i + 1] === '-' && i + 2 < set.length;
    const high = range ? (set[i + 2] ?? '') : low;
    if (range) i += 2;
    found ||= char >= low && char <= high;
  }
  return found !== not;
}
