import { maskIn, maskKey, maskUrl } from '../base/mask.js';

/** Fields of connect data and of RTMP commands that are, or hold, a stream's name or a way in. */
const SECRET_FIELDS = new Set(['name', 'header', 'details', 'password', 'token', 'key']);
/** Fields that are a URL, with or without its scheme. */
const URL_FIELDS = new Set(['url', 'tc_url', 'tcUrl', 'page_url', 'pageUrl', 'swf_url', 'swfUrl', 'redirect']);

/** Deeper levels of an object are not shown: the nesting is the sender's choice. */
const MAX_DEPTH = 16;

/**
 * Free text, such as what a server says: URLs and `secrets` in it are masked, of paths of several parts what follows the
 * first, and queries.
 */
function maskProse(text: string, secrets: Iterable<string>): string {
  return maskIn(text, secrets)
    .replace(/(^|[\s"'([])(\/[^\s/"'<>]+\/)([^\s"'<>)\]]+)/g, (_, before: string, first: string, rest: string) => {
      return `${before}${first}${maskKey(rest)}`;
    })
    .replace(/\?[^\s"'<>]+/g, '?***');
}

/**
 * Connect data, or the object of a command: masks by the fields' names, and all other text as prose. Levels past the
 * sixteenth are replaced by `…`.
 *
 * @param secrets stream names that were met before, masked wherever they come up
 */
export function maskFields(value: unknown, secrets: Iterable<string> = [], field = '', depth = 0): unknown {
  if (typeof value === 'string') {
    if (SECRET_FIELDS.has(field)) return maskKey(value);
    return URL_FIELDS.has(field) ? maskUrl(value) : maskProse(value, secrets);
  }
  if (typeof value !== 'object' || value === null || value instanceof Date) return value;
  if (depth >= MAX_DEPTH) return '…';
  if (Array.isArray(value)) return value.map((part) => maskFields(part, secrets, field, depth + 1));
  const masked = Object.create(null) as Record<string, unknown>;
  for (const [key, part] of Object.entries(value)) masked[key] = maskFields(part, secrets, key, depth + 1);
  return masked;
}
