/**
 * Characters that change how a line is shown, or where it ends: control characters (C0, DEL, C1), line and paragraph
 * separators, and marks that change the direction of text.
 */
// eslint-disable-next-line no-control-regex
const INVISIBLE = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

/** Replaces such characters by `\uXXXX`. JSON stays JSON with the same value. */
export function escapeInvisible(text: string): string {
  return text.replace(INVISIBLE, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
