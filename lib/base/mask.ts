/**
 * Replaces a secret in log lines and error texts by at most its first three characters (fewer if it is short) and
 * `***`. A masked text is not changed again.
 */
export function maskKey(secret: string): string {
  if (secret === '' || /^.{0,3}\*{3}$/s.test(secret)) return secret;
  return `${secret.slice(0, Math.min(3, Math.floor(secret.length / 4)))}***`;
}

/**
 * Masks the secrets of a URL: user and password, query strings, and everything after the first segment of the path (the
 * stream of an RTMP URL, the token of a web hook). The scheme is optional, as in connect data.
 */
export function maskUrl(url: string): string {
  const scheme = /^[a-z][a-z0-9+.-]*:\/\//i.exec(url)?.[0] ?? '';
  const rest = url.slice(scheme.length);
  const slash = rest.indexOf('/');
  const authority = maskAuthority(maskQuery(slash < 0 ? rest : rest.slice(0, slash)));
  // A password with a "/", or not a URL: the position of the secret is unknown.
  if ((slash < 0 && scheme === '') || !/^(\*{3}@)?(\[[^\]]*\]|[^:@]*)(:\d*)?([?#]\*{3})?$/.test(authority)) {
    return scheme + maskKey(rest);
  }
  if (slash < 0) return scheme + authority;
  const path = rest.slice(slash + 1);
  const end = path.indexOf('/');
  const first = maskQuery(end < 0 ? path : path.slice(0, end));
  const secret = end < 0 ? '' : `/${maskStream(path.slice(end + 1))}`;
  return `${scheme}${authority}/${first}${secret}`;
}

/** Masks all RTMP URLs and all URLs with a password in `text`. Every log line passes through it. */
export function maskText(text: string): string {
  if (!text.includes('://')) return text;
  return text.replace(/[a-z][a-z0-9+.-]*:\/\/[^\s"'<>]+/gi, (url) =>
    /^rtmp/i.test(url) || /^[^/]*\/\/[^/]*@/.test(url) ? maskUrl(url) : url,
  );
}

/** Masks each of `secrets` in `text`, which may come from a server. */
export function maskIn(text: string, secrets: Iterable<string>): string {
  let masked = text;
  // The longest first: if one contains another, no rest of the longer one remains.
  for (const secret of [...secrets].sort((a, b) => b.length - a.length)) {
    if (secret.length > 3) masked = masked.replaceAll(secret, maskKey(secret));
  }
  return maskText(masked);
}

/** Masks a stream name and its query separately. */
function maskStream(stream: string): string {
  const query = stream.search(/[?#]/);
  if (query < 0) return maskKey(stream);
  return `${maskKey(stream.slice(0, query))}${stream[query] ?? ''}***`;
}

function maskQuery(text: string): string {
  const query = text.search(/[?#]/);
  return query < 0 ? text : `${text.slice(0, query + 1)}***`;
}

function maskAuthority(authority: string): string {
  const at = authority.lastIndexOf('@');
  return at < 0 ? authority : `***@${authority.slice(at + 1)}`;
}
