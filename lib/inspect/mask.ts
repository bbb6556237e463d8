/** Stands in the place of a stream key. */
export const MASK = '***';

/** Fields of connect data that are, or may hold, a stream's name. */
const SECRET_FIELDS = new Set(['name', 'header', 'details', 'password', 'token', 'key']);
/** Fields that are an RTMP URL, with or without its scheme. */
const URL_FIELDS = new Set(['url', 'tc_url', 'tcUrl', 'page_url', 'pageUrl', 'swf_url', 'swfUrl', 'redirect']);

/** Masks what follows a `?`. */
function maskQuery(text: string): string {
  return text.replace(/\?.+$/s, `?${MASK}`);
}

/** An RTMP URL (the scheme may be missing) without user, password, stream and query. */
export function maskUrl(url: string): string {
  const [, scheme = '', user = '', host = '', app = '', stream] =
    /^([a-z][a-z\d+.-]*:\/\/)?(?:([^/]*)@)?([^/]*)(\/[^/]*)?(\/.*)?$/is.exec(url) ?? [];
  const rest = stream === undefined || stream === '/' ? (stream ?? '') : `/${MASK}`;
  return `${scheme}${user === '' ? '' : `${MASK}@`}${host}${maskQuery(app)}${rest}`;
}

/** Free text, such as what a server says: RTMP URLs in it and paths of two parts lose their last part, queries all. */
export function maskText(text: string): string {
  return text
    .replace(/rtmps?:\/\/[^\s"'<>]+/gi, maskUrl)
    .replace(/(^|[\s"'([])(\/[^\s/"'<>]+\/)[^\s"'<>)\]]+/g, `$1$2${MASK}`)
    .replace(/\?[^\s"'<>]+/g, `?${MASK}`);
}

/** Deeper levels of an object are not shown: the nesting is the sender's choice. */
const MAX_DEPTH = 16;

/**
 * Connect data, or any object of a command: masks by the fields' names, and all else as {@link maskText}. Levels past the
 * sixteenth are replaced by `…`.
 */
export function maskFields(value: unknown, field = '', depth = 0): unknown {
  if (typeof value === 'string') {
    if (SECRET_FIELDS.has(field)) return value === '' ? '' : MASK;
    return URL_FIELDS.has(field) ? maskUrl(value) : maskText(value);
  }
  if (typeof value !== 'object' || value === null || value instanceof Date) return value;
  if (depth >= MAX_DEPTH) return '…';
  if (Array.isArray(value)) return value.map((part) => maskFields(part, field, depth + 1));
  const masked = Object.create(null) as Record<string, unknown>;
  for (const [key, part] of Object.entries(value)) masked[key] = maskFields(part, key, depth + 1);
  return masked;
}
