/**
 * Returns whether the whole `text` matches `pattern`. `*` matches any text, `?` any one character, `[a-z]` one
 * character of a set, `[!a-z]` one character outside of it. Other characters match themselves. The time is bounded by
 * the product of both lengths.
 */
export function matchesWildcard(pattern: string, text: string): boolean {
  const parts = pattern.match(/\[!?\]?[^\]]*\]|[^]/g) ?? [];
  let part = 0;
  let at = 0;
  let star = -1;
  let starAt = 0;
  while (at < text.length) {
    if (parts[part] === '*') {
      star = part++;
      starAt = at;
    } else if (part < parts.length && matchesCharacter(parts[part] ?? '', text[at] ?? '')) {
      part++;
      at++;
    } else if (star >= 0) {
      // Extend the match of the last star by one character. Earlier stars cannot lead to a match then.
      part = star + 1;
      at = ++starAt;
    } else return false;
  }
  while (parts[part] === '*') part++;
  return part === parts.length;
}

function matchesCharacter(part: string, char: string): boolean {
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
