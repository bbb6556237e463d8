// The part of the page's address that names the upstream that is open, so that it can be linked to and gone back from.

const PREFIX = '#upstream=';

/** undefined: the id cannot stand in an address. */
export function linkTo(id: string): string | undefined {
  return /\p{Surrogate}/u.test(id) ? undefined : PREFIX + encodeURIComponent(id);
}

/** The id that `hash` names, if it names one. */
export function idInLink(hash: string): string | undefined {
  if (!hash.startsWith(PREFIX)) return undefined;
  try {
    return decodeURIComponent(hash.slice(PREFIX.length));
  } catch {
    return undefined;
  }
}
