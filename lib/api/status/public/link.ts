// The fragment of the URL contains the open upstream, so it can be linked to and works with the back button.

const PREFIX = '#upstream=';

/** Returns undefined if the id cannot be part of a URL. */
export function linkTo(id: string): string | undefined {
  return /\p{Surrogate}/u.test(id) ? undefined : PREFIX + encodeURIComponent(id);
}

/** Returns the id in `hash`, if there is one. */
export function idInLink(hash: string): string | undefined {
  if (!hash.startsWith(PREFIX)) return undefined;
  try {
    return decodeURIComponent(hash.slice(PREFIX.length));
  } catch {
    return undefined;
  }
}
