import { maskKey, maskUrl } from '../base/mask.js';
import { Secrets } from '../base/secrets.js';

/** Fields of connect data and of RTMP commands that contain a stream name or a credential. */
const SECRET_FIELDS = new Set(['name', 'header', 'details', 'password', 'token', 'key']);
/** Fields that contain a URL, with or without a scheme. */
const URL_FIELDS = new Set([
  ...['url', 'backup_urls', 'tc_url', 'tcUrl', 'page_url', 'pageUrl', 'swf_url', 'swfUrl', 'redirect'],
]);

/** Deepest level that is shown, since the sender chooses the nesting. */
const MAX_DEPTH = 16;

/**
 * Masks free text, such as messages of a server: URLs, `secrets`, queries, and in paths everything behind the first
 * segment.
 */
function maskText(text: string, secrets: Secrets): string {
  return secrets
    .mask(text)
    .replace(/(^|[\s"'([])(\/[^\s/"'<>]+\/)([^\s"'<>)\]]+)/g, (_, before: string, first: string, rest: string) => {
      return `${before}${first}${maskKey(rest)}`;
    })
    .replace(/\?[^\s"'<>]+/g, '?***');
}

/**
 * Masks connect data, or the object of a command: by the names of the fields, and other text as free text. Levels
 * beyond the sixteenth become `…`.
 *
 * @param secrets known ones, masked wherever they appear
 */
export function maskFields(value: unknown, secrets = new Secrets(), field = '', depth = 0): unknown {
  if (typeof value === 'string') {
    if (SECRET_FIELDS.has(field)) return maskKey(value);
    return URL_FIELDS.has(field) ? maskUrl(value) : maskText(value, secrets);
  }
  if (typeof value !== 'object' || value === null || value instanceof Date) return value;
  if (depth >= MAX_DEPTH) return '…';
  if (Array.isArray(value)) return value.map((part) => maskFields(part, secrets, field, depth + 1));
  const masked = Object.create(null) as Record<string, unknown>;
  for (const [key, part] of Object.entries(value)) masked[key] = maskFields(part, secrets, key, depth + 1);
  return masked;
}
