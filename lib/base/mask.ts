/**
 * What stands for a secret in log lines and error texts: at most its first three characters, fewer if it is short, then
 * `***`. What is masked already stays as it is.
 */
export function maskKey(secret: string): string {
  if (secret === '' || /^.{0,3}\*{3}$/s.test(secret)) return secret;
  return `${secret.slice(0, Math.min(3, Math.floor(secret.length / 4)))}***`;
}

/**
 * A URL as it may be shown: what gives access is masked, that is user and password, query strings, and whatever stands
 * behind the first segment of the path (the stream of an RTMP URL, the token of a web hook). The scheme is optional, as in
 * connect data.
 */
export function maskUrl(url: string): string {
  const scheme = /^[a-z][a-z0-9+.-]*:\/\//i.exec(url)?.[0] ?? '';
  const rest = url.slice(scheme.length);
  const slash = rest.indexOf('/');
  const authority = maskAuthority(maskQuery(slash < 0 ? rest : rest.slice(0, slash)));
  // A password with a "/" in it, or no URL at all: where the secret begins and ends cannot be said.
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

/** `text` with every URL of an RTMP server in it, and every URL with a password, masked: the net under all log lines. */
export function maskText(text: string): string {
  if (!text.includes('://')) return text;
  return text.replace(/[a-z][a-z0-9+.-]*:\/\/[^\s"'<>]+/gi, (url) =>
    /^rtmp/i.test(url) || /^[^/]*\/\/[^/]*@/.test(url) ? maskUrl(url) : url,
  );
}

/** `text`, which may come from a server, with each of `secrets` masked where it occurs. */
export function maskIn(text: string, secrets: Iterable<string>): string {
  let masked = text;
  // The longest first: where one is part of another, no rest of the longer one stays.
  for (const secret of [...secrets].sort((a, b) => b.length - a.length)) {
    if (secret.length > 3) masked = masked.replaceAll(secret, maskKey(secret));
  }
  return maskText(masked);
}

/** A stream name with its query, whose start is no secret but whose key is. */
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
