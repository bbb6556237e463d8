/** The storage of the browser; undefined: it has none for this page. */
export function storage(): Storage | undefined {
  try {
    return localStorage;
  } catch {
    return undefined;
  }
}
